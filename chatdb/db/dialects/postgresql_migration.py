"""Migrating PostgreSQL: the polled lock, who holds it, sizes, and what is in the way."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from psycopg import sql

from chatdb.db.alembic_scripts import offline_statements
from chatdb.db.dialects import postgresql_catalogue, postgresql_locks
from chatdb.db.dialects.migration_base import (
    CatalogueEntry,
    LockFacts,
    MigrationWays,
    Note,
    StatementLock,
    TableSize,
    Witness,
)
from chatdb.db.schema import TABLE_NAMES
from chatdb.db.scripts import VERSION_TABLE, Script
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ConfigurationError, DatabaseFailedError, DatabaseLockedError

LOCK_KEY = 0x63686174_64620001
"""The advisory lock of chatdb's migrators ("chatdb" in ASCII), one for each database."""

_POLL_SECONDS = 0.1
_SAY_AFTER_SECONDS = 1.0

_HOLDER = """
SELECT a.pid, a.application_name, extract(epoch FROM clock_timestamp() - a.xact_start), a.query
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::bigint << 32) | l.objid::bigint = %s
"""
_TABLE_HOLDERS = """
SELECT DISTINCT a.pid, a.application_name,
       extract(epoch FROM clock_timestamp() - a.xact_start), a.query
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE l.granted AND l.pid <> pg_backend_pid() AND n.nspname = current_schema()
  AND c.relname = ANY(%s)
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 3 DESC NULLS LAST LIMIT 3
"""
_COLUMNS = """
SELECT c.relname, a.attname FROM pg_attribute a
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
_VERSION_SCHEMA = f"""
SELECT n.nspname, current_schema() FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass('{VERSION_TABLE}')
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
    """One transaction and one advisory lock a revision, right behind a pooler too."""

    has_schemas: ClassVar[bool] = True

    def settings(self, lock_timeout: float) -> dict[str, str]:
        """Building an index takes its time, whatever timeouts the role has."""
        return {
            "lock_timeout": f"{max(1, round(lock_timeout * 1000))}ms",
            "statement_timeout": "0",
            "idle_in_transaction_session_timeout": "0",
        }

    def wait_for_turn(self, url: DatabaseUrl, *, seconds: float, note: Note) -> None:
        """The lock is taken inside the transaction."""

    def take_lock(
        self, connection: sa.Connection, *, schema: str | None, seconds: float, note: Note
    ) -> None:
        """Poll: a migrator that blocked would deadlock with CREATE INDEX CONCURRENTLY.

        READ COMMITTED lets the statements after the lock see what its last holder committed.
        """
        _make_writable(connection)
        started, said = time.monotonic(), False
        while not self._try_lock(connection):
            waited = time.monotonic() - started
            if waited >= seconds:
                raise DatabaseLockedError(
                    f"another migrator held its lock for {seconds:g} s:"
                    f" {_sessions(_all(connection, _HOLDER, (LOCK_KEY,)))}",
                    hint="run chatdb migrate again when it is done; --lock-wait 600 waits longer",
                )
            if not said and waited >= _SAY_AFTER_SECONDS:
                holder = _sessions(_all(connection, _HOLDER, (LOCK_KEY,)))
                note(f"waiting for another migrator: {holder}")
                said = True
            time.sleep(_POLL_SECONDS)
        if schema is None:
            _require_one_schema(connection)
        elif connection.scalar(_has_schema(schema)) is None:
            create = sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema))
            connection.exec_driver_sql(create.as_string(None).replace("%", "%%"))

    def _try_lock(self, connection: sa.Connection) -> bool:
        return bool(connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(LOCK_KEY))))

    def is_pooled(self, connection: sa.Connection) -> bool:
        """A pooler answers the start-up with a process id of its own making."""
        driver: Any = connection.connection.driver_connection
        backend_pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
        return bool(driver.info.backend_pid != backend_pid)

    def lock_holders(self, connection: sa.Connection) -> str:
        return _sessions(_all(connection, _TABLE_HOLDERS, (sorted(TABLE_NAMES),)))

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

    def table_columns(self, connection: sa.Connection) -> Mapping[str, frozenset[str]]:
        columns: dict[str, set[str]] = defaultdict(set)
        for table, column in _all(connection, _COLUMNS, ()):
            columns[table].add(column)
        return {table: frozenset(names) for table, names in columns.items()}

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
    return 0 if size == 0 else None


def _make_writable(connection: sa.Connection) -> None:
    try:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE")
    except sa.exc.NotSupportedError as error:
        raise DatabaseFailedError(
            "this server is a standby, which cannot be written",
            hint="name the primary, or all servers with ?target_session_attrs=read-write",
        ) from error


def _require_one_schema(connection: sa.Connection) -> None:
    """Refuse when the tables lie further down the search path than new ones would."""
    found = connection.exec_driver_sql(_VERSION_SCHEMA).one_or_none()
    if found is not None and found[0] != found[1]:
        raise ConfigurationError(
            f"chatdb's tables are in the schema {found[0]}, new ones would go to {found[1]}",
            hint=f"name the schema: --schema {found[0]}",
        )


def _has_schema(schema: str) -> sa.Select[Any]:
    namespaces = sa.table("pg_namespace", sa.column("nspname"))
    return sa.select(namespaces.c.nspname).where(namespaces.c.nspname == schema)


def _all(connection: sa.Connection, query: str, values: tuple[Any, ...]) -> Sequence[Any]:
    return connection.exec_driver_sql(query, values).fetchall()


def _sessions(rows: Sequence[Any]) -> str:
    """Write sessions for people: pid, application, age and query of each."""
    texts = []
    for pid, application, age, query in rows:
        text = f"pid {pid} ({application or 'no application name'})"
        if age is not None:
            text += f", for {float(age):.0f} s"
        if query:
            text += f", last query: {' '.join(query.split())[:120]}"
        texts.append(text)
    return "; ".join(texts) or "it has just gone"
