"""What a database holds that a copy does not move, found in the database's own catalogue."""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from chatdb.db.catalogue import expected_catalogue
from chatdb.db.database import Database
from chatdb.operations.copies_lines import COPIED, TableCounts, belongs
from chatdb.operations.imports_report import SkippedItem


def columns_left_out(source: Database) -> list[SkippedItem]:
    """Name the tables and columns in the source's catalogue that are not chatdb's.

    A table is named and not counted: it may be large, and not for this user to read.
    """
    own: dict[str, set[str]] = {}
    for entry in expected_catalogue(source.dialect.name):
        if entry.kind in ("table", "column"):
            own.setdefault(entry.table, set()).add(entry.name)
    copied = {table.name for table in COPIED.values()}
    found: list[SkippedItem] = []
    with source.transaction() as connection:
        stored = source.dialect.migration_ways().stored_columns(connection)
        for table, columns in sorted(stored.items()):
            name = table if table in own else table.lower()  # SQLite's are the same in any case
            if name not in own:
                found.append(SkippedItem(place=f"table {table}", reason="it is not chatdb's"))
            elif name in copied:
                added = [column for column in columns if column.lower() not in own[name]]
                found += _added(connection, table, added)
    return found


def rows_left_out(source: Database) -> tuple[list[SkippedItem], TableCounts]:
    """Name and count the rows that belong to nothing: another program left them behind."""
    counts: dict[str, int] = {}
    with source.transaction() as connection:
        for word, table in COPIED.items():
            statement = sa.select(sa.func.count()).select_from(table).where(~belongs(table))
            counts[word] = connection.scalar(statement) or 0
    found = [
        SkippedItem(
            place=f"table {COPIED[word].name}",
            reason=f"rows whose organization or conversation is not there: {count}",
        )
        for word, count in counts.items()
        if count
    ]
    return found, TableCounts(**counts)


def _added(connection: sa.Connection, table: str, columns: Sequence[str]) -> Iterator[SkippedItem]:
    for column in columns:
        field: sa.ColumnClause[Any] = sa.column(sa.sql.quoted_name(column, quote=True))
        place = sa.table(sa.sql.quoted_name(table, quote=True), field)
        statement = sa.select(sa.func.count(field)).select_from(place)
        yield SkippedItem(
            place=f"column {table}.{column}",
            reason=f"it is not chatdb's; rows with a value in it: {connection.scalar(statement)}",
        )
