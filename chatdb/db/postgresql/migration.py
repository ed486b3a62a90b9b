"""Migrates PostgreSQL: the polled lock, who holds it, sizes, and obstacles."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from psycopg import sql

from chatdb.db.contract.migration import (
    CatalogueEntry,
    LockFacts,
    MigrationWays,
    Note,
    StatementLock,
    TableSize,
    Witness,
)
from chatdb.db.lock_holders import (
    LockHolder,
    described,
    holders_of_advisory_lock,
    holders_of_tables,
    way_out,
)
from chatdb.db.migrating.alembic_scripts import offline_statements
from chatdb.db.migrating.scripts import Script
from chatdb.db.postgresql import catalogue as postgresql_catalogue
from chatdb.db.postgresql import locks as postgresql_locks
from chatdb.db.postgresql.place import require_place
from chatdb.db.postgresql.session_settings import READ_ONLY
from chatdb.db.schema import TABLE_NAMES
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseLockedError

LOCK_KEY = 0x63686174_64620001
"""The advisory lock of chatdb's migrations ("chatdb" in ASCII), one for each database."""

_POLL_SECONDS = 0.1
_SAY_AFTER_SECONDS = 1.0

_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND a.attnum > 0 AND NOT a.attisdropped
"""
_STORED_COLUMNS = """
SELECT c.relname, a.attname FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'f')
  AND a.attnum > 0 AND NOT a.attisdropped
  AND NOT EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                  AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname, a.attnum
"""
_PARENTS = """
SELECT DISTINCT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
WHERE contype = 'f' AND connamespace = current_schema()::regnamespace
"""
_TABLE_OF_INDEX = """
SELECT i.relname, t.relname FROM pg_index x
JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
WHERE i.relnamespace = current_schema()::regnamespace
"""
_SIZES = """
SELECT c.relname, c.reltuples::bigint, pg_total_relation_size(c.oid) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p') AND c.relname = ANY(%s)
"""

_CITUS = "SELECT 1 FROM pg_extension WHERE extname = 'citus'"
_TOUCH_OBJECTS = frozenset(
    {
        "chatdb_touch_conversations",
        "messages_touch_delete",
        "messages_touch_insert",
        "messages_touch_update",
    }
)


class PostgresqlMigrationWays(MigrationWays):
    """One transaction and one advisory lock per revision, which is safe behind a pooler too."""

    has_schemas: ClassVar[bool] = True

    def settings(self, lock_timeout: float) -> dict[str, str]:
        """A migration means to write, whatever the role's default for transactions is."""
        return {
            "lock_timeout": f"{max(1, round(lock_timeout * 1000))}ms",
            READ_ONLY: "off",
        }

    def wait_for_turn(self, url: DatabaseUrl, *, seconds: float, note: Note) -> None:
        """The lock is taken inside the transaction."""

    def take_lock(self, connection: sa.Connection, *, seconds: float, note: Note) -> None:
        """Poll: a blocking migration would deadlock with CREATE INDEX CONCURRENTLY.

        READ COMMITTED lets the statements after the lock see what its last holder committed.
        """
        started, said = time.monotonic(), False
        while not self._try_lock(connection):
            waited = time.monotonic() - started
            if waited >= seconds:
                holders = holders_of_advisory_lock(_driver(connection), LOCK_KEY)
                raise DatabaseLockedError(
                    f"another migration held its lock for {seconds:g} s: {described(holders)}",
                    hint=way_out(
                        holders,
                        "run chatdb migrate again when it has finished; to wait longer: "
                        "--lock-wait 600",
                    ),
                )
            if not said and waited >= _SAY_AFTER_SECONDS:
                holders = holders_of_advisory_lock(_driver(connection), LOCK_KEY)
                note(f"waiting for another migration: {described(holders)}")
                said = True
            time.sleep(_POLL_SECONDS)

    def require_place(
        self, connection: sa.Connection, url: DatabaseUrl, schema: str | None, *, writes: bool
    ) -> None:
        require_place(_driver(connection), url, schema, writes=writes)

    def make_schema(self, connection: sa.Connection, schema: str | None) -> None:
        if schema is not None and connection.scalar(_has_schema(schema)) is None:
            # Not IF NOT EXISTS: that wants the privilege even where the schema is there.
            create = sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema))
            connection.exec_driver_sql(create.as_string(None).replace("%", "%%"))

    def _try_lock(self, connection: sa.Connection) -> bool:
        # Of the transaction: behind PgBouncer two clients got the same session lock, and it stayed.
        return bool(connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(LOCK_KEY))))

    def is_pooled(self, connection: sa.Connection) -> bool:
        """A pooler answers the login with a process id that it invented."""
        driver = _driver(connection)
        return bool(driver.info.backend_pid != driver.backend_pid)

    def lock_holders(self, connection: sa.Connection) -> Sequence[LockHolder]:
        return holders_of_tables(_driver(connection), sorted(TABLE_NAMES))

    def witness(self, connection: sa.Connection) -> Witness:  # noqa: ARG002
        """PostgreSQL drops nothing that was not named."""
        return Witness({}, {}, frozenset())

    def verify(self, connection: sa.Connection, before: Witness, statements: Sequence[str]) -> None:
        """Nothing to check: constraints hold, and triggers follow their table."""

    def keep_copy(
        self,
        url: DatabaseUrl,  # noqa: ARG002
        *,
        revision: str,  # noqa: ARG002
        note: Note,  # noqa: ARG002
    ) -> Path | None:
        return None

    def table_columns(self, connection: sa.Connection) -> Mapping[str, Mapping[str, str]]:
        columns: dict[str, dict[str, str]] = defaultdict(dict)
        for table, column, kind in _all(connection, _COLUMNS, ()):
            columns[table][column] = kind
        return columns

    def stored_columns(self, connection: sa.Connection) -> Mapping[str, Sequence[str]]:
        columns: dict[str, list[str]] = defaultdict(list)
        for table, column in _all(connection, _STORED_COLUMNS, ()):
            columns[table].append(column)
        return columns

    def sizes(self, connection: sa.Connection, tables: Sequence[str]) -> Mapping[str, TableSize]:
        return {
            name: TableSize(_estimate(rows, size), size)
            for name, rows, size in _all(connection, _SIZES, (list(tables),))
        }

    def lock_facts(self, connection: sa.Connection) -> LockFacts:
        parents: dict[str, tuple[str, ...]] = defaultdict(tuple)
        for table, parent in _all(connection, _PARENTS, ()):
            parents[table] += (parent,)
        return LockFacts(dict(tuple(row) for row in _all(connection, _TABLE_OF_INDEX, ())), parents)

    def lock_of(self, statement: str, facts: LockFacts) -> StatementLock:
        return postgresql_locks.lock_of(statement, facts)

    def script_statements(
        self, script: Script, *, down: bool, directory: Path | None
    ) -> Sequence[str]:
        return offline_statements(script, "postgresql+psycopg", down=down, directory=directory)

    def catalogue(self, connection: sa.Connection) -> Sequence[CatalogueEntry]:
        return postgresql_catalogue.read(connection)

    def left_out(self, connection: sa.Connection) -> frozenset[str]:
        """Citus has no triggers on its tables: revision 0003 leaves them out there."""
        is_citus = connection.exec_driver_sql(_CITUS).one_or_none() is not None
        return _TOUCH_OBJECTS if is_citus else frozenset()

    def dump(self, connection: sa.Connection) -> Sequence[str]:
        return postgresql_catalogue.dump(connection)


def _estimate(rows: int, size: int) -> int | None:
    """A table that was never analysed has -1 rows to the planner."""
    if rows >= 0:
        return rows
    # Zero bytes are zero rows; otherwise no number is better than a wrong one.
    return 0 if size == 0 else None


def _has_schema(schema: str) -> sa.Select[Any]:
    namespaces = sa.table("pg_namespace", sa.column("nspname"))
    return sa.select(namespaces.c.nspname).where(namespaces.c.nspname == schema)


def _all(connection: sa.Connection, query: str, values: tuple[Any, ...]) -> Sequence[Any]:
    return connection.exec_driver_sql(query, values).fetchall()


def _driver(connection: sa.Connection) -> Any:
    return connection.connection.driver_connection
