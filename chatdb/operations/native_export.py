"""Conversations as lines of the native format, without making records of them.

The same bytes as `native.conversation_line` of what `conversation_records.read` yields, several
times faster; a contract test holds the two together.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb import canonical
from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.dialects.base import Dialect
from chatdb.db.dialects.message_text import (
    NO_METADATA,
    CanonicalTexts,
    Chunk,
    Selection,
    json_time,
    unreadable,
)
from chatdb.garbage import rare_collections
from chatdb.nesting import roomy
from chatdb.operations.conversation_batches import (
    AT_ONCE,
    READING,
    ConversationFilter,
    IdsWithin,
    batches,
)
from chatdb.operations.embeddings_stored import EmbeddingLines
from chatdb.operations.every_organization import Scope, chosen, label_of
from chatdb.records import Organization

PIECE = 1 << 18
"""Bytes handed on at once."""

OnRead = Callable[[int, int], object]
"""Told how many conversations and messages more have been read."""

_table = schema.conversations.c
_COLUMNS = tuple(
    sa.cast(column, sa.Text)
    for column in (
        *(_table.user_id, _table.title, _table.current_message_id),
        *(_table.created_at, _table.updated_at, _table.last_accessed_at),
        *(_table.archived_at, _table.starred_at, _table.edited_at),
        *(_table.source, _table.source_name, _table.source_id, _table.source_hash),
        _table.metadata,
    )
)


class _Head(msgspec.Struct, omit_defaults=True):
    """`records.Conversation` up to its messages, its fields as text of JSON."""

    id: str
    organization: str | None = None
    organization_name: str | None = None
    user_id: str | None = None
    title: str | None = None
    current_message_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    last_accessed_at: str | None = None
    archived_at: str | None = None
    starred_at: str | None = None
    edited_at: str | None = None
    source: str | None = None
    source_name: str | None = None
    source_id: str | None = None
    source_hash: str | None = None
    metadata: Any = None


class _Snapshot(msgspec.Struct):
    id: str
    state: msgspec.Raw
    created_at: str


_SELDOM = ("last_accessed_at", "archived_at", "starred_at", "edited_at")
"""The times that most conversations have not."""
_encode = roomy(msgspec.json.Encoder().encode)


_Snapshots = dict[str, list[_Snapshot]]


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
    """Yield the wanted conversations as lines of the native format, in pieces, by ascending id.

    All of it is one state of the database. Organizations come by ascending id too; `ids_within`
    has those that are wanted of each. `labelled` writes the organization into every line,
    `marks_only` no metadata of a message that has none of chatdb's marks. A piece may end anywhere:
    even one conversation may be larger than memory. Of `at_once` conversations the own rows are
    held. Raises NotFoundError for an organization that does not exist, RefusedError for every
    organization where row-level security shows one.
    """
    with database.transaction(snapshot=True, settings=READING) as connection:
        for organization in chosen(connection, database.dialect, organization_key):
            own = wanted
            if ids_within is not None:
                own = replace(wanted, ids=ids_within.get(organization.id, ()))
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

    `label` is the organization to be written into every line.
    """
    place = label_of(label)
    with rare_collections() as after_batch:
        has_snapshots = _has_snapshots(connection, organization)
        embeddings = EmbeddingLines(connection, organization)
        texts = CanonicalTexts(left_out=NO_METADATA, wrap=msgspec.Raw)
        pieces = _Pieces()
        for rows in batches(
            connection, organization, columns=_COLUMNS, wanted=wanted, at_once=at_once
        ):
            for group in embeddings.groups(rows):
                ids = [row[0] for row in group]
                selection = Selection(ids, gapless=wanted.is_everything, marks_only=marks_only)
                snapshots = _snapshots(connection, organization, ids) if has_snapshots else {}
                messages = dialect.read_messages(connection, organization, selection)
                with closing(messages):
                    yield from pieces.lines(
                        _heads(texts, group, place), messages, snapshots, embeddings
                    )
            on_read(len(rows), pieces.take_count())
            after_batch()
        yield pieces.take()


class _Pieces:
    """Collects bytes until there are enough of them to be handed on."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._messages = 0

    def lines(
        self,
        heads: Iterable[tuple[str, bytes]],
        chunks: Iterator[Chunk],
        snapshots: _Snapshots,
        embeddings: EmbeddingLines,
    ) -> Iterator[bytes]:
        """Put together lines of heads and messages, both by ascending id; yield full pieces."""
        chunk = next(chunks, None)
        for identifier, head in heads:
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
            if identifier in snapshots:
                self._add(b',"snapshots":' + _encode(snapshots[identifier]))
            if not embeddings.is_empty:
                yield from self._add_embeddings(embeddings.of(identifier))
            self._add(b"}\n")
            if self._size >= PIECE:
                yield self.take()
        if chunk is not None:
            raise RuntimeError(f"messages of {chunk[0]} came out of their order")

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
        """Return what was collected."""
        piece = b"".join(self._parts)
        self._parts, self._size = [], 0
        return piece

    def take_count(self) -> int:
        """Return how many messages were put in since the last call."""
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
            head.created_at, head.updated_at = json_time(row[4]), json_time(row[5])
            for name in _SELDOM:
                time = getattr(head, name)
                if time is not None:
                    setattr(head, name, json_time(time))
        except ValueError as error:
            raise unreadable(f"conversation {row[0]}", error) from error
        head.metadata = metadata
        yield head.id, _encode(head)


def _metadata_of(texts: CanonicalTexts, rows: Sequence[Sequence[Any]]) -> list[Any]:
    try:
        return texts.all_of([row[-1].encode() for row in rows])
    except ValueError:
        for row in rows:
            try:
                texts.of(row[-1])
            except ValueError as error:
                raise unreadable(f"conversation {row[0]}", error) from error
        raise


def _has_snapshots(connection: sa.Connection, organization: UUID) -> bool:
    table = schema.snapshots.c
    one = sa.select(table.id).where(table.organization_id == organization)
    return bool(connection.execute(sa.select(one.exists())).scalar_one())


def _snapshots(connection: sa.Connection, organization: UUID, ids: Sequence[str]) -> _Snapshots:
    table = schema.snapshots.c
    texts = (sa.cast(table.state, sa.Text), sa.cast(table.created_at, sa.Text))
    statement = (
        sa.select(sa.cast(table.conversation_id, sa.Text), sa.cast(table.id, sa.Text), *texts)
        .where(table.organization_id == organization, table.conversation_id.in_(map(UUID, ids)))
        .order_by(table.conversation_id, table.created_at, table.id)
    )
    found: _Snapshots = {}
    for conversation_id, identifier, state, created_at in connection.execute(statement):
        try:
            encoded = msgspec.Raw(canonical.encode(canonical.decode(state)))
            snapshot = _Snapshot(identifier, encoded, json_time(created_at))
        except ValueError as error:
            raise unreadable(f"snapshot {identifier} of {conversation_id}", error) from error
        found.setdefault(conversation_id, []).append(snapshot)
    return found
