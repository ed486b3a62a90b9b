"""Finds what a copy does not move, in the database's own catalogue."""

from typing import Any

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.operations.copying.lines import COPIED, TableCounts, belongs
from chatdb.operations.importing.public import SkippedItem
from chatdb.store.added_columns import added


def columns_left_out(source: Database) -> list[SkippedItem]:
    """List tables and columns in the source's catalogue that are not chatdb's.

    A table is listed but not counted: it may be large, or not readable for this user.
    """
    found: list[SkippedItem] = []
    for each in added(source):
        reason = "it is not chatdb's"
        if each.column is not None:
            reason += f"; rows with a value in it: {_values(source, each.table, each.column)}"
        found.append(SkippedItem(place=each.place, reason=reason))
    return found


def rows_left_out(source: Database) -> tuple[list[SkippedItem], TableCounts]:
    """List and count rows without a parent: another program left them behind."""
    counts: dict[str, int] = {}
    with source.transaction() as connection:
        for word, table in COPIED.items():
            statement = sa.select(sa.func.count()).select_from(table).where(~belongs(table))
            counts[word] = connection.scalar(statement) or 0
    found = [
        SkippedItem(
            place=f"table {COPIED[word].name}",
            reason=f"rows whose organization or conversation does not exist: {count}",
        )
        for word, count in counts.items()
        if count
    ]
    return found, TableCounts(**counts)


def _values(source: Database, table: str, column: str) -> int:
    field: sa.ColumnClause[Any] = sa.column(sa.sql.quoted_name(column, quote=True))
    place = sa.table(sa.sql.quoted_name(table, quote=True), field)
    with source.transaction() as connection:
        return connection.scalar(sa.select(sa.func.count(field)).select_from(place)) or 0
