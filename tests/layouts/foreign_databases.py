"""Databases of other systems, made for a test by our own SQL."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl


def make_postgresql(url: DatabaseUrl, *statements: str) -> DatabaseUrl:
    """Run the statements in an empty PostgreSQL database."""
    with connect_postgresql(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
    return url


def make_sqlite(path: Path, *statements: str) -> DatabaseUrl:
    """Run the statements in a new SQLite file."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(";\n".join(statements))
    return DatabaseUrl(dialect_name="sqlite", path=path)


def values(rows: Sequence[Sequence[object]]) -> str:
    """Write rows for an INSERT."""
    return ", ".join("(" + ", ".join(map(_literal, row)) + ")" for row in rows)


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    return "'" + str(value).replace("'", "''") + "'"
