"""What another program added to a database, found in the database's own catalogue.

Records, and whatever is made of them, hold chatdb's columns only: who moves them says what stays.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from chatdb.db.database import Database
from chatdb.db.migrating.catalogue import expected_catalogue
from chatdb.store.columns import TABLES


@dataclass(frozen=True, slots=True)
class Added:
    """A column of one of the tables of chats, or a whole table: then it has no `column`."""

    table: str
    column: str | None = None

    @property
    def place(self) -> str:
        """Return its name with what it is."""
        if self.column is None:
            return f"table {self.table}"
        return f"column {self.table}.{self.column}"


def added_columns(database: Database) -> list[Added]:
    """Return the columns of the tables of chats that are not chatdb's."""
    return [each for each in added(database) if each.column is not None]


def added(database: Database) -> Iterator[Added]:
    """Yield the tables, and the columns of the tables of chats, that are not chatdb's."""
    own: dict[str, set[str]] = {}
    for entry in expected_catalogue(database.dialect.name):
        if entry.kind in ("table", "column"):
            own.setdefault(entry.table, set()).add(entry.name)
    with database.transaction() as connection:
        stored = database.dialect.migration_ways().stored_columns(connection)
    for table, columns in sorted(stored.items()):
        name = table if table in own else table.lower()  # SQLite's are the same in any case
        if name not in own:
            yield Added(table)
        elif name in TABLES:
            yield from (Added(table, each) for each in columns if each.lower() not in own[name])
