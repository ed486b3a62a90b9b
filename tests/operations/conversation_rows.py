"""Conversations written straight into the tables, for the tests of search and conversations."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import conversations, messages, organizations
from chatdb.records import organization_id_of

START = datetime(2025, 1, 1, 12, tzinfo=UTC)


def add_organization(database: Database, key: str) -> UUID:
    """Make an organization and return its id."""
    identifier = organization_id_of(key)
    with database.transaction(write=True) as connection:
        connection.execute(
            sa.insert(organizations).values(id=identifier, key=key, name=key, created_at=START)
        )
    return identifier


def add_conversation(
    database: Database,
    contents: Sequence[str],
    *,
    number: int = 1,
    organization: str = "default",
    title: str | None = None,
    **fields: Any,
) -> UUID:
    """Write a conversation whose messages are a chain, a minute apart; return its id.

    Message k of conversation n has the id n * 1,000,000 + k, and the role user or assistant.
    """
    identifier: UUID = fields.pop("id", UUID(int=(0x70 << 120) + number))
    organization_id = organization_id_of(organization)
    started = START + timedelta(days=number)
    row = {
        "organization_id": organization_id,
        "id": identifier,
        "title": f"Conversation {number}" if title is None else title,
        "created_at": started,
        "updated_at": started,
        "metadata": {},
        **fields,
    }
    with database.transaction(write=True, settings={"chatdb.bulk": "on"}) as connection:
        connection.execute(sa.insert(conversations).values(**row))
        for position, content in enumerate(contents):
            connection.execute(
                sa.insert(messages).values(
                    organization_id=organization_id,
                    conversation_id=identifier,
                    id=message_id(number, position),
                    parent_id=message_id(number, position - 1) if position else None,
                    position=position,
                    role="assistant" if position % 2 else "user",
                    content=content,
                    metadata={},
                    created_at=started + timedelta(minutes=position),
                )
            )
        connection.execute(
            sa.update(conversations)
            .where(conversations.c.id == identifier)
            .values(updated_at=row["updated_at"])
        )
    return identifier


def message_id(number: int, position: int) -> UUID:
    """Return the id of a message that `add_conversation` wrote."""
    return UUID(int=number * 1_000_000 + position)


def change_message(database: Database, message: UUID, **values: Any) -> None:
    """Update columns of one message."""
    with database.transaction(write=True) as connection:
        connection.execute(sa.update(messages).where(messages.c.id == message).values(**values))
