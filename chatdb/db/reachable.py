"""Waiting for a database to answer: the server, and `SELECT 1` in the database itself."""

import time
from collections.abc import Callable
from dataclasses import replace

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseUnreachableError

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


def wait_until_reachable(url: DatabaseUrl, seconds: float, note: Callable[[str], None]) -> None:
    """Return when the database answers; a SQLite file always does.

    A wrong password or a missing database is waited for as well: a server that is being made
    has neither yet. Raises DatabaseUnreachableError with the last reason.
    """
    if url.dialect_name == "sqlite":
        return
    import psycopg

    deadline, pause, said = time.monotonic() + seconds, _FIRST_PAUSE_SECONDS, False
    while True:
        left = max(deadline - time.monotonic(), 2.0)
        patient = replace(url, parameters=(*url.parameters, ("connect_timeout", f"{left:.0f}")))
        try:
            with connect_postgresql(patient, autocommit=True) as connection:
                connection.execute("SELECT 1")
                return
        except psycopg.OperationalError as error:
            reason = str(error).strip().replace("\n", " ")
            if time.monotonic() + pause >= deadline:
                raise DatabaseUnreachableError(
                    f"{url.redacted()} did not answer within {seconds:g} s: {reason}",
                    hint="start the server, or check the address: chatdb config show",
                ) from error
        if not said:
            note(f"waiting for {url.redacted()}: {reason}")
            said = True
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
