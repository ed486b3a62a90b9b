"""Application objects on chatdb's tables in a SQLite file, which SQLite drops silently."""

import sqlalchemy as sa

from chatdb.db.contract.migration import Witness
from chatdb.errors import DatabaseFailedError

_REFERENCES = """
SELECT DISTINCT m.name, lower(f."table") FROM sqlite_master m
JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'
"""


def readable_views(connection: sa.Connection) -> frozenset[str]:
    """Return the views whose tables and columns all exist."""
    names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'view'")
    return frozenset(name for (name,) in names.fetchall() if _can_be_read(connection, name))


def references(connection: sa.Connection) -> frozenset[tuple[str, str]]:
    """Return each table with the existing tables that its foreign keys refer to."""
    tables = _tables(connection)
    rows = connection.exec_driver_sql(_REFERENCES).fetchall()
    return frozenset((name, parent) for name, parent in rows if parent in tables)


def check(connection: sa.Connection, before: Witness) -> None:
    """Raise DatabaseFailedError for views and foreign keys whose tables a revision dropped."""
    names = connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'view'")
    views = sorted({name for (name,) in names} & before.readable - readable_views(connection))
    tables = _tables(connection)
    bereft = sorted(
        (name, parent)
        for name, parent in before.referred
        if name.lower() in tables and parent not in tables
    )
    if not (views or bereft):
        return
    found = [f"the view {name}" for name in views]
    found += [f"a foreign key of the table {name} to {parent}" for name, parent in bereft]
    drops = [f"DROP VIEW {_quoted(name)}" for name in views]
    drops += [f"DROP TABLE {_quoted(name)}" for name, _ in bereft]
    raise DatabaseFailedError(
        f"other objects depend on what it drops: {'; '.join(found)}",
        hint="drop them, run it again, and create them again afterwards (a table without the "
        "foreign key): " + "; ".join(drops),
    )


def _can_be_read(connection: sa.Connection, view: str) -> bool:
    try:
        # SQLite checks a view's tables and columns only when it is read.
        connection.exec_driver_sql(f"SELECT * FROM {_quoted(view)} LIMIT 0").close()
    except sa.exc.OperationalError:
        return False
    return True


def _tables(connection: sa.Connection) -> frozenset[str]:
    rows = connection.exec_driver_sql("SELECT lower(name) FROM sqlite_master WHERE type = 'table'")
    return frozenset(name for (name,) in rows)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
