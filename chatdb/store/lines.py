"""Conversations as lines of the native format, without building records of them.

The same bytes as `native.conversation_line` of what `conversation_records.read` yields, several
times faster; a contract test compares the two.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.contract.dialect import Dialect
from chatdb.db.contract.message_text import (
    NO_METADATA,
    CanonicalTexts,
    Chunk,
    Selection,
    json_time,
    unreadable,
)
from chatdb.db.database import Database
from chatdb.primitives.garbage import rare_collections
from chatdb.primitives.nesting import roomy
from chatdb.records import Organization
from chatdb.store.columns import DEFAULTS, TIME, columns_of, fields_of
from chatdb.store.embeddings import EmbeddingLines
from chatdb.store.every_organization import Scope, chosen, label_of
from chatdb.store.line_parts import LineParts
from chatdb.store.selecting import (
    AT_ONCE,
    READING,
    ConversationFilter,
    IdsWithin,
    batches,
)

PIECE = 1 << 18
"""Bytes yielded at once."""

OnRead = Callable[[int, int], object]
"""Receives how many more conversations and messages have been read."""

_table = schema.conversations.c
_FIELDS = [column for column in columns_of("conversations") if column.native]
_OWN = [column.name for column in _FIELDS if column.name != "id"]
_COLUMNS = tuple(sa.cast(_table[name], sa.Text) for name in _OWN)
_METADATA = 1 + _OWN.index("metadata")
_Head: Any = msgspec.defstruct(
    "_Head",
    [
        *((name, Any, None) for name in ("id", "organization", "organization_name")),
        *((column.name, Any, column.default) for column in _FIELDS if column.name != "id"),
    ],
    omit_defaults=True,
    module=__name__,
)
"""`records.Conversation` up to its messages, its fields as JSON text."""
_TIMES = fields_of("conversations", TIME)
_encode = roomy(msgspec.json.Encoder().encode)


def native_lines(
    database: Database,
    wanted: ConversationFilter,
    *,
    organization_key: Scope,
    ids_within: IdsWithin | None = None,
    labelled: bool = False,
    marks_only: bool = False,
    on_read: OnRead = lambda _conversations, _messages: None,
    at_once: int = AT_ONCE,
) -> Generator[bytes, None, None]:
    """Yield the selected conversations as lines of the native format, in pieces, by ascending id.

    They are from one state of the database. Organizations are in ascending order of ids too;
    `ids_within` has the ids to export of each. `labelled` writes the organization into every line,
    `marks_only` omits metadata of messages without any of chatdb's marks. A piece may end anywhere:
    a single conversation may be larger than memory. The rows of `at_once` conversations are held.
    Raises NotFoundError for an organization that does not exist, RefusedError for all organizations
    if row-level security shows only one.
    """
    # One state: a conversation changed during a long export must not come in two parts.
    with database.transaction(snapshot=True, settings=READING) as connection:
        for organization, own in each_organization(
            connection, database.dialect, wanted, organization_key, ids_within
        ):
            yield from lines_within(
                connection,
                database.dialect,
                organization.id,
                own,
                label=organization if labelled else None,
                marks_only=marks_only,
                on_read=on_read,
                at_once=at_once,
            )


def each_organization(
    connection: sa.Connection,
    dialect: Dialect,
    wanted: ConversationFilter,
    key: Scope,
    ids_within: IdsWithin | None,
) -> Iterator[tuple[Organization, ConversationFilter]]:
    """Yield each of the organizations and what is selected of it, by ascending id."""
    for organization in chosen(connection, dialect, key):
        if ids_within is None:
            yield organization, wanted
        else:
            yield organization, replace(wanted, ids=ids_within.get(organization.id, ()))


def lines_within(
    connection: sa.Connection,
    dialect: Dialect,
    organization: UUID,
    wanted: ConversationFilter,
    *,
    label: Organization | None = None,
    marks_only: bool = False,
    on_read: OnRead,
    at_once: int = AT_ONCE,
) -> Generator[bytes, None, None]:
    """Yield what `native_lines` does, in the caller's transaction with the settings READING.

    `label` is the organization to write into every line.
    """
    pieces = _Pieces()
    groups = groups_within(
        connection,
        organization,
        wanted,
        label=label,
        marks_only=marks_only,
        at_once=at_once,
        on_batch=lambda count: on_read(count, pieces.take_count()),
    )
    with closing(groups):
        for group in groups:
            messages = dialect.read_messages(connection, organization, group.selection)
            with closing(messages):
                yield from pieces.lines(group, messages)
    yield pieces.take()


@dataclass(frozen=True, slots=True)
class Group:
    """Some conversations without their messages: the id and JSON of each, and the rest of it.

    `parts` are its snapshots and files, by its id.
    """

    selection: Selection
    heads: Iterator[tuple[str, bytes]]
    parts: Mapping[str, bytes]
    embeddings: EmbeddingLines

    def lines(self) -> Iterator[bytes]:
        """Yield each as a line of the native format without messages and without its end."""
        return whole_lines(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        pieces = _Pieces()
        yield from pieces.lines(self, iter(()))
        yield pieces.take()


def groups_within(
    connection: sa.Connection,
    organization: UUID,
    wanted: ConversationFilter,
    *,
    label: Organization | None,
    marks_only: bool,
    at_once: int,
    on_batch: Callable[[int], object],
) -> Generator[Group, None, None]:
    """Yield the selected conversations in groups that fit in memory without their messages.

    `on_batch` receives how many conversations each batch had, after it.
    """
    place = label_of(label)
    with rare_collections() as after_batch:
        parts = LineParts(connection, organization)
        embeddings = EmbeddingLines(connection, organization)
        texts = CanonicalTexts(left_out=NO_METADATA, wrap=msgspec.Raw)
        for rows in batches(
            connection, organization, columns=_COLUMNS, wanted=wanted, at_once=at_once
        ):
            for group in embeddings.groups(rows):
                ids = [row[0] for row in group]
                selection = Selection(ids, gapless=wanted.is_everything, marks_only=marks_only)
                yield Group(selection, _heads(texts, group, place), parts.of(ids), embeddings)
            on_batch(len(rows))
            after_batch()


def whole_lines(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines that the pieces form, without their ends."""
    begun: list[bytes] = []
    for piece in pieces:
        first, *more = piece.split(b"\n")
        begun.append(first)
        for start in more:
            yield b"".join(begun)
            begun = [start]


class _Pieces:
    """Collects bytes until there are enough to yield."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._messages = 0

    def lines(self, group: Group, chunks: Iterator[Chunk]) -> Iterator[bytes]:
        """Join conversations and messages, both by ascending id; yield full pieces."""
        chunk = next(chunks, None)
        for identifier, head in group.heads:
            # Without its closing brace: messages, snapshots, files and embeddings follow.
            self._add(head[:-1])
            opening = b',"messages":['
            while chunk is not None and chunk[0] == identifier:
                self._add(opening)
                self._add(chunk[1])
                self._messages += chunk[2]
                opening = b","
                if self._size >= PIECE:
                    yield self.take()
                chunk = next(chunks, None)
            if opening == b",":
                self._add(b"]")
            if identifier in group.parts:
                self._add(group.parts[identifier])
            if not group.embeddings.is_empty:
                yield from self._add_embeddings(group.embeddings.of(identifier))
            self._add(b"}\n")
            if self._size >= PIECE:
                yield self.take()
        # Would put messages under another conversation: better no file than a wrong one.
        if chunk is not None:
            raise RuntimeError(f"messages of {chunk[0]} were read out of order")

    def _add_embeddings(self, embeddings: Iterator[bytes]) -> Iterator[bytes]:
        opening = b',"embeddings":['
        for embedding in embeddings:
            self._add(opening + embedding)
            opening = b","
            if self._size >= PIECE:
                yield self.take()
        if opening == b",":
            self._add(b"]")

    def take(self) -> bytes:
        """Return the collected bytes."""
        piece = b"".join(self._parts)
        self._parts, self._size = [], 0
        return piece

    def take_count(self) -> int:
        """Return how many messages were added since the last call."""
        count, self._messages = self._messages, 0
        return count

    def _add(self, part: bytes) -> None:
        self._parts.append(part)
        self._size += len(part)


def _heads(
    texts: CanonicalTexts, rows: Sequence[Sequence[Any]], label: tuple[str | None, str | None]
) -> Iterator[tuple[str, bytes]]:
    """Yield each conversation's id and its JSON object without messages."""
    for row, metadata in zip(rows, _metadata_of(texts, rows), strict=True):
        head = _Head(row[0], *label, *row[1:])
        try:
            for name in _TIMES:
                time = getattr(head, name)
                if time is not None:
                    setattr(head, name, json_time(time))
            for name, usual in DEFAULTS:
                if getattr(head, name) == usual:
                    setattr(head, name, usual)
        except ValueError as error:
            raise unreadable(f"conversation {row[0]}", error) from error
        head.metadata = metadata
        yield head.id, _encode(head)


def _metadata_of(texts: CanonicalTexts, rows: Sequence[Sequence[Any]]) -> list[Any]:
    try:
        # Many at once: JSON that is canonical already is found so without a call each.
        return texts.all_of([row[_METADATA].encode() for row in rows])
    except ValueError:
        for row in rows:
            try:
                texts.of(row[_METADATA])
            except ValueError as error:
                raise unreadable(f"conversation {row[0]}", error) from error
        raise
