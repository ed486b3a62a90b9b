"""The tables of another system's database, from its own catalogue."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chatdb.formats.source_groups import Group
from chatdb.layouts.capabilities import Capability


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view; `columns` are its columns' types by name, in order.

    Types are written as the database writes them: `character varying(255)`, `jsonb`, `TEXT`.
    `schema` is "" on SQLite. `row_address` is the hidden column that tells in which order rows were
    written (SQLite's rowid, PostgreSQL's ctid), "" where there is none. `closed` are the columns
    that the user may not read; they are not among `columns`, unless all of them are closed.
    `required` are the columns that are never NULL and that the database does not fill by itself.
    """

    schema: str
    name: str
    columns: Mapping[str, str]
    row_address: str = ""
    closed: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()

    @property
    def is_closed(self) -> bool:
        """Tell whether the user may not read any of it."""
        return len(self.closed) == len(self.columns) and self.columns.keys() == set(self.closed)

    def has(self, *columns: str) -> bool:
        """Tell whether the table has all of these columns."""
        return self.columns.keys() >= set(columns)

    def has_types(self, **types: str) -> bool:
        """Tell whether each column's type begins with what is named: `messages="json"`."""
        return all(
            self.columns.get(column, "").lower().startswith(begins)
            for column, begins in types.items()
        )


Catalogue = Mapping[str, Table]
"""The tables of one schema by name."""


@dataclass(frozen=True, slots=True)
class System:
    """A system whose tables chatdb reads: `name` is the value for --from and --to.

    `recognises` tells from tables, columns and types whether they belong to it. `writes` says
    whether conversations can be written into such a database; then it has a file `writing.py`.
    `can` is what it carries. `group` says how well known it is, `verified` are the versions whose
    own databases were read.
    """

    name: str
    title: str
    recognises: Callable[[Catalogue], bool]
    writes: bool = True
    can: frozenset[Capability] = frozenset()
    group: Group = "small"
    verified: tuple[str, ...] = ()


def columns_of(catalogue: Catalogue, table: str) -> frozenset[str]:
    """Return the names of a table's columns; none for a missing table."""
    found = catalogue.get(table)
    return frozenset(found.columns) if found is not None else frozenset()
