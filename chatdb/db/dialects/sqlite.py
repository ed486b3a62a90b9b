"""SQLite: one file, one writer, every BEGIN our own."""

import sqlite3
from collections.abc import Sequence
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import NullPool

from chatdb.db.connect import connect_sqlite
from chatdb.db.dialects.base import Dialect
from chatdb.db.url import DatabaseUrl, DialectName
from chatdb.errors import (
    ChatdbError,
    DatabaseFailedError,
    DatabaseLockedError,
    DatabaseUnreachableError,
    StorageError,
)

_BEGIN = "chatdb_begin"


class SqliteDialect(Dialect):
    """SQLite 3.38 or newer with FTS5 and JSON, as Python ships it."""

    name: ClassVar[DialectName] = "sqlite"
    driver_error: ClassVar[type[Exception]] = sqlite3.Error

    def create_engine(self, url: DatabaseUrl, *, create: bool, migrating: bool) -> sa.Engine:
        engine = sa.create_engine(
            "sqlite+pysqlite://",
            creator=lambda: connect_sqlite(url, create=create, foreign_keys=not migrating),
            poolclass=NullPool,
        )

        @event.listens_for(engine, "begin")
        def emit_begin(connection: sa.Connection) -> None:
            statement = connection.get_execution_options().get(_BEGIN, "BEGIN")
            connection.exec_driver_sql(statement)

        return engine

    def begin(
        self,
        connection: sa.Connection,
        *,
        write: bool,
        snapshot: bool,  # noqa: ARG002 - every transaction of SQLite sees one state
        settings: dict[str, str],  # noqa: ARG002 - SQLite has none
    ) -> None:
        connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE" if write else "BEGIN"})
        connection.begin()

    def translate(self, error: BaseException, url: DatabaseUrl) -> ChatdbError | None:
        if not isinstance(error, sqlite3.Error):
            return None
        name = str(getattr(error, "sqlite_errorname", ""))
        path = url.sqlite_path
        if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
            return DatabaseLockedError(
                f"{path} is locked by another program",
                hint="wait until it is done, or stop it, and run the command again",
            )
        if name.startswith("SQLITE_FULL"):
            return StorageError(f"the disk is full: {path} could not grow", hint="free some space")
        if name.startswith("SQLITE_READONLY"):
            return StorageError(f"{path} is read-only", hint="check the rights of file and folder")
        if name.startswith(("SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
            return DatabaseUnreachableError(
                f"{path} cannot be opened", hint="check the path and the rights of the folder"
            )
        if name.startswith("SQLITE_NOTADB"):
            return DatabaseUnreachableError(
                f"{path} is not a SQLite database", hint="check the path: chatdb config show"
            )
        if name.startswith("SQLITE_CORRUPT"):
            return DatabaseFailedError(
                f"{path} is damaged: {error}", hint="restore it from a backup"
            )
        if name.startswith("SQLITE_IOERR"):
            return StorageError(f"reading or writing {path} failed: {error}")
        return None

    def server_version(self, connection: sa.Connection) -> str:
        return str(connection.exec_driver_sql("SELECT sqlite_version()").scalar_one())

    def existing_tables(self, connection: sa.Connection) -> Sequence[str]:
        rows = connection.exec_driver_sql(
            "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
            " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        )
        return [row[0] for row in rows]
