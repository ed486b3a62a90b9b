"""Embeddings for COPY into PostgreSQL: the column is pgvector's type or JSONB."""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from struct import pack
from typing import Any
from uuid import UUID

from chatdb.db.contract.bulk import Converters, Row, checked_text, row_maker
from chatdb.primitives import canonical
from chatdb.records import Conversation
from chatdb.store import columns

_TYPE = """
SELECT t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = 'message_embeddings'::regclass AND a.attname = 'vector'
"""


def embedding_rows(
    cursor: Any, organization_id: UUID, records: Sequence[Conversation]
) -> Iterator[Row]:
    """Delete the embeddings that the records replace; return their rows in binary form."""
    conversations = [record.id for record in records for _ in record.embeddings]
    keys = [(each.message_id, each.model) for record in records for each in record.embeddings]
    cursor.execute(
        # COPY knows no ON CONFLICT: what comes again is removed first.
        "DELETE FROM message_embeddings e"
        " USING unnest(%s::uuid[], %s::uuid[], %s::text[]) AS k(conversation_id, message_id, model)"
        " WHERE e.organization_id = %s AND e.conversation_id = k.conversation_id"
        " AND e.message_id = k.message_id AND e.model = k.model",
        (conversations, *map(list, zip(*keys, strict=True)), organization_id),
    )
    # Asked in each batch: an ALTER between two may have changed the type.
    is_pgvector = cursor.execute(_TYPE).fetchone() == ("vector",)
    row_of = _AS_VECTORS if is_pgvector else _AS_JSON
    return (
        row_of((organization_id.bytes, record.id.bytes), each)
        for record in records
        for each in record.embeddings
    )


def _vector(numbers: list[float]) -> bytes:
    """Return pgvector's binary form: the count, two zero bytes, then four bytes each."""
    kept = canonical.vector(numbers)
    return pack(f">HH{len(kept)}f", len(kept), 0, *kept)


def _jsonb(numbers: list[float]) -> bytes:
    return b"\x01" + canonical.encode_vector(numbers)


_BINARY: Converters = {columns.ID: attrgetter("bytes"), columns.TEXT: checked_text}
_AS_VECTORS = row_maker("message_embeddings", {**_BINARY, columns.VECTOR: _vector})
_AS_JSON = row_maker("message_embeddings", {**_BINARY, columns.VECTOR: _jsonb})
