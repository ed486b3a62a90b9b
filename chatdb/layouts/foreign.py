"""Another system's database, read in one state and never written.

Every value has a plain Python type: text, whole numbers, floats, booleans. Times, UUIDs, JSON and
types of extensions come as the text that the database writes, arrays as JSON, bytes as text:
SQLite's as UTF-8, PostgreSQL's as it writes them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from chatdb.db.url import DatabaseUrl
from chatdb.layouts.tables import Catalogue, Table

Row = dict[str, Any]
OnRows = Callable[[int], object]

COUNTED_AT_ONCE = 200
"""Rows that are read before `on_rows` is called."""


class ForeignDatabase(ABC):
    """One state of a database that is not chatdb's; nothing is ever written to it.

    `name` is its URL or path, the password redacted; `source_name` what ids are made with if the
    installation is not named: the server's host and the database's name, or the file's name.
    """

    def __init__(self, url: DatabaseUrl, on_rows: OnRows | None = None) -> None:
        self.url = url
        self.name = url.redacted()
        self.source_name = _source_name(url)
        self._on_rows = on_rows or (lambda _count: None)

    @abstractmethod
    def catalogues(self) -> Mapping[str, Catalogue]:
        """Return the tables that may be read by the name of their schema ("" on SQLite).

        System schemas, and those that contain chatdb's own tables, are left out.
        """

    @property
    @abstractmethod
    def chatdb_schemas(self) -> tuple[str, ...]:
        """The schemas that contain chatdb's own tables."""

    @abstractmethod
    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """Yield the rows of a query as dictionaries, in bounded memory; `?` stands for a value."""

    @abstractmethod
    def expression(self, table: Table, column: str, *, of: str = "") -> str:
        """Write a column for a query so that its value comes as this module promises.

        `of` is the table's alias.
        """

    @abstractmethod
    def as_bytes(self, value: str) -> bytes:
        """Return the bytes that came as text."""

    def columns(self, table: Table, *, of: str = "") -> str:
        """Write all columns of a table for a query, each under its own name."""
        return ", ".join(
            f"{self.expression(table, column, of=of)} AS {quoted(column)}"
            for column in table.columns
        )

    def place(self, table: Table) -> str:
        """Write a table's name for a query."""
        return (
            f"{quoted(table.schema)}.{quoted(table.name)}" if table.schema else quoted(table.name)
        )

    def count(self, table: Table) -> int:
        """Return how many rows a table has."""
        row = next(self.rows(f"SELECT count(*) AS found FROM {self.place(table)}"))
        return int(row["found"])

    def _counted(self, rows: Iterator[Row]) -> Iterator[Row]:
        read = 0
        for row in rows:
            yield row
            read += 1
            if read == COUNTED_AT_ONCE:
                self._on_rows(read)
                read = 0
        self._on_rows(read)


def quoted(name: str) -> str:
    """Write a name for a query."""
    return '"' + name.replace('"', '""') + '"'


def _source_name(url: DatabaseUrl) -> str:
    if url.path is not None:
        return url.path.name
    return "/".join(part for part in (url.host, url.database) if part)
