"""Database: the one handle that operations receive."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.dialect import Dialect
from chatdb.db.url import DatabaseUrl
from chatdb.primitives.canonical import clean_text
from chatdb.primitives.interruption import interruption_behind


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whose rows a role under row-level security may see: an organization's, or one user's.

    The owner of the tables sees everything anyway; SQLite has no roles.
    """

    organization_id: UUID
    user_id: str | None = None

    def settings(self) -> dict[str, str]:
        """Return the settings that the policies read."""
        found = {"app.organization_id": str(self.organization_id)}
        if self.user_id is not None:
            found["app.user_id"] = clean_text(self.user_id)[0]
        return found


@dataclass(frozen=True, slots=True)
class Database:
    """A database to work on: its URL, its dialect, and transactions on it.

    No connection is kept: each transaction opens and closes one, except while `loading`. `schema`
    is chatdb's PostgreSQL schema (None: the server's default), `tenant` whose rows each transaction
    is for.
    """

    url: DatabaseUrl
    dialect: Dialect
    engine: sa.Engine
    schema: str | None = None
    direct_url: DatabaseUrl | None = None
    tenant: Tenant | None = None

    @classmethod
    def open(
        cls,
        url: DatabaseUrl,
        *,
        schema: str | None = None,
        direct_url: DatabaseUrl | None = None,
        create: bool = False,
        keep: bool = False,
        tenant: Tenant | None = None,
    ) -> Self:
        """Return a handle without connecting. `create` lets SQLite create a new file.

        `keep` keeps connections open between transactions, for many short ones.
        """
        dialect = dialect_of(url)
        engine = dialect.create_engine(url, create=create, keep=keep)
        return cls(
            url=url,
            dialect=dialect,
            engine=engine,
            schema=schema,
            direct_url=direct_url,
            tenant=tenant,
        )

    def for_tenant(self, organization_id: UUID, user_id: str | None = None) -> "Database":
        """Return this handle for the rows of another organization, or of one user in it."""
        return replace(self, tenant=Tenant(organization_id, user_id))

    def direct(self) -> "Database":
        """Return the handle for work that a pooler cannot handle (migrations, dumps)."""
        if self.direct_url is None:
            return self
        return Database.open(self.direct_url, schema=self.schema, tenant=self.tenant)

    def close(self) -> None:
        """Discard the engine."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(
        self,
        *,
        write: bool = False,
        snapshot: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> Iterator[sa.Connection]:
        """Open a connection with a transaction on it; commit at the end, roll back on any error.

        Without `write` nothing can be changed on PostgreSQL. `settings` are applied by SET LOCAL.
        Raises the errors of `chatdb.errors` for driver errors that a user can act on.
        """
        own = {} if self.tenant is None else self.tenant.settings()
        settings = own | dict(settings or {})
        with self.translated_errors(), self.engine.connect() as connection:
            yield from self._within(connection, write=write, snapshot=snapshot, settings=settings)

    @contextmanager
    def snapshot(self, *, settings: Mapping[str, str] | None = None) -> Iterator["Database"]:
        """Open a handle on one state of the database: all its transactions are one, read-only.

        The results of several operations through it are consistent, whatever others write
        meanwhile.
        """
        with self.transaction(snapshot=True, settings=settings) as connection:
            yield _Snapshot(
                url=self.url,
                dialect=self.dialect,
                engine=self.engine,
                schema=self.schema,
                direct_url=self.direct_url,
                tenant=self.tenant,
                connection=connection,
            )

    @contextmanager
    def loading(self) -> Iterator["Database"]:
        """Open a handle for a bulk load, which keeps one connection for all its transactions.

        Its cache stays warm, and SQLite does not checkpoint after each batch. SQLite checks no
        foreign keys on it: the load knows that the rows it refers to exist.
        """
        engine = self.dialect.create_engine(self.url, foreign_keys=False, keep=True)
        with replace(self, engine=engine) as loading:
            yield loading

    @contextmanager
    def migration_transaction(
        self, *, settings: Mapping[str, str] | None = None
    ) -> Iterator[sa.Connection]:
        """Open a writing transaction for DDL: on SQLite with foreign keys off.

        The caller checks the foreign keys before the transaction commits.
        """
        # With foreign keys on, a rebuild of `conversations` deletes
        # every message by cascade, silently.
        engine = self.dialect.create_engine(self.url, create=True, foreign_keys=False)
        with self.translated_errors(), engine.connect() as connection:
            yield from self._within(connection, write=True, snapshot=False, settings=settings)

    def _within(
        self,
        connection: sa.Connection,
        *,
        write: bool,
        snapshot: bool,
        settings: Mapping[str, str] | None,
    ) -> Iterator[sa.Connection]:
        everything = dict(settings or {})
        if self.schema:
            everything["search_path"] = self.schema
        self.dialect.begin(connection, write=write, snapshot=snapshot, settings=everything)
        try:
            yield connection
        # An interruption must not commit half of an operation.
        except BaseException:
            _roll_back(connection)
            raise
        connection.commit()

    @contextmanager
    def translated_errors(self) -> Iterator[None]:
        """Turn a driver's error into one that a user can act on; others pass unchanged.

        An error that came of an interruption gives way to it: it would be taken for a lost
        connection, and the work done again.
        """
        try:
            yield
        except (sa.exc.DBAPIError, self.dialect.driver_error) as error:
            interruption = interruption_behind(error)
            # Cleaning up after an interruption fails too where the connection is closed by then.
            if interruption is not None:
                raise interruption from None
            cause = getattr(error, "orig", None) or error
            translated = self.dialect.translate(cause, self.url)
            if translated is None:
                raise
            raise translated from error


@dataclass(frozen=True, slots=True)
class _Snapshot(Database):
    """A database as one transaction sees it, which the handle's opener ends."""

    connection: sa.Connection | None = None

    @contextmanager
    def transaction(
        self,
        *,
        write: bool = False,
        snapshot: bool = False,  # noqa: ARG002 - it is one
        settings: Mapping[str, str] | None = None,  # noqa: ARG002 - made when it was opened
    ) -> Iterator[sa.Connection]:
        """Return the one transaction."""
        if write or self.connection is None:
            raise TypeError("a snapshot is read-only")
        with self.translated_errors():
            yield self.connection


def dialect_of(url: DatabaseUrl) -> Dialect:
    """Return the dialect of a URL, importing only its driver."""
    if url.dialect_name == "sqlite":
        from chatdb.db.sqlite.dialect import SqliteDialect

        return SqliteDialect()
    from chatdb.db.postgresql.dialect import PostgresqlDialect

    return PostgresqlDialect()


def _roll_back(connection: sa.Connection) -> None:
    """Roll back; a lost connection has nothing to roll back, and its error is being raised."""
    try:
        connection.rollback()
    except sa.exc.DBAPIError:
        # The driver's own rollback failed, so the connection must not go back to a pool.
        connection.invalidate()
