"""Embeddings that follow their messages: copied, moved, deleted; their vectors are never read."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.schema import message_embeddings
from chatdb.records import WHOLE_CONVERSATION
from chatdb.store.holding import AT_ONCE, Held

_table = message_embeddings.c


def delete_embeddings(connection: sa.Connection, held: Held, messages: Sequence[UUID]) -> None:
    """Delete the embeddings of messages of a conversation."""
    connection.execute(
        sa.delete(message_embeddings).where(*_own(held), _table.message_id.in_(messages))
    )


def copy_embeddings(
    connection: sa.Connection, held: Held, target: UUID, ids: Mapping[UUID, UUID]
) -> None:
    """Copy the embeddings of messages to copies in another conversation, `ids` by the old."""
    has_some = sa.select(_table.message_id).distinct().where(*_own(held))
    copied = [{"old": old, "new": ids[old]} for old in connection.scalars(has_some) if old in ids]
    rows = sa.select(
        _table.organization_id,
        sa.literal(target, _table.conversation_id.type),
        sa.cast(sa.bindparam("new", type_=_table.message_id.type), _table.message_id.type),
        _table.model,
        _table.vector,
    ).where(*_own(held), _table.message_id == sa.bindparam("old", type_=_table.message_id.type))
    if copied:
        insert = sa.insert(message_embeddings).from_select(list(_table.keys()), rows)
        connection.execute(insert, copied)


def move_embeddings(
    connection: sa.Connection, held: Held, target: UUID, messages: Sequence[UUID] | None
) -> None:
    """Give the embeddings of messages, or of all messages, to another conversation.

    Embeddings that it had for the same messages belonged to none of its own. An embedding of a
    whole conversation stays with it.
    """
    parts: list[Sequence[UUID] | None] = [None]
    if messages is not None:
        parts = [messages[start : start + AT_ONCE] for start in range(0, len(messages), AT_ONCE)]
    for part in parts:
        which = (
            _table.message_id != WHOLE_CONVERSATION if part is None else _table.message_id.in_(part)
        )
        mine = [*_own(held), which]
        connection.execute(
            sa.delete(message_embeddings).where(
                _table.organization_id == held.organization_id,
                _table.conversation_id == target,
                _table.message_id.in_(sa.select(_table.message_id).where(*mine)),
            )
        )
        connection.execute(
            sa.update(message_embeddings).where(*mine).values(conversation_id=target)
        )


def rename_embeddings(connection: sa.Connection, held: Held, ids: Mapping[UUID, UUID]) -> None:
    """Update embeddings for messages that got other ids, `ids` by the old."""
    for old, new in ids.items():
        connection.execute(
            sa.update(message_embeddings)
            .where(*_own(held), _table.message_id == old)
            .values(message_id=new)
        )


def _own(held: Held) -> tuple[sa.ColumnElement[bool], ...]:
    return _table.organization_id == held.organization_id, _table.conversation_id == held.id
