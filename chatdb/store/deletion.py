"""Removes the rows of conversations and messages, inside the caller's transaction.

A tombstone is left for each, so that no later import brings it back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.schema import conversations, messages, snapshots, tombstones
from chatdb.records import WHOLE_CONVERSATION
from chatdb.store.following import delete_following
from chatdb.store.holding import AT_ONCE, Held, bury, change
from chatdb.store.trees import leaf_left, read_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedConversation:
    """What is or was deleted with a conversation."""

    id: UUID
    title: str | None
    user_id: str | None
    messages: int
    snapshots: int


def describe(
    connection: sa.Connection, organization: UUID, ids: Sequence[UUID]
) -> list[DeletedConversation]:
    """Return what is removed with those of the conversations that exist, by id."""
    table = conversations.c
    query = sa.select(
        table.id,
        table.title,
        table.user_id,
        _count(messages).label("messages"),
        _count(snapshots).label("snapshots"),
    ).where(table.organization_id == organization)
    found: dict[UUID, DeletedConversation] = {}
    for some in _chunks(ids):
        for row in connection.execute(query.where(table.id.in_(some))):
            found[row.id] = DeletedConversation(**row._asdict())
    return [found[identifier] for identifier in ids if identifier in found]


def lock(connection: sa.Connection, organization: UUID, ids: Sequence[UUID]) -> list[UUID]:
    """Lock the conversations against changes until the transaction ends; return those found."""
    table = conversations.c
    found: list[UUID] = []
    # In one order: two deletions of the same conversations cannot block each other.
    for some in _chunks(sorted(ids)):
        statement = (
            sa.select(table.id)
            .where(table.organization_id == organization, table.id.in_(some))
            .order_by(table.id)
            .with_for_update()
        )
        found += connection.execute(statement).scalars()
    return found


def remove_conversations(
    connection: sa.Connection, organization: UUID, ids: Sequence[UUID], *, reason: str
) -> None:
    """Delete conversations with everything that belongs to them, leaving a tombstone for each."""
    now = datetime.now(UTC)
    for some in _chunks(ids):
        connection.execute(
            sa.delete(conversations).where(
                conversations.c.organization_id == organization, conversations.c.id.in_(some)
            )
        )
        columns = tombstones.c
        connection.execute(
            # One from an earlier deletion may be there: its time and reason are replaced.
            sa.delete(tombstones).where(
                columns.organization_id == organization,
                columns.conversation_id.in_(some),
                columns.message_id == WHOLE_CONVERSATION,
            )
        )
        connection.execute(
            sa.insert(tombstones),
            [
                {
                    "organization_id": organization,
                    "conversation_id": identifier,
                    "message_id": WHOLE_CONVERSATION,
                    "deleted_at": now,
                    "reason": reason,
                }
                for identifier in some
            ],
        )


def remove_messages(
    connection: sa.Connection, held: Held, ids: Sequence[UUID], *, reason: str
) -> list[UUID]:
    """Delete messages of a locked conversation; return those that existed.

    Replies to them move up to the nearest remaining message; a tombstone is left for each. If the
    active leaf is deleted, the newest leaf beside or above it takes its place.
    """
    tree = read_tree(connection, held.organization_id, held.id)
    gone = [identifier for identifier in dict.fromkeys(ids) if identifier in tree.nodes]
    if not gone:
        return []
    left = tree.without(frozenset(gone))
    columns = messages.c
    own = (columns.organization_id == held.organization_id, columns.conversation_id == held.id)
    for node in left.nodes.values():
        if node.parent_id != tree.nodes[node.id].parent_id:
            connection.execute(
                sa.update(messages)
                .where(*own, columns.id == node.id)
                .values(parent_id=node.parent_id)
            )
    for start in range(0, len(gone), AT_ONCE):
        some = gone[start : start + AT_ONCE]
        connection.execute(sa.delete(messages).where(*own, columns.id.in_(some)))
        delete_following(connection, held, some)
    bury(connection, held, gone, reason=reason)
    change(connection, held, current_message_id=leaf_left(tree, left, held.current_message_id))
    return gone


def _count(table: sa.Table) -> Any:
    columns = table.c
    return (
        sa.select(sa.func.count())
        .where(
            columns.organization_id == conversations.c.organization_id,
            columns.conversation_id == conversations.c.id,
        )
        .scalar_subquery()
    )


def _chunks(ids: Sequence[UUID]) -> list[Sequence[UUID]]:
    return [ids[start : start + AT_ONCE] for start in range(0, len(ids), AT_ONCE)]
