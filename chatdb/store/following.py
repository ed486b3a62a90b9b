"""Rows that belong to messages (files, embeddings, vectors): copied, moved, deleted with them.

The rows of a table are never read: their values may be large.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.schema import message_embeddings, message_files, message_vectors
from chatdb.records import WHOLE_CONVERSATION
from chatdb.store.holding import AT_ONCE, Held

TABLES = (message_files, message_embeddings, message_vectors)


def has_rows(connection: sa.Connection, table: sa.Table, organization: UUID) -> bool:
    """Tell whether an organization has any in a table: most have none, and are asked once."""
    one = sa.select(table.c.organization_id).where(table.c.organization_id == organization)
    return bool(connection.execute(sa.select(one.exists())).scalar_one())


def delete_following(connection: sa.Connection, held: Held, messages: Sequence[UUID]) -> None:
    """Delete what belongs to messages of a conversation."""
    for table in TABLES:
        connection.execute(
            sa.delete(table).where(*_own(table, held), table.c.message_id.in_(messages))
        )


def copy_following(
    connection: sa.Connection, held: Held, target: UUID, ids: Mapping[UUID, UUID]
) -> None:
    """Copy what belongs to messages to their copies in another conversation, `ids` by the old."""
    for table in TABLES:
        message = table.c.message_id
        has_some = sa.select(message).distinct().where(*_own(table, held))
        copied = [
            {"old": old, "new": ids[old]} for old in connection.scalars(has_some) if old in ids
        ]
        replaced: dict[str, sa.ColumnElement[Any]] = {
            "conversation_id": sa.literal(target, table.c.conversation_id.type),
            "message_id": sa.cast(sa.bindparam("new", type_=message.type), message.type),
        }
        rows = sa.select(*(replaced.get(column.name, column) for column in table.c)).where(
            *_own(table, held), message == sa.bindparam("old", type_=message.type)
        )
        if copied:
            connection.execute(sa.insert(table).from_select(list(table.c.keys()), rows), copied)


def move_following(
    connection: sa.Connection, held: Held, target: UUID, messages: Sequence[UUID] | None
) -> None:
    """Give what belongs to messages, or to all messages, to another conversation.

    What that one had for the same messages belonged to none of its own. An embedding of a whole
    conversation stays with it.
    """
    parts: list[Sequence[UUID] | None] = [None]
    if messages is not None:
        parts = [messages[start : start + AT_ONCE] for start in range(0, len(messages), AT_ONCE)]
    for table in TABLES:
        message = table.c.message_id
        for part in parts:
            which = message != WHOLE_CONVERSATION if part is None else message.in_(part)
            mine = [*_own(table, held), which]
            connection.execute(
                sa.delete(table).where(
                    table.c.organization_id == held.organization_id,
                    table.c.conversation_id == target,
                    message.in_(sa.select(message).where(*mine)),
                )
            )
            connection.execute(sa.update(table).where(*mine).values(conversation_id=target))


def rename_following(connection: sa.Connection, held: Held, ids: Mapping[UUID, UUID]) -> None:
    """Update what belongs to messages that got other ids, `ids` by the old."""
    for table in TABLES:
        for old, new in ids.items():
            connection.execute(
                sa.update(table)
                .where(*_own(table, held), table.c.message_id == old)
                .values(message_id=new)
            )


def _own(table: sa.Table, held: Held) -> tuple[sa.ColumnElement[bool], ...]:
    columns = table.c
    return columns.organization_id == held.organization_id, columns.conversation_id == held.id
