"""PostgreSQL errors that a user can act on; the server is asked if the error says little."""

from collections.abc import Sequence
from contextlib import closing, suppress

import psycopg

from chatdb.db.connect import connect_postgresql
from chatdb.db.lock_holders import LockHolder, described, holders_of_tables, way_out
from chatdb.db.postgresql.unreachable import diagnose, no_connection, place_of
from chatdb.db.schema import TABLE_NAMES
from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
    ChatdbError,
    DatabaseFailedError,
    DatabaseLockedError,
    StorageError,
)

_LOST = ("08", "57P", "25P03", "25P04")
_LOGIN = "28"
_GAVE_UP = ("25", "40", "53", "54", "57", "58", "XX")
_NOT_IN_RECOVERY = "0A000"
_READ_ONLY = "25006"

_WHY_READ_ONLY = """
SELECT pg_is_in_recovery(), source, current_user::text, current_database()::text
FROM pg_settings WHERE name = 'default_transaction_read_only' AND setting = 'on'
UNION ALL SELECT pg_is_in_recovery(), NULL, NULL, NULL LIMIT 1
"""
_WHOSE = {
    "user": "of the role {user}",
    "database": "of the database {database}",
    "database user": "of the role {user} in the database {database}",
    "client": "of this connection (PGOPTIONS, or options in its URL)",
}


def translate(error: psycopg.Error, url: DatabaseUrl) -> ChatdbError | None:
    """Return an error that a user can act on for a driver's error, None for a bug of ours."""
    state = error.sqlstate or ""
    if isinstance(error, psycopg.OperationalError) and (
        not state or state.startswith((*_LOST, _LOGIN)) or state == "3D000"
    ):
        found = diagnose(error.diag.message_primary or str(error), url)
        return no_connection(found, url)
    if state == "55P03":
        return locked_error(url, getattr(error, "holders", ()))
    if state in (_READ_ONLY, _NOT_IN_RECOVERY):
        reason = read_only_error(url)
        if reason is not None:
            return reason
    if state == "53100":
        return StorageError("the database server's disk is full", hint="free some space")
    if state == "42501":
        return DatabaseFailedError(
            f"the database refuses this user: {first_line(error)}",
            hint="connect as a user with the privilege: --database-url",
        )
    if state.startswith(_GAVE_UP):
        return DatabaseFailedError(f"the database aborted the statement: {first_line(error)}")
    return None


def first_line(error: psycopg.Error) -> str:
    """Return the database's own words."""
    return (error.diag.message_primary or str(error)).strip().partition("\n")[0]


def locked_error(url: DatabaseUrl, holders: Sequence[LockHolder] = ()) -> DatabaseLockedError:
    """Name who holds the lock: the session blocking the connection, else those on our tables."""
    if not holders:
        with (
            # Who holds it is a service: without an answer the error itself must still come.
            suppress(psycopg.Error, ChatdbError),
            closing(connect_postgresql(url, autocommit=True)) as connection,
        ):
            holders = holders_of_tables(connection, sorted(TABLE_NAMES))
    who = described(holders) if holders else "another session"
    text = f"a table of {url.redacted()} is locked for too long by {who}"
    return DatabaseLockedError(
        text,
        hint=way_out(holders, "end that session, or run the command again when it has finished"),
    )


def read_only_error(url: DatabaseUrl) -> DatabaseFailedError | None:
    """Return why nothing can be written: a standby, or a setting."""
    try:
        with closing(connect_postgresql(url, autocommit=True)) as connection:
            row = connection.execute(_WHY_READ_ONLY).fetchone()
    # The caller then reports the server's own words.
    except (psycopg.Error, ChatdbError):
        return None
    if row is None:
        return None
    is_standby, source, user, database = row
    if is_standby:
        return DatabaseFailedError(
            f"the server at {place_of(url)} is a standby, which cannot be written to",
            hint="use the primary, or list all servers with ?target_session_attrs=read-write",
        )
    if source is None:
        return None
    whose = _WHOSE.get(source, "of the server").format(user=user, database=database)
    return DatabaseFailedError(
        f"{url.redacted()} is read-only by a setting {whose}: default_transaction_read_only",
        hint="to write anyway, set PGOPTIONS='-c default_transaction_read_only=off' for the "
        "command; chatdb migrate does so by itself",
    )
