"""The contract of writing layouts: what a writer makes of a record, and what it leaves out."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, Protocol
from uuid import UUID, uuid5

from chatdb.formats.base import Tally, WriteOptions
from chatdb.formats.branches import active_path
from chatdb.layouts.tables import Catalogue
from chatdb.primitives import canonical
from chatdb.records import MARKS, Conversation, Message, Organization, is_hidden
from chatdb.store.columns import TIME, fields_of, merged_by

Value = str | int | float | bool | None
Mode = Literal["insert", "update"]

_TIMES = [
    name for name in fields_of("conversations", TIME) if name in merged_by("followed", "latest")
]
"""The times that a conversation may have and most lack."""


@dataclass(frozen=True, slots=True)
class WrittenRow:
    """A row to be written: an `update` changes the row of the same id, after all inserts."""

    table: str
    values: dict[str, Value]
    mode: Mode = "insert"


@dataclass(frozen=True, slots=True)
class Writing:
    """Shared by writers: the selection, the organization, and the count of what is left out."""

    options: WriteOptions
    organization: Organization
    tally: Tally

    def lose(self, what: str, count: int = 1) -> None:
        """Count what the layout cannot store."""
        if count:
            self.tally.lossy[what] += count


class Place(Protocol):
    """Where rows go; `catalogue` is None if the tables are still to be created."""

    catalogue: Catalogue | None

    def find(self, table: str, **values: str) -> str | None:
        """Return the id of the row with these values, if it exists already."""
        ...


class LayoutWriter(Protocol):
    """Turns records into the rows of one other system.

    `tables` are the statements that create its tables, `after` those that follow the last row.
    `on_sqlite` says whether the system also uses SQLite. `times` are those of `lose_times` that it
    has a column for. `names` are the tables in the order in
    which rows may refer to them.
    """

    on_sqlite: ClassVar[bool]
    times: ClassVar[frozenset[str]]
    names: ClassVar[tuple[str, ...]]
    tables: ClassVar[tuple[str, ...]]
    after: ClassVar[tuple[str, ...]]

    def __init__(self, writing: Writing, place: Place) -> None: ...

    def begin(self) -> Iterator[WrittenRow]:
        """Yield the rows before the first conversation."""
        ...

    def rows(self, record: Conversation) -> Iterator[WrittenRow]:
        """Yield the rows of a conversation."""
        ...


class BaseWriter:
    """Shared by most writers."""

    name: ClassVar[str]
    on_sqlite: ClassVar[bool] = False
    times: ClassVar[frozenset[str]] = frozenset()
    after: ClassVar[tuple[str, ...]] = ()

    def __init__(self, writing: Writing, place: Place) -> None:
        self._writing = writing
        self._place = place

    def begin(self) -> Iterator[WrittenRow]:
        """Yield nothing: there are no rows before the first conversation."""
        yield from ()

    def _messages(self, record: Conversation) -> list[Message]:
        """Return the messages to write: these systems have neither branches nor hidden ones."""
        options, writing = self._writing.options, self._writing
        path = record.messages if options.all_branches else active_path(record)
        shown = [each for each in path if options.include_hidden or not is_hidden(each)]
        writing.lose("messages on other branches left out", len(record.messages) - len(path))
        writing.lose("hidden messages left out", len(path) - len(shown))
        writing.lose("files of messages left out", len(record.files))
        writing.lose(f"{record.kind} written as any conversation", record.kind != "chat")
        for message in shown:
            self._lose_fields(message, "attached_text", "user_id")
        return shown

    def _as_it_came(
        self,
        record: Conversation,
        item: Conversation | Message,
        row: WrittenRow,
        metadata: dict[str, Any],
    ) -> None:
        """Restore the columns' values in this system, as far as the record does not contain them.

        Used metadata is removed. Changes made here are not undone.
        """
        if record.source != self.name or item.edited_at is not None:
            return
        marks = item.metadata.get(MARKS)
        columns = marks.get("columns") if isinstance(marks, dict) else None
        row.values.update(columns if isinstance(columns, dict) else {})
        catalogue = self._place.catalogue
        table = None if catalogue is None else catalogue.get(row.table)
        there = row.values.keys() if table is None else table.columns.keys()
        for name in sorted(metadata.keys() & there):
            value = metadata.pop(name)
            row.values[name] = json_text(value) if isinstance(value, dict | list) else value

    def _lose_fields(self, message: Message, *names: str) -> None:
        """Count fields of a message that the layout cannot store."""
        for name in names:
            if getattr(message, name) not in (None, "", [], {}):
                self._writing.lose(f"{name} of messages left out")

    def _lose_snapshots(self, record: Conversation) -> None:
        self._writing.lose("snapshots left out", len(record.snapshots))

    def _lose_embeddings(self, record: Conversation, *, written: int = 0) -> None:
        self._writing.lose("embeddings left out", len(record.embeddings) - written)


def lose_times(record: Conversation, writing: Writing, known: Collection[str]) -> None:
    """Count the flags of a conversation and its access, but for what is `known`."""
    for name in _TIMES:
        if name not in known and getattr(record, name) is not None:
            writing.lose(f"{name} of conversations left out")


def own_id(record: Conversation, layout: str) -> str | None:
    """Return the id that a conversation had in this system; None if it came from elsewhere."""
    return record.source_id if record.source == layout else None


def own_message_id(record: Conversation, message: Message, layout: str) -> str:
    """Return the id that a message had in this system, else a unique one."""
    if record.source == layout and message.source_id is not None:
        return message.source_id
    return str(message_uuid(record, message, layout))


def whole_number(text: str | None) -> int | None:
    """Return a number that fits into an integer column; None for any other text."""
    if text is None or not text.removeprefix("-").isdecimal():
        return None
    number = int(text)
    return number if -(2**31) <= number < 2**31 and str(number) == text else None


def title_for(record: Conversation, layout: str, writing: Writing) -> str:
    """Return a title for a required column: empty if there is none."""
    untitled = "" if record.source == layout else "Untitled"
    return short(record.title or untitled, writing)


def message_uuid(record: Conversation, message: Message, layout: str) -> UUID:
    """Return an id that is unique in a table of all messages.

    Conversations from elsewhere may share a message id: then it is derived again.
    """
    return message.id if record.source == layout else uuid5(record.id, str(message.id))


def raw_role(record: Conversation, message: Message, layout: str) -> str | None:
    """Return an unusual role as this system wrote it; other systems' words do not count."""
    if record.source != layout:
        return None
    marks = message.metadata.get(MARKS)
    role = marks.get("role") if isinstance(marks, dict) else None
    return role if isinstance(role, str) else None


def without_marks(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return metadata without chatdb's own marks, and a source's field of their name."""
    marks = metadata.get(MARKS)
    own = {MARKS: marks["field"]} if isinstance(marks, dict) and "field" in marks else {}
    return {name: value for name, value in metadata.items() if name != MARKS} | own


def json_text(value: Any) -> str | None:
    """Return a JSON value as text; None for none."""
    return None if value is None else canonical.encode_text(value)


def zoned(time: datetime) -> str:
    """Write a time for a column with a zone."""
    return time.isoformat(sep=" ")


def unzoned(time: datetime, *, digits: int = 6) -> str:
    """Write a time in UTC for a column without a zone, with `digits` digits of a second."""
    text = time.replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds")
    return text[: len(text) - 6 + digits]


def short(text: str, writing: Writing, *, limit: int = 255) -> str:
    """Cut a text for a column with a limit."""
    if len(text) > limit:
        writing.lose(f"titles cut to {limit} characters")
    return text[:limit]


def columns_in(place: Place, table: str, wanted: Sequence[str]) -> set[str]:
    """Return those of the columns that the target has; all if it is to be created."""
    if place.catalogue is None:
        return set(wanted)
    found = place.catalogue.get(table)
    return set() if found is None else found.columns.keys() & set(wanted)
