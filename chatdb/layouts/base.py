"""The contract of layouts: what they yield, how they count rows, and what they share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from chatdb import canonical
from chatdb.formats.base import RowOutcome, Skipped, Tally
from chatdb.formats.cleaning import clean_conversation, mark
from chatdb.formats.fields import kept
from chatdb.formats.identity import source_hash
from chatdb.formats.roles import mapped_role, usual_role
from chatdb.formats.times import MISSING, Moment, parse_time
from chatdb.layouts.catalogue import Catalogue, Table
from chatdb.layouts.foreign import ForeignDatabase, Row, quoted
from chatdb.records import Conversation, Message, Organization, Role


@dataclass(frozen=True, slots=True)
class Found:
    """What a layout yields: a record, or what could not be read, and whose it is.

    `organization` is None in systems that know no tenants: then the command's.
    """

    item: Conversation | Skipped
    organization: Organization | None = None


class Layout(Protocol):
    """Turns the tables of one other system into records, one conversation at a time.

    `version` goes into every `source_hash`: raise it when the records of the same rows change.
    Every row that `read` gets is counted in `tally.rows`: imported (it is a record of its own),
    merged (it is a part of another record) or skipped, which `Skipped` names with the reason.
    """

    name: str
    title: str
    version: int

    def recognises(self, catalogue: Catalogue) -> bool:
        """Tell from tables, columns and types whether they are of this system."""
        ...

    def tables(self, catalogue: Catalogue) -> Sequence[Table]:
        """Return the tables that will be read."""
        ...

    def read(
        self, foreign: ForeignDatabase, catalogue: Catalogue, context: "Context"
    ) -> Iterator[Found]:
        """Yield every conversation, tenant after tenant, and a `Skipped` for each row left out."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What the records of one layout share: who counts, and what ids are made with."""

    layout: Layout
    tally: Tally
    source_name: str

    def read(self, table: str, outcome: RowOutcome, count: int = 1) -> None:
        """Count rows by what became of them: `imported`, `merged` or `skipped`."""
        self.tally.count_rows(table, outcome, count)

    def skip(self, table: str, key: Any, reason: str) -> Found:
        """Count a row as skipped and return what names it."""
        self.read(table, "skipped")
        self.tally.skipped += 1
        known = None if key is None else str(key)
        return Found(Skipped(f"{table} {key}" if key is not None else table, reason, known))

    def finished(self, record: Conversation) -> Conversation:
        """Clean a record, give it its source and hash, and count it."""
        clean_conversation(record, self.tally)
        record.source = self.layout.name
        record.source_hash = source_hash(self.layout.name, self.layout.version, record)
        record.source_name = self.source_name
        self.tally.conversations += 1
        self.tally.messages += len(record.messages)
        return record

    def json(self, value: Any, what: str) -> Any:
        """Return a JSON column's value; text that is no JSON stays text, which is noted.

        SQLite gives a column of no declared JSON type as it was written: also a number.
        """
        if not isinstance(value, str | bytes):
            return value
        try:
            return canonical.decode(value)
        except (ValueError, RecursionError):
            self.tally.lossy[f"{what} that is no JSON kept as text"] += 1
            return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")

    def role(self, message: Message, raw: Any) -> Role:
        """Return the role for a source's word; an unusual word is marked on the message."""
        role = usual_role(raw)
        if role is not None:
            return role
        mapped, known = mapped_role(raw)
        mark(message, "role", raw)
        if not known:
            self.tally.lossy[f"unknown role {str(raw)[:40]!r} read as {mapped}"] += 1
        return mapped


def taken_time(row: Row, column: str) -> Moment:
    """Take a time out of a row; a column that is missing or NULL is no time.

    A text without a zone is UTC: that is what these systems write.
    """
    raw = row.pop(column, None)
    return MISSING if raw is None else parse_time(raw)


def left_over(row: Row, context: Context, known: frozenset[str], table: str) -> dict[str, Any]:
    """Return what is left of a row for the metadata, and count columns that nobody knows."""
    for column in row.keys() - known:
        context.tally.unknown_fields[f"{table}.{column}"] += 1
    return kept(row)


def gathered(
    parents: Iterator[Row], key: str, *streams: tuple[Iterator[Row], str]
) -> Iterator[tuple[Row, list[list[Row]]]]:
    """Yield each parent with its rows of every stream, all in one order of the parent's key.

    A stream comes with the name of its column that holds the key; rows whose parent is not among
    the parents must not be in it: see `joined`.
    """
    ahead = [next(rows, None) for rows, _ in streams]
    for parent in parents:
        found: list[list[Row]] = []
        for number, (rows, column) in enumerate(streams):
            own, row = [], ahead[number]
            while row is not None and row[column] == parent[key]:
                own.append(row)
                row = next(rows, None)
            ahead[number] = row
            found.append(own)
        yield parent, found
    for row, (_, column) in zip(ahead, streams, strict=True):
        if row is not None:
            raise RuntimeError(f"rows of {column} {row[column]!r} came out of their order")


def joined(
    foreign: ForeignDatabase,
    child: Table,
    parent: Table,
    *,
    on: tuple[str, str],
    order: Sequence[str],
) -> Iterator[Row]:
    """Yield a child table's rows that have a parent, by the parent's key, then by `order`.

    `on` names the child's column and the parent's.
    """
    here, there = quoted(on[0]), quoted(on[1])
    by = ", ".join(f"child.{quoted(column)}" for column in order)
    return foreign.rows(
        f"SELECT {foreign.columns(child, of='child')} FROM {foreign.place(child)} AS child"
        f" JOIN {foreign.place(parent)} AS parent ON child.{here} = parent.{there}"
        f" ORDER BY parent.{there}, {by}"
    )


def without_parent(
    foreign: ForeignDatabase, child: Table, parent: Table, *, on: tuple[str, str]
) -> Iterator[Row]:
    """Yield a child table's rows whose parent is not there, or that name none."""
    here, there = quoted(on[0]), quoted(on[1])
    return foreign.rows(
        f"SELECT {foreign.columns(child, of='child')} FROM {foreign.place(child)} AS child"
        f" LEFT JOIN {foreign.place(parent)} AS parent ON child.{here} = parent.{there}"
        f" WHERE parent.{there} IS NULL"
    )


def ordered(foreign: ForeignDatabase, table: Table, *, by: str) -> Iterator[Row]:
    """Yield a table's rows in the order of a key; rows without one are left out."""
    return foreign.rows(
        f"SELECT {foreign.columns(table)} FROM {foreign.place(table)}"
        f" WHERE {quoted(by)} IS NOT NULL ORDER BY {quoted(by)}"
    )


def without_key(foreign: ForeignDatabase, table: Table, *, key: str) -> Iterator[Row]:
    """Yield the rows that `ordered` leaves out."""
    return foreign.rows(
        f"SELECT {foreign.columns(table)} FROM {foreign.place(table)} WHERE {quoted(key)} IS NULL"
    )
