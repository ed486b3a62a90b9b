"""PostgreSQL 15 to 18, also through a pooler in transaction mode."""

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import psycopg
import sqlalchemy as sa
from psycopg import sql
from psycopg.types.json import set_json_dumps, set_json_loads
from sqlalchemy.pool import NullPool, QueuePool

from chatdb import canonical
from chatdb.db.connect import connect_postgresql
from chatdb.db.dialects.base import Dialect
from chatdb.db.dialects.migration_base import MigrationWays
from chatdb.db.unreachable import diagnose
from chatdb.db.url import DatabaseUrl, DialectName
from chatdb.errors import (
    ChatdbError,
    DatabaseFailedError,
    DatabaseLockedError,
    DatabaseUnreachableError,
    StorageError,
)

if TYPE_CHECKING:
    from chatdb.db.dialects.bulk import Bulk
    from chatdb.db.dialects.message_text import Chunk, Selection
    from chatdb.db.dialects.search import MessageSearch
    from chatdb.db.dialects.search_index import SearchIndex
    from chatdb.db.dialects.statistics import Statistics

_LOST = ("08", "57P")
_LOGIN = "28"


class PostgresqlDialect(Dialect):
    """PostgreSQL through psycopg 3; every setting lives in its transaction."""

    name: ClassVar[DialectName] = "postgresql"
    driver_error: ClassVar[type[Exception]] = psycopg.Error

    def create_engine(
        self,
        url: DatabaseUrl,
        *,
        create: bool = False,  # noqa: ARG002 - a database on a server is not made by connecting
        foreign_keys: bool = True,  # noqa: ARG002 - they are always checked
        keep: bool = False,
    ) -> sa.Engine:
        return sa.create_engine(
            "postgresql+psycopg://",
            creator=lambda: _connect(url),
            poolclass=QueuePool if keep else NullPool,
            use_native_hstore=False,
        )

    def begin(
        self, connection: sa.Connection, *, write: bool, snapshot: bool, settings: dict[str, str]
    ) -> None:
        connection.begin()
        statements: list[sql.Composable] = []
        if snapshot:
            statements.append(sql.SQL("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        if not write:
            statements.append(sql.SQL("SET TRANSACTION READ ONLY"))
        statements += [
            sql.SQL("SET LOCAL {} = {}").format(
                sql.SQL(".").join(map(sql.Identifier, name.split("."))), sql.Literal(value)
            )
            if name != "search_path"
            else sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(value))
            for name, value in settings.items()
        ]
        if statements:
            text = sql.SQL("; ").join(statements).as_string(None)
            connection.exec_driver_sql(text.replace("%", "%%"))  # else the driver's placeholders

    def translate(self, error: BaseException, url: DatabaseUrl) -> ChatdbError | None:
        if not isinstance(error, psycopg.Error):
            return None
        state = error.sqlstate or ""
        if isinstance(error, psycopg.OperationalError) and (
            not state or state.startswith((*_LOST, _LOGIN)) or state == "3D000"
        ):
            found = diagnose(error.diag.message_primary or str(error), url)
            return DatabaseUnreachableError(
                f"no connection to {url.redacted()}: {found.text}", hint=found.hint
            )
        if state == "55P03":
            return DatabaseLockedError(
                "another session holds a lock on a table of chatdb",
                hint="run the command again, or wait longer with --lock-timeout",
            )
        if state == "53100":
            return StorageError("the database server's disk is full", hint="free some space")
        if state == "42501":
            return DatabaseFailedError(
                f"the database refuses this user: {_first_line(error)}",
                hint="use a user with the right to do it: --database-url",
            )
        if state.startswith(("25006", "40", "53", "54", "57", "58", "XX")):
            return DatabaseFailedError(f"the database gave up: {_first_line(error)}")
        return None

    def server_version(self, connection: sa.Connection) -> str:
        return str(connection.exec_driver_sql("SHOW server_version").scalar_one()).split()[0]

    def existing_tables(self, connection: sa.Connection) -> Sequence[str]:
        rows = connection.exec_driver_sql(
            "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE n.nspname = current_schema() AND relkind IN ('r', 'v', 'p', 'm', 'f')"
            " ORDER BY relname"
        )
        return [row[0] for row in rows]

    def is_bound(self, connection: sa.Connection) -> bool:
        from chatdb.db.dialects.postgresql_bound_search import is_bound

        return is_bound(connection)

    def migration_ways(self) -> MigrationWays:
        from chatdb.db.dialects.postgresql_migration import PostgresqlMigrationWays

        return PostgresqlMigrationWays()

    def read_messages(
        self, connection: sa.Connection, organization_id: UUID, selection: "Selection"
    ) -> "Generator[Chunk, None, None]":
        from chatdb.db.dialects.postgresql_export import read_messages

        return read_messages(connection, organization_id, selection)

    def bulk(self) -> "Bulk":
        from chatdb.db.dialects.postgresql_bulk import PostgresqlBulk

        return PostgresqlBulk()

    def search(self) -> "MessageSearch":
        from chatdb.db.dialects.postgresql_search import PostgresqlSearch

        return PostgresqlSearch()

    def statistics(self) -> "Statistics":
        from chatdb.db.dialects.postgresql_statistics import PostgresqlStatistics

        return PostgresqlStatistics()

    def search_index(self) -> "SearchIndex":
        from chatdb.db.dialects.postgresql_search_index import PostgresqlSearchIndex

        return PostgresqlSearchIndex()


def _connect(url: DatabaseUrl) -> "psycopg.Connection[Any]":
    """Connect with JSON in its canonical form: a creator bypasses what the engine sets for it."""
    connection = connect_postgresql(url)
    set_json_dumps(canonical.encode_text, connection)
    set_json_loads(canonical.decode, connection)
    return connection


def _first_line(error: psycopg.Error) -> str:
    return (error.diag.message_primary or str(error)).strip().partition("\n")[0]
