"""Deletes conversations: finds what would be deleted, and deletes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import conversations, messages, snapshots, tombstones
from chatdb.records import WHOLE_CONVERSATION
from chatdb.store.holding import AT_ONCE
from chatdb.store.naming import resolve_conversation
from chatdb.store.selecting import ConversationFilter, batches, organization_id


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedConversation:
    """What is or was deleted with a conversation."""

    id: UUID
    title: str | None
    user_id: str | None
    messages: int
    snapshots: int


def find_deletable(
    database: Database,
    texts: Sequence[str],
    *,
    organization_key: str,
    user_id: str | None = None,
) -> list[DeletedConversation]:
    """Return what deleting the conversations would remove; raises as `resolve_conversation`."""
    with database.transaction(snapshot=True) as connection:
        organization = organization_id(connection, organization_key)
        ids = [
            resolve_conversation(connection, organization, text, user_id=user_id) for text in texts
        ]
        return describe(connection, organization, list(dict.fromkeys(ids)))


def find_matching(
    database: Database, wanted: ConversationFilter, *, organization_key: str
) -> list[DeletedConversation]:
    """Return what deleting all selected conversations would remove, by ascending id."""
    with database.transaction(snapshot=True) as connection:
        organization = organization_id(connection, organization_key)
        found = batches(connection, organization, columns=(), wanted=wanted)
        ids = [UUID(row[0]) for rows in found for row in rows]
        return describe(connection, organization, ids)


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
    for some in _chunks(sorted(ids)):
        statement = (
            sa.select(table.id)
            .where(table.organization_id == organization, table.id.in_(some))
            .order_by(table.id)
            .with_for_update()
        )
        found += connection.execute(statement).scalars()
    return found


def delete(
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
