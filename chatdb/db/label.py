"""The label of a database (development, staging, production), read by the bare driver."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from chatdb.db.connect import connect_postgresql, connect_sqlite
from chatdb.db.migrating.revision import translated
from chatdb.db.postgresql.unreachable import Reason, diagnose
from chatdb.db.url import DatabaseUrl

if TYPE_CHECKING:
    import psycopg

KEY = "environment"
"""The label's key in `chatdb_settings`."""
PRODUCTION = "production"
ENVIRONMENTS = ("development", "staging", PRODUCTION)

_TABLE = "chatdb_settings"
_SCHEMAS = f"""
SELECT nspname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE relname = '{_TABLE}' AND relkind IN ('r', 'p') ORDER BY nspname
"""


@dataclass(frozen=True, slots=True)
class Label:
    """A database's name and its label, None if it has none."""

    name: str
    environment: str | None


def look_at_label(url: DatabaseUrl, *, schema: str | None = None, whole: bool = False) -> Label:
    """Return the label; a database that does not exist, or is not chatdb's, has none.

    `whole` is for work on a whole database: production in any of its schemas counts. Raises the
    errors of `chatdb.errors` for a database that cannot be reached or read.
    """
    with translated(url):
        if url.path is not None:
            return Label(url.path.name, _word(_file_values(url)))
        try:
            opened = connect_postgresql(url, autocommit=True)
        # A database about to be created has no label; every other failure must stop the command.
        except Exception as error:
            if url.database and diagnose(str(error), url).reason is Reason.NO_DATABASE:
                return Label(url.database, None)
            raise
        with opened as connection:
            row = connection.execute("SELECT current_database()").fetchone()
            schemas: list[str | None] = [*_schemas(connection)] if whole else [schema]
            values = [value for each in schemas for value in _values(connection, each)]
    return Label(str(row[0]) if row else url.database, _word(values))


def labels_by_schema(url: DatabaseUrl) -> dict[str, str]:
    """Return the labels of the schemas of a PostgreSQL database."""
    with translated(url), connect_postgresql(url, autocommit=True) as connection:
        found = {name: _values(connection, name) for name in _schemas(connection)}
    return {name: values[0] for name, values in found.items() if values}


def put_labels(url: DatabaseUrl, labels: dict[str, str]) -> None:
    """Set these labels in the schemas of another PostgreSQL database, as far as they exist."""
    from psycopg import sql

    with translated(url), connect_postgresql(url) as connection:
        there = _schemas(connection)
        for name in labels.keys() & set(there):
            statement = sql.SQL(
                "INSERT INTO {} (key, value) VALUES (%s, %s)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value"
            ).format(sql.Identifier(name, _TABLE))
            connection.execute(statement, (KEY, labels[name]))


def _word(values: list[str]) -> str | None:
    """Return the strictest of the labels found."""
    words = [value.strip().lower() for value in values]
    # Work on a whole database destroys every schema's rows, so one production among them counts.
    return PRODUCTION if PRODUCTION in words else next(iter(words), None)


def _file_values(url: DatabaseUrl) -> list[str]:
    if not url.sqlite_path.exists():
        return []
    with closing(connect_sqlite(url)) as connection:
        try:
            rows = connection.execute(f"SELECT value FROM {_TABLE} WHERE key = ?", (KEY,))
            return [str(value) for (value,) in rows]
        except sqlite3.OperationalError as error:
            if "no such" not in str(error):
                raise
            return []


def _schemas(connection: "psycopg.Connection[Any]") -> list[str]:
    return [name for (name,) in connection.execute(_SCHEMAS)]


def _values(connection: "psycopg.Connection[Any]", schema: str | None) -> list[str]:
    from psycopg import errors, sql

    table = sql.Identifier(*([schema] if schema else []), _TABLE)
    query = sql.SQL("SELECT value FROM {} WHERE key = %s").format(table)
    try:
        return [str(value) for (value,) in connection.execute(query, (KEY,))]
    # Asking is one message; a look into the catalogue before would be two.
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName):
        return []
