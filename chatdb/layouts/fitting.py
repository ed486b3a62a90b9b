"""Fits rows to existing tables: drops missing columns, fills required ones."""

from collections.abc import Iterable, Iterator

from chatdb.errors import RefusedError
from chatdb.layouts.tables import Catalogue, Table
from chatdb.layouts.writing import Value, Writing, WrittenRow


class Fitting:
    """Fits a writer's rows to a catalogue; every row fits tables that are still to be created.

    A system has as many generations as migrations, and its ORM may fill columns that the database
    requires, such as Prisma's `updatedAt`.
    """

    def __init__(self, catalogue: Catalogue | None, writing: Writing) -> None:
        self._catalogue = catalogue
        self._writing = writing

    def rows(self, rows: Iterable[WrittenRow]) -> Iterator[WrittenRow]:
        """Yield the rows as they can be written, counting what is left out.

        Raises RefusedError for a required column whose value is unknown.
        """
        if self._catalogue is None:
            yield from rows
            return
        for row in rows:
            table = self._catalogue.get(row.table)
            if table is None:
                if row.mode == "insert":
                    self._writing.lose(f"rows of {row.table} left out: there is no such table")
                continue
            values = self._known(row, table)
            if row.mode == "insert":
                _fill(values, table, self._writing.organization.key)
            yield WrittenRow(row.table, values, row.mode)

    def _known(self, row: WrittenRow, table: Table) -> dict[str, Value]:
        for name in row.values.keys() - table.columns.keys():
            if row.values[name] is not None and row.mode == "insert":
                self._writing.lose(f"{row.table}.{name} left out: there is no such column")
        return {name: value for name, value in row.values.items() if name in table.columns}


def _fill(values: dict[str, Value], table: Table, key: str) -> None:
    for name in sorted(table.required):
        if values.get(name) is not None:
            continue
        known = [
            str(value)
            for other, value in values.items()
            if value is not None and _is_time(table, other)
        ]
        if not (known and _is_time(table, name)):
            hint = f"create the organization {key} in that system, then run this again"
            raise RefusedError(
                f"{table.name}.{name} requires a value that chatdb does not have; nothing was "
                "written",
                hint=hint if table.name == "organizations" else "write a file: --output chats.sql",
            )
        # Such a column is an ORM's time of change: no earlier than any other time of the row.
        values[name] = max(known)


def _is_time(table: Table, column: str) -> bool:
    return table.columns[column].lower().startswith(("timestamp", "date"))
