"""Waits for a database to answer: the server, and `SELECT 1` in the database itself."""

import select
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chatdb.db.connect import CONNECT_TIMEOUT_SECONDS, connect_postgresql, connect_sqlite
from chatdb.db.postgresql.unreachable import Diagnosis, diagnose
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseUnreachableError

if TYPE_CHECKING:
    import psycopg

# A server that has just been started answers after about 0.1 s.
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 1.0
_PAUSE_GROWS = 1.5
_SHORTEST_TRY_SECONDS = 2.0
"""psycopg gives every host at least this long."""


def wait_until_reachable(
    url: DatabaseUrl,
    seconds: float,
    note: Callable[[str], None],
    *,
    give_up: Callable[[Diagnosis], None] | None = None,
) -> float:
    """Return when the database answers, with the seconds it took; tries at least once.

    A wrong password or a missing database is waited for as well: a server being created has neither
    yet. `note` receives each new reason. `give_up` receives it after every failed try and raises if
    waiting has become pointless, such as for a server that has died. A SQLite file that does not
    exist yet counts as answering, because the first import creates it. Raises
    DatabaseUnreachableError with the last reason.
    """
    started = time.monotonic()
    if url.path is not None:
        _open_sqlite(url, seconds)
        return time.monotonic() - started
    deadline, pause, said = started + seconds, _FIRST_PAUSE_SECONDS, ""
    while True:
        failed = _try(url, deadline - time.monotonic())
        if failed is None:
            return time.monotonic() - started
        error, found = failed
        # Before the deadline: the owner of a dead server knows the better reason.
        if give_up is not None:
            give_up(found)
        left = deadline - time.monotonic()
        if left <= 0:
            raise DatabaseUnreachableError(
                f"{url.redacted()} did not answer within {seconds:g} s: {found.text}",
                hint=found.hint,
            ) from error
        if found.text != said:
            note(f"waiting for {url.redacted()}: {found.text}")
            said = found.text
        time.sleep(min(pause, left))
        pause = min(pause * _PAUSE_GROWS, _LONGEST_PAUSE_SECONDS)


def select_one(connection: "psycopg.Connection[Any]", seconds: float) -> None:
    """Run the query; a pooler, or a suspended server, may accept the login and stay silent.

    Raises psycopg.OperationalError if no answer came in time.
    """
    import psycopg

    protocol = connection.pgconn
    # By libpq's own calls: psycopg has no timeout for a query, and a silent server would hang it.
    protocol.send_query(b"SELECT 1")
    deadline = time.monotonic() + seconds
    while protocol.is_busy():
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([protocol.socket], [], [], left)[0]:
            raise psycopg.OperationalError("the query timed out")
        protocol.consume_input()
    result = protocol.get_result()
    # libpq takes no further query before its results are read to the end.
    while protocol.get_result() is not None:
        pass
    if result is None or result.status != psycopg.pq.ExecStatus.TUPLES_OK:
        text = result.get_error_message() if result is not None else "the connection is lost"
        raise psycopg.OperationalError(text)


def _try(url: DatabaseUrl, left: float) -> "tuple[psycopg.Error, Diagnosis] | None":
    """Try once, for no longer than is left; return what went wrong."""
    import psycopg

    own_limit = dict(url.parameters).get("connect_timeout", "")
    limit = int(own_limit) if own_limit.isdecimal() else CONNECT_TIMEOUT_SECONDS
    # A try longer than what is left would overrun the time that was asked for.
    limit = round(max(min(left, limit), _SHORTEST_TRY_SECONDS))
    patient = replace(url, parameters=(*url.parameters, ("connect_timeout", str(limit))))
    try:
        with closing(connect_postgresql(patient, autocommit=True, settled=False)) as connection:
            select_one(connection, limit)
    except psycopg.OperationalError as error:
        return error, diagnose(str(error), url)
    return None


def _open_sqlite(url: DatabaseUrl, seconds: float) -> None:
    """Read the file's list of tables, waiting for a program that locks it exclusively."""
    if not url.sqlite_path.exists():
        return
    try:
        with closing(connect_sqlite(url, busy_seconds=seconds)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.Error as error:
        from chatdb.db.database import dialect_of

        if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
            raise DatabaseUnreachableError(
                f"{url.sqlite_path} was held by another program for {seconds:g} s",
                hint="end that program, or wait longer",
            ) from error
        translated = dialect_of(url).translate(error, url)
        if translated is None:
            raise
        raise DatabaseUnreachableError(translated.text, hint=translated.hint) from error
