"""The interface of a bulk load: fast inserts, exact deletes, the index around them."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, ClassVar, Literal
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb.primitives import canonical
from chatdb.primitives.written_out import written_out
from chatdb.records import Conversation, Message, MessageFile
from chatdb.store.columns import Kind, columns_of

Verdict = Literal["retry", "reconnect", "record"]

Ahead = Callable[[], AbstractContextManager[object]]
"""Opens a block in which a thread reads the next records, which the drivers allow."""

Row = Sequence[Any]
"""A row for the driver, in the order of `columns.names_of` its table."""

PlacedFile = tuple[UUID, MessageFile]
"""The conversation of a kept file, and the file."""

SEARCH_CHUNK = 20_000
"""Rows per statement when SQLite's index is filled."""


_ESCAPED_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""The escape itself, not a backslash of the text before `u0000`."""


KNOWN_FILE = (
    "(organization_id, digest) DO UPDATE SET media_type = excluded.media_type"
    " WHERE files.media_type IS NULL AND excluded.media_type IS NOT NULL"
)
"""What an INSERT of files does ON CONFLICT: what is known of their bytes stays."""


REPLACED_FILE = (
    "(organization_id, conversation_id, message_id, position)"
    " DO UPDATE SET digest = excluded.digest, name = excluded.name"
)
"""What an INSERT of files of messages does ON CONFLICT."""


class UnstorableRecordError(ValueError):
    """A record contains what no database can store; readers clean it, so it is a stray one."""


@dataclass(frozen=True, slots=True)
class StoredKey:
    """The look-up result for a conversation that the database has."""

    source_hash: str | None
    user_id: str | None


@dataclass(frozen=True, slots=True)
class MessageRows:
    """Messages of one conversation to be inserted, each with its position.

    `prepared` are their rows, if `Bulk.prepare` has made them ahead.
    """

    conversation_id: UUID
    messages: Sequence[tuple[int, Message]]
    prepared: Sequence[Row] | None = None


@dataclass(frozen=True, slots=True)
class Rehashed:
    """A conversation whose hash is replaced, if it is still the one that was read."""

    id: UUID
    stored: str
    source_hash: str


@dataclass(frozen=True, slots=True)
class BatchRows:
    """All rows of a batch: `changed` conversations exist and get new values in their row.

    `stale` are the ids of messages to delete first, by conversation; a changed message is deleted
    and inserted again. `moved_files` are files of messages at the places that they leave. Else
    snapshots, files and embeddings are only added or replaced; what is stored of a file's bytes
    stays.
    """

    new: Sequence[Conversation]
    changed: Sequence[Conversation]
    stale: Sequence[tuple[UUID, Sequence[UUID]]]
    messages: Sequence[MessageRows]
    snapshots_of: Sequence[Conversation]
    files_of: Sequence[Conversation] = ()
    embeddings_of: Sequence[Conversation] = ()
    rehashed: Sequence[Rehashed] = ()
    moved_files: Sequence[tuple[UUID, Sequence[MessageFile]]] = ()

    @property
    def is_empty(self) -> bool:
        """Tell whether there is nothing to write."""
        return not any(getattr(self, each.name) for each in fields(self))


class Bulk(ABC):
    """The bulk methods of one database system, on a connection inside our transaction.

    Long work inside the database is done within `ahead()`: the client reads on meanwhile.
    """

    transaction_settings: ClassVar[dict[str, str]]
    defers_search_index: ClassVar[bool]
    """Whether an import into an empty table builds the full-text index at its end."""

    @abstractmethod
    def stored_keys(
        self, connection: sa.Connection, organization_id: UUID, ids: Sequence[UUID]
    ) -> dict[UUID, StoredKey]:
        """Return those of the conversations that the database has."""

    @abstractmethod
    def tombstones(
        self, connection: sa.Connection, organization_id: UUID, ids: Sequence[UUID]
    ) -> dict[UUID, set[UUID]]:
        """Return the tombstones of these conversations: message ids, nil for the whole."""

    @abstractmethod
    def lock(self, connection: sa.Connection, organization_id: UUID, ids: Sequence[UUID]) -> None:
        """Lock these conversations against other writers until the transaction ends."""

    @abstractmethod
    def message_rows(
        self, organization_id: UUID, conversation_id: UUID, messages: Iterable[tuple[int, Message]]
    ) -> Iterator[Row]:
        """Yield the messages, each with its position, as rows for `write`."""

    def prepare(self, organization_id: UUID, record: Conversation) -> Sequence[Row] | None:
        """Return the rows of a conversation in case it is new; None if it cannot be stored."""
        try:
            return list(self.message_rows(organization_id, record.id, enumerate(record.messages)))
        except (ValueError, OverflowError, RecursionError):
            return None

    def all_rows(self, organization_id: UUID, rows: BatchRows) -> Iterator[Row]:
        """Yield the rows of all messages, prepared or made now."""
        for group in rows.messages:
            if group.prepared is not None:
                yield from group.prepared
            else:
                yield from self.message_rows(organization_id, group.conversation_id, group.messages)

    @abstractmethod
    def write(
        self,
        connection: sa.Connection,
        organization_id: UUID,
        rows: BatchRows,
        *,
        index: bool,
        ahead: Ahead,
    ) -> None:
        """Write a batch; `index=False` leaves SQLite's full-text index unfilled."""

    @abstractmethod
    def add_files(
        self, connection: sa.Connection, organization_id: UUID, placed: Sequence[PlacedFile]
    ) -> None:
        """Insert what is new of files, and insert or replace where they belong."""

    @abstractmethod
    def drop_search_index(self, connection: sa.Connection) -> list[str]:
        """Drop the full-text index; return the statements that create its objects again.

        An empty list means that it could not be locked in time, or did not exist.
        """

    @abstractmethod
    def build_search_index(self, connection: sa.Connection, statements: Sequence[str]) -> None:
        """Create the full-text index again, filled."""

    @abstractmethod
    def verdict(self, error: BaseException) -> Verdict | None:
        """Return how to handle a failed batch: retry, retry on a new connection, or search.

        "record" means that some record in it cannot be stored; None that nothing helps.
        """


def placed_files(records: Sequence[Conversation]) -> list[PlacedFile]:
    """Return the files of conversations, each with its conversation."""
    return [(record.id, each) for record in records for each in record.files]


def sized_files(placed: Sequence[PlacedFile]) -> list[MessageFile]:
    """Return the files whose size is known, one of each digest, in one order for all writers."""
    found = {each.digest: each for _, each in placed}
    return [found[digest] for digest in sorted(found) if found[digest].size is not None]


Converters = Mapping[Kind, Callable[[Any], Any]]
"""How the driver takes the values of a kind; those of others it takes as they are."""


def row_maker(
    table: str,
    converters: Converters,
    *,
    plain: Callable[[tuple[Any, ...]], Sequence[Any]] | None = None,
) -> Callable[[Row, msgspec.Struct], Row]:
    """Return what makes a row of its place (whose it is, where it stands) and its record.

    `plain` takes all fields at once, before those with a converter for their kind pass through it.
    None is NULL where the column may be; else it is a value (JSON's null).
    """
    fields = [column for column in columns_of(table) if column.native]
    known: dict[str, Any] = {"fields_of": attrgetter(*(column.name for column in fields))}
    taken = "fields_of(record)"
    if plain is not None:
        known["plain"] = plain
        taken = f"plain({taken})"
    values = []
    for number, column in enumerate(fields):
        value, convert = f"value_{number}", f"convert_{number}"
        if column.kind in converters:
            known[convert] = converters[column.kind]
            made = f"{convert}({value})"
            values.append(f"None if {value} is None else {made}" if column.is_nullable else made)
        else:
            values.append(value)
    source = (
        "def row_of(place, record):\n"
        f"    {', '.join(f'value_{number}' for number in range(len(fields)))} = {taken}\n"
        f"    return (*place, {', '.join(values)})\n"
    )
    # Written out, a row takes two thirds of what a loop over its columns does.
    return written_out(source, "row_of", known)


def json_bytes(value: Any) -> bytes:
    """Return canonical JSON for storing; raises UnstorableRecordError for a NUL in it."""
    encoded = canonical.encode(value)
    if b"\\u0000" in encoded and _ESCAPED_NUL.search(encoded):
        raise UnstorableRecordError("a JSON value contains a NUL character")
    return encoded


def checked_text(text: str) -> str:
    """Return the text; raises UnstorableRecordError for a NUL in it."""
    if "\x00" in text:
        raise UnstorableRecordError("a text contains a NUL character")
    return text


def is_record_error(error: BaseException) -> bool:
    """Tell whether a record could not even be encoded (lone surrogates, huge numbers)."""
    return isinstance(error, (ValueError, OverflowError, RecursionError))
