"""Lists attachments that are kept: by conversation, message and position."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import conversations, files, message_files
from chatdb.records import Organization
from chatdb.store.every_organization import Scope, chosen
from chatdb.store.gathered_page import GatheredPage
from chatdb.store.naming import resolve_conversation

_table = message_files.c
_IDS = 32
"""Digits of an id in a cursor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAttachment:
    """A kept file of a message; `position` is that of its entry in the message's attachments."""

    conversation_id: UUID
    message_id: UUID
    position: int
    name: str | None
    size: int | None
    media_type: str | None
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentFilter:
    """Which attachments: of a conversation, of a user, with a media type that begins so."""

    conversation: str | None = None
    user_id: str | None = None
    media_type: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentPage:
    """Attachments in order; `organizations` are their keys in a list of all organizations."""

    items: tuple[ListedAttachment, ...]
    organizations: tuple[str, ...] | None
    next_cursor: str | None


def list_page(
    database: Database,
    *,
    organization_key: Scope,
    wanted: AttachmentFilter,
    limit: int = 50,
    after: str | None = None,
) -> AttachmentPage:
    """Return a page; raises NotFoundError for an unknown organization or conversation."""
    everywhere = not isinstance(organization_key, str)
    page: GatheredPage[ListedAttachment] = GatheredPage(
        "attachments", limit, after, everywhere=everywhere, ascending=True
    )
    with database.transaction() as connection:
        for organization in list(chosen(connection, database.dialect, organization_key)):
            statement = _statement(connection, organization, wanted, page.place(organization))
            rows = connection.execute(statement.limit(limit + 1)).mappings()
            page.add(organization, (_keyed(ListedAttachment(**row)) for row in rows))
    return AttachmentPage(
        items=tuple(item for _, item in page.items),
        organizations=page.organizations,
        next_cursor=page.cursor,
    )


def every_attachment(
    connection: sa.Connection, organization: Organization, wanted: AttachmentFilter
) -> Iterator[ListedAttachment]:
    """Yield all of an organization in order, some rows at a time."""
    options = {"stream_results": True, "yield_per": 500}
    statement = _statement(connection, organization, wanted, None)
    with connection.execute(statement, execution_options=options) as rows:
        for row in rows.mappings():
            yield ListedAttachment(**row)


def _keyed(item: ListedAttachment) -> tuple[tuple[Any, ...], ListedAttachment]:
    return (item.conversation_id.hex + item.message_id.hex, UUID(int=item.position)), item


def _statement(
    connection: sa.Connection,
    organization: Organization,
    wanted: AttachmentFilter,
    place: tuple[Any, ...] | None,
) -> sa.Select[Any]:
    own_files = (files.c.organization_id == _table.organization_id) & (
        files.c.digest == _table.digest
    )
    statement = (
        sa.select(
            *(_table.conversation_id, _table.message_id, _table.position, _table.name),
            *(files.c.size, files.c.media_type, _table.digest),
        )
        .select_from(message_files.outerjoin(files, own_files))
        .where(_table.organization_id == organization.id)
        .order_by(_table.conversation_id, _table.message_id, _table.position)
    )
    if wanted.conversation is not None:
        named = resolve_conversation(
            connection, organization.id, wanted.conversation, user_id=wanted.user_id
        )
        statement = statement.where(_table.conversation_id == named)
    if wanted.user_id is not None:
        of_user = sa.exists().where(
            conversations.c.organization_id == _table.organization_id,
            conversations.c.id == _table.conversation_id,
            conversations.c.user_id == wanted.user_id,
        )
        statement = statement.where(of_user)
    if wanted.media_type is not None:
        begins = files.c.media_type.startswith(wanted.media_type, autoescape=True)
        statement = statement.where(begins)
    return statement if place is None else statement.where(_behind(place))


def _behind(place: tuple[Any, ...]) -> sa.ColumnElement[bool]:
    text, position = place
    ids = (UUID(hex=text[:_IDS]), UUID(hex=text[_IDS:]))
    there = (
        sa.literal(ids[0], _table.conversation_id.type),
        sa.literal(ids[1], _table.message_id.type),
        sa.literal(position.int, _table.position.type),
    )
    here = sa.tuple_(_table.conversation_id, _table.message_id, _table.position)
    behind: sa.ColumnElement[bool] = here > sa.tuple_(*there)
    return behind
