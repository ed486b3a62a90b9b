"""Conversations one at a time and page by page: list, name, read, delete."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import (
    conversation_summaries,
    conversations,
    messages,
    snapshots,
    tombstones,
)
from chatdb.errors import NotFoundError, UsageError
from chatdb.operations.conversation_batches import organization_id
from chatdb.operations.imports_stored import read_stored
from chatdb.operations.paging import cursor_of, read_cursor
from chatdb.records import Conversation

FEWEST_DIGITS = 4
"""Of an id that is not written in full."""
LAST = "last"
WHOLE_CONVERSATION = UUID(int=0)
"""The `message_id` of a tombstone that stands for the conversation."""

_SHOWN_CANDIDATES = 5
_HEXADECIMAL = re.compile(r"[0-9a-f]{1,32}")
_LIST_HINT = "chatdb conversations list"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationSummary:
    """A row of the list; the count is of all messages, hidden ones and all branches too."""

    id: UUID
    title: str | None
    user_id: str | None
    message_count: int
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationPage:
    """Conversations, last updated first; `next_cursor` is None on the last page."""

    items: tuple[ConversationSummary, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletedConversation:
    """What goes, or went, with a conversation."""

    id: UUID
    title: str | None
    user_id: str | None
    messages: int
    snapshots: int


def list_page(
    database: Database,
    *,
    organization_key: str,
    limit: int = 50,
    after: str | None = None,
    user_id: str | None = None,
    archived: bool | None = False,
) -> ConversationPage:
    """Return a page of conversations, last updated first; `archived` None means both kinds.

    A page costs the same wherever it lies. Raises NotFoundError for an unknown organization,
    UsageError for a cursor that is none.
    """
    view = conversation_summaries.c
    names = ConversationSummary.__dataclass_fields__
    statement = sa.select(*(view[name] for name in names))
    if user_id is not None:
        statement = statement.where(view.user_id == user_id)
    if archived is not None:
        statement = statement.where(
            view.archived_at.is_not(None) if archived else view.archived_at.is_(None)
        )
    if after is not None:
        updated_at, (identifier,) = read_cursor("conversations", after, ids=1)
        statement = statement.where(sa.tuple_(view.updated_at, view.id) < (updated_at, identifier))
    statement = statement.order_by(view.updated_at.desc(), view.id.desc()).limit(limit + 1)
    with database.transaction(settings=_READING) as connection:
        organization = organization_id(connection, organization_key)
        own = statement.where(view.organization_id == organization)
        rows = connection.execute(own).mappings().fetchall()
    items = tuple(ConversationSummary(**row) for row in rows[:limit])
    last = items[-1] if len(rows) > limit else None
    cursor = None if last is None else cursor_of("conversations", last.updated_at, (last.id,))
    return ConversationPage(items=items, next_cursor=cursor)


_READING = {"enable_seqscan": "off", "jit": "off"}
"""A planner without statistics would read and sort the whole table for one page."""


def resolve_conversation(connection: sa.Connection, organization: UUID, text: str) -> UUID:
    """Return the id that is meant: in full, its beginning or its end (4 digits or more), or `last`.

    Ids made together begin alike: their ends tell them apart. Raises NotFoundError for none,
    UsageError for several or too few digits.
    """
    table = conversations.c
    if text.strip().lower() == LAST:
        return _last(connection, organization)
    digits = text.strip().lower().replace("-", "")
    if not _HEXADECIMAL.fullmatch(digits):
        raise NotFoundError(f"there is no conversation {text!r}", hint=_LIST_HINT)
    if len(digits) < FEWEST_DIGITS:
        raise UsageError(
            f"{text!r} is too short for an id: give {FEWEST_DIGITS} digits or more",
            hint=_LIST_HINT,
        )
    lowest, highest = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    own = sa.select(table.id).where(table.organization_id == organization)
    candidates = own.where(table.id.between(lowest, highest)).limit(_SHOWN_CANDIDATES + 1)
    found: set[UUID] = set(connection.execute(candidates).scalars())
    if len(digits) < 32:
        ending = sa.cast(table.id, sa.Text).like("%" + _hyphenated_end(digits))
        found |= set(connection.execute(own.where(ending).limit(_SHOWN_CANDIDATES + 1)).scalars())
    if not found:
        raise NotFoundError(f"there is no conversation {text!r}", hint=_LIST_HINT)
    if len(found) > 1:
        names = [str(each) for each in sorted(found)]
        more = " ..." if len(names) > _SHOWN_CANDIDATES else ""
        shown = ", ".join(names[:_SHOWN_CANDIDATES])
        raise UsageError(f"{text!r} may be any of {shown}{more}", hint="give more digits of the id")
    return found.pop()


def read_conversation(database: Database, text: str, *, organization_key: str) -> Conversation:
    """Return the conversation that `resolve_conversation` finds, whole, in one consistent state."""
    with database.transaction(snapshot=True) as connection:
        organization = organization_id(connection, organization_key)
        identifier = resolve_conversation(connection, organization, text)
        return read_stored(connection, organization, [identifier])[identifier].record


def find_deletable(
    database: Database, texts: Sequence[str], *, organization_key: str
) -> list[DeletedConversation]:
    """Return what would go with the conversations named; raises as `resolve_conversation`."""
    with database.transaction(snapshot=True) as connection:
        organization = organization_id(connection, organization_key)
        ids = [resolve_conversation(connection, organization, text) for text in texts]
        return describe(connection, organization, list(dict.fromkeys(ids)))


def describe(
    connection: sa.Connection, organization: UUID, ids: Sequence[UUID]
) -> list[DeletedConversation]:
    """Return what goes with those of the conversations that exist, in the order of the ids."""
    found = (_describe(connection, organization, identifier) for identifier in ids)
    return [each for each in found if each is not None]


def lock(connection: sa.Connection, organization: UUID, ids: Sequence[UUID]) -> list[UUID]:
    """Lock the conversations against every change until the transaction ends; return the found."""
    table = conversations.c
    found: list[UUID] = []
    for identifier in sorted(ids):
        statement = sa.select(table.id).where(
            table.organization_id == organization, table.id == identifier
        )
        found += connection.execute(statement.with_for_update()).scalars()
    return found


def delete(
    connection: sa.Connection, organization: UUID, ids: Sequence[UUID], *, reason: str
) -> None:
    """Delete conversations with all that is theirs, and leave a tombstone for each."""
    now = datetime.now(UTC)
    for identifier in ids:
        connection.execute(
            sa.delete(conversations).where(
                conversations.c.organization_id == organization, conversations.c.id == identifier
            )
        )
        key = {
            "organization_id": organization,
            "conversation_id": identifier,
            "message_id": WHOLE_CONVERSATION,
        }
        connection.execute(sa.delete(tombstones).filter_by(**key))
        connection.execute(sa.insert(tombstones).values(**key, deleted_at=now, reason=reason))


def _describe(
    connection: sa.Connection, organization: UUID, identifier: UUID
) -> DeletedConversation | None:
    def count(table: sa.Table) -> Any:
        return (
            sa.select(sa.func.count())
            .where(table.c.organization_id == organization, table.c.conversation_id == identifier)
            .scalar_subquery()
        )

    table = conversations.c
    row = connection.execute(
        sa.select(table.title, table.user_id, count(messages), count(snapshots)).where(
            table.organization_id == organization, table.id == identifier
        )
    ).one_or_none()
    if row is None:
        return None
    title, user_id, message_count, snapshot_count = row
    return DeletedConversation(
        id=identifier,
        title=title,
        user_id=user_id,
        messages=message_count,
        snapshots=snapshot_count,
    )


def _last(connection: sa.Connection, organization: UUID) -> UUID:
    table = conversations.c
    newest: UUID | None = connection.scalar(
        sa.select(table.id)
        .where(table.organization_id == organization)
        .order_by(table.updated_at.desc(), table.id.desc())
        .limit(1)
    )
    if newest is None:
        raise NotFoundError("there is no conversation yet", hint="chatdb import FILE")
    return newest


def _hyphenated_end(digits: str) -> str:
    """Write the last digits of a UUID with its hyphens."""
    whole = str(UUID(digits.rjust(32, "0")))
    wanted, end = len(digits), ""
    for character in reversed(whole):
        if not wanted:
            break
        end = character + end
        wanted -= character != "-"
    return end
