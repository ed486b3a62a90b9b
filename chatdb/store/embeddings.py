"""Reading the embeddings of messages: as records, or as their JSON in the native format."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb.db.contract.message_text import unreadable
from chatdb.db.schema import message_embeddings
from chatdb.primitives import canonical
from chatdb.records import Embedding, sorted_embeddings
from chatdb.store.following import has_rows

MOST_HELD = 400
"""Embeddings held in memory at once: some 30 KB of JSON each."""
_AT_ONCE = 100

Rows = Sequence[Sequence[Any]]

_table = message_embeddings.c
_decode = msgspec.json.Decoder(list[float]).decode
_encode = msgspec.json.Encoder().encode


def read_embeddings(
    connection: sa.Connection, organization: UUID, ids: Sequence[UUID]
) -> Iterator[tuple[UUID, Embedding]]:
    """Yield each conversation's id and embeddings, in the order of the records.

    Some rows are held at a time. Raises DatabaseFailedError for an invalid vector.
    """
    statement = (
        sa.select(
            *(_table.conversation_id, _table.message_id, _table.model),
            # As text both of PostgreSQL's types read alike, pgvector's without its own adapter.
            sa.cast(_table.vector, sa.Text),
        )
        .where(_table.organization_id == organization, _table.conversation_id.in_(ids))
        .order_by(_table.conversation_id, _table.message_id)
    )
    options = {"stream_results": True, "yield_per": _AT_ONCE}
    with connection.execute(statement, execution_options=options) as rows:
        for (conversation, _), group in groupby(rows, itemgetter(0, 1)):
            # A database's own order of texts differs from that of the records.
            for embedding in sorted_embeddings(map(_embedding, group)):
                yield conversation, embedding


def _embedding(row: Sequence[Any]) -> Embedding:
    conversation, message, model, text = row
    try:
        return Embedding(
            message_id=message, model=model, vector=canonical.vector(_decode(text.encode()))
        )
    except ValueError as error:
        what = f"the embedding of message {message} of conversation {conversation}"
        raise unreadable(what, error) from error


class EmbeddingLines:
    """An organization's embeddings as JSON objects of the native format, a few at a time."""

    def __init__(self, connection: sa.Connection, organization: UUID) -> None:
        self._connection = connection
        self._organization = organization
        self.is_empty = not has_rows(connection, message_embeddings, organization)
        self._counts: dict[str, int] = {}
        self._held: dict[str, list[bytes]] = {}

    def groups(self, rows: Rows) -> Iterator[Rows]:
        """Group conversations, rows beginning with the id, so that embeddings fit in memory.

        Those of a group are read at once; a conversation with more of them forms its own group.
        """
        if self.is_empty:
            yield rows
            return
        self._counts = self._count([row[0] for row in rows])
        start = total = 0
        for place, row in enumerate(rows):
            count = self._counts.get(row[0], 0)
            if place > start and total + count > MOST_HELD:
                yield self._read_ahead(rows[start:place], total)
                start, total = place, 0
            total += count
        yield self._read_ahead(rows[start:], total)

    def of(self, identifier: str) -> Iterator[bytes]:
        """Yield those of a conversation in a large group; the connection must be free meanwhile."""
        if identifier in self._held:
            yield from self._held[identifier]
        elif identifier in self._counts:
            for _, embedding in self._read([identifier]):
                yield _encode(embedding)

    def _read_ahead(self, group: Rows, total: int) -> Rows:
        self._held = {}
        if 0 < total <= MOST_HELD:
            ids = [row[0] for row in group if row[0] in self._counts]
            for conversation, embedding in self._read(ids):
                self._held.setdefault(str(conversation), []).append(_encode(embedding))
        return group

    def _read(self, ids: Sequence[str]) -> Iterator[tuple[UUID, Embedding]]:
        return read_embeddings(self._connection, self._organization, list(map(UUID, ids)))

    def _count(self, ids: Sequence[str]) -> dict[str, int]:
        statement = (
            sa.select(_table.conversation_id, sa.func.count())
            .where(
                _table.organization_id == self._organization,
                _table.conversation_id.in_(map(UUID, ids)),
            )
            .group_by(_table.conversation_id)
        )
        return {str(key): count for key, count in self._connection.execute(statement)}
