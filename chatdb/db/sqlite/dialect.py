"""SQLite: one file, one writer, every BEGIN is chatdb's own."""

import re
import shutil
import sqlite3
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool, QueuePool

from chatdb.db.connect import connect_sqlite
from chatdb.db.contract.dialect import Dialect
from chatdb.db.contract.migration import MigrationWays
from chatdb.db.sqlite.damage import is_damaged
from chatdb.db.sqlite.patient_file import NO_LOCKS_HINT, NO_LOCKS_TEXT, knows_locks
from chatdb.db.url import DatabaseUrl, DialectName
from chatdb.errors import (
    ChatdbError,
    DatabaseFailedError,
    DatabaseLockedError,
    DatabaseUnreachableError,
    StorageError,
)

if TYPE_CHECKING:
    from chatdb.db.contract.bulk import Bulk
    from chatdb.db.contract.message_text import Chunk, Records, Rows, Selection
    from chatdb.db.contract.search import MessageSearch
    from chatdb.db.contract.search_index import SearchIndex
    from chatdb.db.contract.statistics import Statistics
    from chatdb.db.contract.vectors import VectorStore

_WRITE = "chatdb_write"
_UNDECODABLE = re.compile(r"Could not decode to UTF-8 column '([^']*)'")
"""The text of Python's sqlite3, without an error code, for invalid text of another program."""
# SQLite grows the -shm file by as much at a time.
_SHARED_MEMORY_BYTES = 32 * 1024

_LOCKS = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_PROTOCOL")
_NO_LOCKS = "SQLITE_IOERR_LOCK"

_ERRORS: tuple[tuple[tuple[str, ...], type[ChatdbError], str, str], ...] = (
    (
        _LOCKS,
        DatabaseLockedError,
        "{path} is locked by another program",
        "wait until it finishes, or stop it, and run the command again",
    ),
    (
        ("SQLITE_FULL",),
        StorageError,
        "the disk is full: {path} could not grow",
        "free some space and run the command again",
    ),
    (
        ("SQLITE_READONLY",),
        StorageError,
        "{path} is read-only",
        "check the permissions of the file and of its folder",
    ),
    (
        ("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH"),
        DatabaseUnreachableError,
        "{path} cannot be opened",
        "check the path and the permissions of the folder",
    ),
    (
        ("SQLITE_NOTADB",),
        DatabaseUnreachableError,
        "{path} is not a SQLite database",
        "check the path: chatdb config show",
    ),
    (
        ("SQLITE_CORRUPT",),
        DatabaseFailedError,
        "{path} is damaged: {error}",
        "restore it from a backup",
    ),
    (
        # Network shares: the first operation that wants a
        # lock or shared memory fails with one of these.
        (_NO_LOCKS, "SQLITE_IOERR_SHM", "SQLITE_IOERR_RDLOCK", "SQLITE_IOERR_UNLOCK"),
        StorageError,
        NO_LOCKS_TEXT,
        NO_LOCKS_HINT,
    ),
    (
        ("SQLITE_IOERR",),
        StorageError,
        "reading or writing {path} failed: {error}",
        "check the disk",
    ),
)
"""By the name of SQLite's result code: the error and its hint."""


class SqliteDialect(Dialect):
    """SQLite 3.38 or newer with FTS5 and JSON, as Python ships it."""

    name: ClassVar[DialectName] = "sqlite"
    driver_error: ClassVar[type[Exception]] = sqlite3.Error

    def create_engine(
        self,
        url: DatabaseUrl,
        *,
        create: bool = False,
        foreign_keys: bool = True,
        keep: bool = False,
    ) -> sa.Engine:
        engine = sa.create_engine(
            "sqlite+pysqlite://",
            creator=lambda: connect_sqlite(url, create=create, foreign_keys=foreign_keys),
            # Kept for a load: the close of the last connection
            # checkpoints the log, after every batch.
            poolclass=QueuePool if keep else NullPool,
        )

        # Python's sqlite3 begins by itself only before INSERT,
        # UPDATE and DELETE: DDL would not be rolled back.
        @event.listens_for(engine, "begin")
        def emit_begin(connection: sa.Connection) -> None:
            driver: Any = connection.connection.driver_connection
            # A read that becomes a write fails at once when another
            # wrote since: writers take the lock at BEGIN.
            driver.begin(write=connection.get_execution_options().get(_WRITE, False))

        event.listen(engine, "do_execute", _execute)
        return engine

    def begin(
        self,
        connection: sa.Connection,
        *,
        write: bool,
        snapshot: bool,  # noqa: ARG002 - every transaction of SQLite sees one state
        settings: dict[str, str],  # noqa: ARG002 - SQLite has none
    ) -> None:
        connection.execution_options(**{_WRITE: write})
        connection.begin()

    def translate(self, error: BaseException, url: DatabaseUrl) -> ChatdbError | None:
        if not isinstance(error, sqlite3.Error):
            return None
        undecodable = _UNDECODABLE.match(str(error))
        if undecodable is not None:
            return DatabaseFailedError(
                f"{url.sqlite_path} contains text that is not UTF-8 in a column {undecodable[1]!r}",
                hint="find it with typeof() and hex() in sqlite3, and correct that row",
            )
        if is_damaged(error):
            from chatdb.db.contract.search_index import COMPLETE_HINT

            return DatabaseFailedError(
                f"the search index of {url.sqlite_path} is damaged: {error}", hint=COMPLETE_HINT
            )
        name = str(getattr(error, "sqlite_errorname", ""))
        if name.startswith("SQLITE_IOERR") and _is_full(url.sqlite_path.parent):
            name = "SQLITE_FULL"
        if name.startswith(_LOCKS) and not knows_locks(url.sqlite_path.parent):
            name = _NO_LOCKS
        for prefixes, kind, text, hint in _ERRORS:
            if name.startswith(prefixes):
                return kind(text.format(path=url.sqlite_path, error=error), hint=hint)
        return None

    def server_version(self, connection: sa.Connection) -> str:
        return str(connection.exec_driver_sql("SELECT sqlite_version()").scalar_one())

    def existing_tables(self, connection: sa.Connection) -> Sequence[str]:
        rows = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
            " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        )
        return [row[0] for row in rows]

    def is_bound(self, connection: sa.Connection) -> bool:  # noqa: ARG002 - there are no roles
        return False

    def is_bound_to_user(self, connection: sa.Connection) -> bool:  # noqa: ARG002 - as above
        return False

    def migration_ways(self) -> MigrationWays:
        from chatdb.db.sqlite.migration import SqliteMigrationWays

        return SqliteMigrationWays()

    def read_messages(
        self, connection: sa.Connection, organization_id: UUID, selection: "Selection"
    ) -> "Generator[Chunk, None, None]":
        from chatdb.db.sqlite.export import read_messages

        return read_messages(connection, organization_id, selection)

    def read_records(
        self, connection: sa.Connection, organization_id: UUID, selection: "Selection"
    ) -> "Generator[Records, None, None]":
        from chatdb.db.sqlite.export import read_records

        return read_records(connection, organization_id, selection)

    def read_rows(
        self, connection: sa.Connection, organization_id: UUID, selection: "Selection"
    ) -> "Generator[Rows, None, None]":
        from chatdb.db.sqlite.export import read_rows

        return read_rows(connection, organization_id, selection)

    def bulk(self) -> "Bulk":
        from chatdb.db.sqlite.bulk import SqliteBulk

        return SqliteBulk()

    def search(self) -> "MessageSearch":
        from chatdb.db.sqlite.search import SqliteSearch

        return SqliteSearch()

    def statistics(self) -> "Statistics":
        from chatdb.db.sqlite.statistics import SqliteStatistics

        return SqliteStatistics()

    def search_index(self) -> "SearchIndex":
        from chatdb.db.sqlite.search_index import SqliteSearchIndex

        return SqliteSearchIndex()

    def vectors(self) -> "VectorStore":
        from chatdb.db.sqlite.vectors import SqliteVectors

        return SqliteVectors()


def _is_full(folder: Path) -> bool:
    """Recognise a full disk that SQLite reports as a failed write of its shared memory."""
    try:
        return shutil.disk_usage(folder).free < _SHARED_MEMORY_BYTES
    except OSError:
        return False


def _execute(cursor: Any, statement: str, parameters: Any, _context: Any) -> bool:
    """Run a statement, once more if SQLite did not find a table, which is a bug of 3.40.

    If another connection has changed the schema since (a load drops triggers and creates them
    again) and a statement fires a trigger on the full-text index, SQLite does not find the table,
    and reads the schema again. Nothing was done then.
    """
    try:
        cursor.execute(statement, parameters)
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise
        cursor.execute(statement, parameters)
    return True
