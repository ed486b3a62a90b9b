"""The contract of layouts: what they yield, how they count rows, and what they share."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from chatdb.formats.base import RowOutcome, Skipped, Tally
from chatdb.formats.cleaning import clean_conversation, mark
from chatdb.formats.fields import kept
from chatdb.formats.identity import source_hash
from chatdb.formats.times import EPOCH, GUESSED, MISSING, Moment, is_known, parse_time
from chatdb.layouts.foreign import ForeignDatabase, Row, quoted
from chatdb.layouts.tables import Catalogue, System, Table
from chatdb.primitives import canonical
from chatdb.records import Conversation, Message, Organization

NONE: frozenset[str] = frozenset()

_TIMES = frozenset(
    (
        *("created_at", "updated_at", "last_accessed_at", "timestamp"),
        *("createdat", "updatedat", "createdAt", "updatedAt"),
    )
)
"""Columns that layouts read as times: one that is left over could not be read."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a layout yields: a record, or what could not be read, and its organization.

    `organization` is None in systems without tenants: then the command's.
    """

    item: Conversation | Skipped
    organization: Organization | None = None


class Layout(Protocol):
    """Turns the tables of one other system into records, one conversation at a time.

    `version` goes into every `source_hash`: raise it if the records of the same rows change. Every
    row that `read` gets is counted in `tally.rows`: imported (it is a record), merged (it is a part
    of another record) or skipped, which `Skipped` names with the reason.
    """

    system: System
    version: int

    def tables(self, catalogue: Catalogue) -> Sequence[Table]:
        """Return the tables that will be read."""
        ...

    def organizations(
        self, foreign: ForeignDatabase, catalogue: Catalogue
    ) -> Sequence[Organization]:
        """Return the tenants, even without conversations; none if there are no tenants."""
        ...

    def read(
        self, foreign: ForeignDatabase, catalogue: Catalogue, context: "Context"
    ) -> Iterator[Found]:
        """Yield every conversation, tenant after tenant, and a `Skipped` for each row left out."""
        ...


class WithoutTenants:
    """A layout whose system has no tenants."""

    def organizations(
        self, foreign: ForeignDatabase, catalogue: Catalogue
    ) -> Sequence[Organization]:
        """Return no tenants."""
        del foreign, catalogue
        return ()


@dataclass(frozen=True, slots=True)
class Context:
    """Shared by the records of one layout: the counts, and what ids are made with.

    `tenant` is the key of the only organization to read, None for all.
    """

    layout: Layout
    tally: Tally
    source_name: str
    tenant: str | None = None

    def count(self, table: str, outcome: RowOutcome, count: int = 1) -> None:
        """Count rows by outcome: `imported`, `merged` or `skipped`."""
        self.tally.count_rows(table, outcome, count)

    def skip(self, table: str, key: Any, reason: str) -> Found:
        """Count a row as skipped and return what names it."""
        self.count(table, "skipped")
        self.tally.skipped += 1
        known = None if key is None else str(key)
        return Found(Skipped(f"{table} {key}" if key is not None else table, reason, known))

    def finished(self, record: Conversation) -> Conversation:
        """Clean a record, give it its source and hash, and count it."""
        _make_texts(record)
        clean_conversation(record, self.tally)
        # Without a mark the epoch would be taken for a real date in lists and deletions.
        if not is_known(record.created_at):
            mark(record, "time", GUESSED)
        record.source = self.layout.system.name
        record.source_hash = source_hash(self.layout.system.name, self.layout.version, record)
        # After the hash: an installation that is named later must not
        # make all its records look changed.
        record.source_name = self.source_name
        self.tally.conversations += 1
        self.tally.messages += len(record.messages)
        return record

    def json(self, value: Any, what: str) -> Any:
        """Return a JSON column's value; text that is not JSON stays text, which is noted.

        SQLite returns a column of no declared JSON type as it was written, even a number.
        """
        if not isinstance(value, str | bytes):
            return value
        try:
            return canonical.read(value)
        except ValueError:
            self.tally.lossy[f"{what} that is no JSON kept as text"] += 1
            return value if isinstance(value, str) else value.decode("utf-8", "surrogateescape")


def taken_time(row: Row, column: str, as_it_came: dict[str, Any]) -> Moment:
    """Take a time out of a row; a missing column or NULL is no time.

    A text without a zone is UTC, because these systems write UTC. A value that cannot be read as a
    time stays in the row, and goes into `as_it_came`, to be written back.
    """
    if column not in row:
        return MISSING
    raw = row.pop(column)
    moment = MISSING if raw is None else parse_time(raw)
    if moment.at is None:
        as_it_came[column] = raw
        if raw is not None:
            row[column] = raw
    return moment


def set_as_it_came(record: Conversation | Message, columns: dict[str, Any]) -> None:
    """Mark the values of columns that a record's fields do not preserve, to be written back."""
    if columns:
        mark(record, "columns", columns)


def span(
    made: datetime | None, changed: datetime | None, rows: Sequence[Row], column: str
) -> tuple[datetime, datetime]:
    """Return when a conversation was created and updated: by its fields, else by its messages.

    `column` is that of the messages' times.
    """
    if made is not None and changed is not None:
        return made, changed
    known = [at for row in rows if (at := parse_time(row.get(column)).at) is not None]
    made = made or min(known, default=changed or EPOCH)
    return made, changed or max(known, default=made)


def left_over(row: Row, context: Context, known: frozenset[str], table: str) -> dict[str, Any]:
    """Return the rest of a row for the metadata, and count unknown columns."""
    # A later version of the system may have added them: they are kept, and named in the report.
    for column in row.keys() - known:
        if column in _TIMES and not _is_time(row[column]):
            context.tally.lossy[f"{table}.{column} that is no time kept in metadata"] += 1
        else:
            context.tally.unknown_fields[f"{table}.{column}"] += 1
    return kept(row)


def _is_time(value: Any) -> bool:
    """Tell whether a left-over column contains a time, or none: then it was not looked for."""
    return value is None or parse_time(value).at is not None


def gathered(
    parents: Iterator[Row], key: str, *streams: tuple[Iterator[Row], str]
) -> Iterator[tuple[Row, list[list[Row]]]]:
    """Yield each parent with its rows of every stream, all in one order of the parent's key.

    A stream comes with the name of its key column; it must not contain rows without a parent: see
    `joined`.
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
            # Rows would be attached to no conversation, or to another
            # one's: better no import than that.
            raise RuntimeError(f"rows of {column} {row[column]!r} came out of their order")


@dataclass(frozen=True, slots=True)
class Where:
    """A condition of a query on `parent` and `child`, `?` for each of its values."""

    condition: str
    values: tuple[Any, ...] = ()


EVERYWHERE = Where("1 = 1")


def joined(
    foreign: ForeignDatabase,
    child: Table,
    parent: Table,
    *,
    on: tuple[str, str],
    order: Sequence[str],
    where: Where = EVERYWHERE,
) -> Iterator[Row]:
    """Yield a child table's rows that have a parent, by the parent's key, then by `order`.

    `on` names the child's column and the parent's; the rows contain the parent's, because a number
    or a collation may change the value. Missing columns of `order` are ignored. Rows of the same
    time come in the order in which they were written, as far as the database still knows it.
    """
    here, there = quoted(on[0]), quoted(on[1])
    columns = [
        foreign.expression(parent, on[1], of="parent") + f" AS {here}"
        if column == on[0]
        else foreign.expression(child, column, of="child") + f" AS {quoted(column)}"
        for column in child.columns
    ]
    by = [f"child.{quoted(column)}" for column in order if child.has(column)]
    by.append(f"child.{child.row_address or quoted('id')}")
    return foreign.rows(
        f"SELECT {', '.join(columns)} FROM {foreign.place(child)} AS child"
        f" JOIN {foreign.place(parent)} AS parent ON child.{here} = parent.{there}"
        f" WHERE {where.condition} ORDER BY parent.{there}, {', '.join(by)}",
        where.values,
    )


def without_parent(
    foreign: ForeignDatabase, child: Table, parent: Table, *, on: tuple[str, str]
) -> Iterator[Row]:
    """Yield a child table's rows whose parent is missing, or that name none."""
    here, there = quoted(on[0]), quoted(on[1])
    return foreign.rows(
        f"SELECT {foreign.columns(child, of='child')} FROM {foreign.place(child)} AS child"
        f" LEFT JOIN {foreign.place(parent)} AS parent ON child.{here} = parent.{there}"
        f" WHERE parent.{there} IS NULL"
    )


def ordered(
    foreign: ForeignDatabase, table: Table, *, by: str, where: Where = EVERYWHERE
) -> Iterator[Row]:
    """Yield a table's rows, called `parent`, by a key; rows without one are left out."""
    return foreign.rows(
        f"SELECT {foreign.columns(table, of='parent')} FROM {foreign.place(table)} AS parent"
        f" WHERE parent.{quoted(by)} IS NOT NULL AND {where.condition}"
        f" ORDER BY parent.{quoted(by)}",
        where.values,
    )


def without_key(
    foreign: ForeignDatabase, table: Table, context: Context, *, key: str = "id"
) -> Iterator[Found]:
    """Yield a `Skipped` for each of the rows that `ordered` leaves out."""
    statement = (
        f"SELECT {foreign.columns(table, of='lost')} FROM {foreign.place(table)} AS lost"
        f" WHERE lost.{quoted(key)} IS NULL"
    )
    for row in foreign.rows(statement):
        title = row.get("title") or "untitled"
        yield context.skip(table.name, None, f"its {key} is NULL ({title!r})")


def _make_texts(record: Conversation) -> None:
    """Write numbers as text if a record has texts: SQLite returns what was written."""
    for name in ("user_id", "title"):
        _make_text(record, name)
    for message in record.messages:
        for name in ("author", "model"):
            _make_text(message, name)


def _make_text(record: Conversation | Message, name: str) -> None:
    value = getattr(record, name)
    if value is not None and not isinstance(value, str):
        setattr(record, name, str(value))
