"""PostgreSQL 15 to 18, also through a pooler in transaction mode."""

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

import psycopg
import sqlalchemy as sa
from psycopg.types.json import set_json_dumps, set_json_loads
from sqlalchemy.pool import NullPool, QueuePool

from chatdb.db.connect import connect_postgresql
from chatdb.db.contract.dialect import Dialect
from chatdb.db.contract.migration import MigrationWays
from chatdb.db.url import DatabaseUrl, DialectName
from chatdb.errors import ChatdbError
from chatdb.primitives import canonical

if TYPE_CHECKING:
    from chatdb.db.contract.bulk import Bulk
    from chatdb.db.contract.message_text import Chunk, Records, Rows, Selection
    from chatdb.db.contract.search import MessageSearch
    from chatdb.db.contract.search_index import SearchIndex
    from chatdb.db.contract.statistics import Statistics
    from chatdb.db.contract.vectors import VectorStore


class PostgresqlDialect(Dialect):
    """PostgreSQL through psycopg 3; every setting belongs to its transaction."""

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
            pool_reset_on_return=None,  # A transaction has ended by then, or its connection.
            # SQLAlchemy would ask each new connection for the type: one more message.
            use_native_hstore=False,
        )

    def begin(
        self, connection: sa.Connection, *, write: bool, snapshot: bool, settings: dict[str, str]
    ) -> None:
        connection.begin()
        driver: Any = connection.connection.driver_connection
        try:
            driver.begin(write=write, snapshot=snapshot, settings=settings)
        except BaseException as error:
            if driver.closed:  # Otherwise a kept connection would be handed out again.
                connection.invalidate(error)
            raise

    def translate(self, error: BaseException, url: DatabaseUrl) -> ChatdbError | None:
        if not isinstance(error, psycopg.Error):
            return None
        from chatdb.db.postgresql.driver_errors import translate

        return translate(error, url)

    def server_version(self, connection: sa.Connection) -> str:
        # Debian adds its own words behind the number.
        return str(connection.exec_driver_sql("SHOW server_version").scalar_one()).split()[0]

    def existing_tables(self, connection: sa.Connection) -> Sequence[str]:
        rows = connection.exec_driver_sql(
            "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE n.nspname = current_schema() AND relkind IN ('r', 'v', 'p', 'm', 'f')"
            " ORDER BY relname"
        )
        return [row[0] for row in rows]

    def is_bound(self, connection: sa.Connection) -> bool:
        from chatdb.db.postgresql.bound_search import is_bound

        return is_bound(connection)

    def is_bound_to_user(self, connection: sa.Connection) -> bool:
        user = "SELECT current_setting('app.user_id', true)"
        return self.is_bound(connection) and bool(connection.exec_driver_sql(user).scalar())

    def migration_ways(self) -> MigrationWays:
        from chatdb.db.postgresql.migration import PostgresqlMigrationWays

        return PostgresqlMigrationWays()

    def read_messages(
        self, connection: sa.Connection, organization_id: UUID, selection: "Selection"
    ) -> "Generator[Chunk, None, None]":
        from chatdb.db.postgresql.export import read_messages

        return read_messages(connection, organization_id, selection)

    def read_records(
        self, connection: sa.Connection, organization_id: UUID, selection: "Selection"
    ) -> "Generator[Records, None, None]":
        from chatdb.db.postgresql.export import read_records

        return read_records(connection, organization_id, selection)

    def read_rows(
        self, connection: sa.Connection, organization_id: UUID, selection: "Selection"
    ) -> "Generator[Rows, None, None]":
        from chatdb.db.postgresql.export_rows import read_rows

        return read_rows(connection, organization_id, selection)

    def bulk(self) -> "Bulk":
        from chatdb.db.postgresql.bulk import PostgresqlBulk

        return PostgresqlBulk()

    def search(self) -> "MessageSearch":
        from chatdb.db.postgresql.search import PostgresqlSearch

        return PostgresqlSearch()

    def statistics(self) -> "Statistics":
        from chatdb.db.postgresql.statistics import PostgresqlStatistics

        return PostgresqlStatistics()

    def search_index(self) -> "SearchIndex":
        from chatdb.db.postgresql.search_index import PostgresqlSearchIndex

        return PostgresqlSearchIndex()

    def vectors(self) -> "VectorStore":
        from chatdb.db.postgresql.vectors import PostgresqlVectors

        return PostgresqlVectors()


def _connect(url: DatabaseUrl) -> "psycopg.Connection[Any]":
    """Connect with canonical JSON: a creator bypasses what the engine sets for it.

    In autocommit, so that BEGIN and the settings of a transaction go in one message.
    """
    connection = connect_postgresql(url, autocommit=True, settled=False)
    set_json_dumps(canonical.encode_text, connection)
    set_json_loads(canonical.decode, connection)
    return connection
