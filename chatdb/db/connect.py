"""Bare driver connections: the engine is built on them, and a quick look needs nothing else.

Each driver is imported inside its function, so that a command pays only for the one it uses.
"""

import os
import sqlite3
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from chatdb.db.sqlite.patient_file import PatientFile, knows_locks, no_locks, open_file
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ConfigurationError, DatabaseMissingError
from chatdb.primitives.own_folder import make_own_folder, remove_own_folder

if TYPE_CHECKING:
    import sqlalchemy as sa

    from chatdb.db.postgresql.patient_connection import PatientConnection

SQLITE_BUSY_SECONDS = 10.0
"""How long a statement waits for another program writing to the file."""

CONNECT_TIMEOUT_SECONDS = 10


def connect_sqlite(
    url: DatabaseUrl,
    *,
    create: bool = False,
    foreign_keys: bool = True,
    busy_seconds: float = SQLITE_BUSY_SECONDS,
) -> PatientFile:
    """Open the file in manual transaction mode: the caller emits every BEGIN.

    A new file gets mode 0600 and a write-ahead log. A file in a directory that is not writable is
    opened as immutable if no such log is beside it, and so is one of a URL with `immutable=1`: no
    program writes to it. Raises DatabaseMissingError for a missing file (unless `create`),
    otherwise StorageError for a new one
    where nothing can be locked, sqlite3.Error.
    """
    path = url.sqlite_path
    if not create and not path.exists():
        raise missing_file(url)
    # Only a new file gets its journal mode from us: an application's choice for its file stays.
    is_new = create and not path.exists()
    if is_new:
        made_folder = make_own_folder(path.parent)
        # Before the file exists: SQLite would leave an empty one behind its error.
        if not knows_locks(path.parent):
            if made_folder:
                remove_own_folder(path.parent)
            raise no_locks(path)
        # SQLite itself would create it with the umask's mode, readable by others.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    uri = f"file:{quote(str(path.absolute()))}?mode=rw" + _immutable(url)
    connection = open_file(uri, path, busy_seconds=busy_seconds)
    try:
        if is_new:  # Stored in the file: with a write-ahead log readers do not block the writer.
            connection.execute("PRAGMA journal_mode=WAL")
        # Off by default in SQLite, and without effect inside a transaction: it has to be set here.
        connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def missing_file(
    url: DatabaseUrl, *, hint: str = "to create it: chatdb migrate"
) -> DatabaseMissingError:
    """Return the error for a SQLite file that is not there."""
    text = f"there is no database file {url.sqlite_path}"
    return DatabaseMissingError(text, place=url.redacted(), hint=hint)


def _immutable(url: DatabaseUrl) -> str:
    path = url.sqlite_path
    if ("immutable", "1") in url.parameters:
        return "&immutable=1"
    # Even a reader of a write-ahead log makes a -shm file, which a read-only folder refuses.
    if os.access(path.parent, os.W_OK) or path.with_name(path.name + "-wal").exists():
        return ""
    return "&immutable=1"


def connect_postgresql(
    url: DatabaseUrl,
    *,
    application_name: str = "chatdb",
    autocommit: bool = False,
    settled: bool = True,
) -> "PatientConnection":
    """Open a connection that a pooler in transaction mode can handle: it leaves nothing behind.

    `settled` applies the settings that chatdb relies on, unless there is a pooler: one more
    message. Raises psycopg.Error, ConfigurationError for a parameter that libpq does not know.
    """
    import psycopg

    from chatdb.db.postgresql.patient_connection import PatientConnection

    parameters: dict[str, Any] = {
        "application_name": application_name,
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        **url.libpq(),
        # Last, so that nothing of the URL overrides it: text is decoded as UTF-8 everywhere.
        "client_encoding": "UTF8",
    }
    try:
        connection = PatientConnection.open(parameters)
    except psycopg.ProgrammingError as error:
        raise ConfigurationError(
            f"the parameters of {url.redacted()} cannot be used: {str(error).strip()}",
            hint="fix the part after the question mark; a valid one is sslmode=require",
        ) from error
    try:
        if settled:
            connection.settle()
        connection.autocommit = autocommit
    # Ctrl-C too: an open connection would keep its place on the server.
    except BaseException:
        connection.close()
        raise
    return connection


def driver_connection(connection: "sa.Connection") -> Any:
    """Return the psycopg or sqlite3 connection below, for COPY, the backup API and bulk work."""
    return connection.connection.driver_connection
