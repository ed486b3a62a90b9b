"""Runs statements as another program would: with the bare driver, over a separate connection."""

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from chatdb.db.connect import connect_postgresql, connect_sqlite
from chatdb.db.migrating.revision import translated
from chatdb.db.url import DatabaseUrl


def execute_as_another_program(
    url: DatabaseUrl, statement: str, values: Sequence[Any] = (), *, schema: str | None = None
) -> list[tuple[Any, ...]]:
    """Run a statement with `?` for its values, commit, and return its rows.

    Values are texts and numbers in the form in which the database stores them. Raises the errors of
    `chatdb.errors` if a user can act, otherwise the driver's.
    """
    with translated(url):
        if url.path is not None:
            return _on_sqlite(url, statement, values)
        return _on_postgresql(url, statement, values, schema)


def _on_sqlite(url: DatabaseUrl, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with closing(connect_sqlite(url)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        rows = connection.execute(statement, values).fetchall()
        connection.execute("COMMIT")
    return rows


def _on_postgresql(
    url: DatabaseUrl, statement: str, values: Sequence[Any], schema: str | None
) -> list[tuple[Any, ...]]:
    from psycopg import sql

    with closing(connect_postgresql(url)) as connection:
        if schema is not None:
            path = sql.SQL("SET LOCAL search_path = {}").format(sql.Identifier(schema))
            connection.execute(path)
        cursor = connection.execute(statement.replace("?", "%s").encode(), values)
        rows = cursor.fetchall() if cursor.description is not None else []
        connection.commit()
    return rows
