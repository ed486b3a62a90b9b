"""Reads the stored versions of the conversations that an import contains."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db import schema
from chatdb.records import Conversation, Message, Snapshot
from chatdb.store.columns import fields_of
from chatdb.store.embeddings import read_embeddings
from chatdb.store.files import read_files
from chatdb.store.following import has_rows

_AT_ONCE = 500
"""Ids per statement: far below SQLite's limit of variables."""

_CONVERSATION = fields_of("conversations")
_MESSAGE = fields_of("messages")
_SNAPSHOT = fields_of("snapshots")


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored conversation, with the position of each message."""

    record: Conversation
    positions: dict[UUID, int]


def read_stored(
    connection: sa.Connection, organization_id: UUID, ids: Iterable[UUID]
) -> dict[UUID, Stored]:
    """Return those of the conversations that exist, whole, by id."""
    wanted = sorted(ids)
    found: dict[UUID, Stored] = {}
    for start in range(0, len(wanted), _AT_ONCE):
        _read_some(connection, organization_id, wanted[start : start + _AT_ONCE], found)
    return found


def _read_some(
    connection: sa.Connection, organization_id: UUID, ids: Sequence[UUID], found: dict[UUID, Stored]
) -> None:
    table = schema.conversations
    for row in connection.execute(
        _select(table, _CONVERSATION).where(
            table.c.organization_id == organization_id, table.c.id.in_(ids)
        )
    ):
        record = Conversation(**dict(zip(_CONVERSATION, row, strict=True)))
        record.messages, record.snapshots, record.files, record.embeddings = [], [], [], []
        found[record.id] = Stored(record, {})
    messages = schema.messages
    for conversation_id, position, *values in connection.execute(
        _of(messages, organization_id, ids, (messages.c.position,), _MESSAGE)
    ):
        # Under READ COMMITTED a conversation may be inserted between two of these queries.
        if conversation_id in found:
            message = Message(**dict(zip(_MESSAGE, values, strict=True)))
            stored = found[conversation_id]
            stored.record.messages.append(message)
            stored.positions[message.id] = position
    snapshots = schema.snapshots
    for conversation_id, _, *values in connection.execute(
        _of(snapshots, organization_id, ids, (snapshots.c.created_at, snapshots.c.id), _SNAPSHOT)
    ):
        if conversation_id in found:
            snapshot = Snapshot(**dict(zip(_SNAPSHOT, values, strict=True)))
            found[conversation_id].record.snapshots.append(snapshot)
    if has_rows(connection, schema.message_files, organization_id):
        for conversation_id, file in read_files(connection, organization_id, ids):
            if conversation_id in found:
                found[conversation_id].record.files.append(file)
    if has_rows(connection, schema.message_embeddings, organization_id):
        for conversation_id, embedding in read_embeddings(connection, organization_id, ids):
            if conversation_id in found:
                found[conversation_id].record.embeddings.append(embedding)


def _select(table: sa.Table, names: Sequence[str]) -> sa.Select[Any]:
    return sa.select(*(table.c[name] for name in names))


def _of(
    table: sa.Table,
    organization_id: UUID,
    ids: Sequence[UUID],
    order: Sequence[sa.Column[Any]],
    names: Sequence[str],
) -> sa.Select[Any]:
    """Select the rows of these conversations, each beginning with its conversation and order."""
    return (
        sa.select(table.c.conversation_id, order[0], *(table.c[name] for name in names))
        .where(table.c.organization_id == organization_id, table.c.conversation_id.in_(ids))
        .order_by(table.c.conversation_id, *order)
    )
