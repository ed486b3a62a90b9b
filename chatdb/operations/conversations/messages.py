"""Messages of a conversation: add, list, edit; deleting is in `message_deletion`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import messages
from chatdb.errors import UsageError
from chatdb.formats.base import Tally
from chatdb.formats.cleaning import clean_message
from chatdb.records import Message, Role, new_id
from chatdb.store.holding import (
    AT_ONCE,
    CHANGING,
    Held,
    change,
    hold,
    with_retries,
)
from chatdb.store.naming import resolve_conversation, resolve_message
from chatdb.store.paging import cursor_of, read_place
from chatdb.store.selecting import organization_id
from chatdb.store.titles import title_of
from chatdb.store.trees import is_stored_list, link, newest_leaf, read_tree

CONTENTS = ("reasoning", "tool_calls", "tool_outputs", "attachments", "attached_text")
"""Fields that a message may have without any text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMessage:
    """A message to add; `parent` is its id or a part of it, None the active leaf.

    `id` and `created_at` are generated if they are None.
    """

    role: Role = "user"
    content: str = ""
    author: str | None = None
    model: str | None = None
    reasoning: Any = None
    tool_calls: Any = None
    tool_outputs: Any = None
    attachments: Any = None
    attached_text: str | None = None
    user_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    parent: str | None = None
    id: UUID = field(default_factory=new_id)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedMessages:
    """What was added to a conversation: ids in order, and the position of the first."""

    conversation_id: UUID
    title: str | None
    message_ids: tuple[UUID, ...]
    position: int
    replaced_characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMessage:
    """A message with its position; positions rise, and may leave gaps."""

    id: UUID
    position: int
    parent_id: UUID | None
    role: str
    author: str | None
    model: str | None
    content: str
    reasoning: Any
    tool_calls: Any
    tool_outputs: Any
    attachments: Any
    attached_text: str | None
    source_id: str | None
    edited_at: datetime | None
    user_id: str | None
    created_at: datetime
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MessagePage:
    """Messages in order; `next_cursor` is None on the last page."""

    conversation_id: UUID
    items: tuple[ListedMessage, ...]
    next_cursor: str | None


_LISTED = tuple(each.name for each in fields(ListedMessage))


def add(
    database: Database,
    conversation: str,
    new: Sequence[NewMessage],
    *,
    organization_key: str,
    user_id: str | None = None,
) -> AddedMessages:
    """Add messages at the end, each below the one before, in one transaction.

    The last one becomes the active leaf. Raises NotFoundError, UsageError for an empty message or
    an id in use.
    """
    for message in new:
        check(message)

    def work() -> AddedMessages:
        with database.transaction(write=True, settings=CHANGING) as connection:
            organization = organization_id(connection, organization_key)
            identifier = resolve_conversation(
                connection, organization, conversation, user_id=user_id
            )
            return insert(connection, hold(connection, organization, identifier), new)

    return with_retries(database, work)


def check(new: NewMessage) -> None:
    """Raise UsageError for an empty message."""
    if not new.content.strip() and not any(getattr(new, name) for name in CONTENTS):
        raise UsageError(
            "the message is empty",
            hint="give it some text, or reasoning, tool calls, tool outputs or attachments",
        )


def insert(connection: sa.Connection, held: Held, new: Sequence[NewMessage]) -> AddedMessages:
    """Add messages to a locked conversation, even if a previous attempt did it already."""
    own = _own(held.organization_id, held.id)
    ids = tuple(each.id for each in new)
    position = _taken(connection, own, ids)
    tally = Tally()
    if position is None:
        position = connection.execute(
            sa.select(sa.func.coalesce(sa.func.max(messages.c.position), -1) + 1).where(*own)
        ).scalar_one()
        place = _place(connection, held, new[0])
        rows: list[dict[str, Any]] = []
        for index, each in enumerate(new):
            parent = place.parent
            if index and each.parent is not None:
                parent = _named_parent(connection, held, each.parent, ids[:index])
            record = _record(each, held, parent)
            clean_message(record, tally)
            rows.append(_row(record, held, position + index))
            if place.is_linked:
                place = _Place(record.id, is_linked=True)
        connection.execute(sa.insert(messages), rows)
        title = held.title or _title(held, rows)
        change(connection, held, current_message_id=ids[-1], title=title)
    else:
        title = held.title
    return AddedMessages(
        conversation_id=held.id,
        title=title,
        message_ids=ids,
        position=position,
        replaced_characters=tally.replaced_characters,
    )


def list_page(
    database: Database,
    conversation: str,
    *,
    organization_key: str,
    user_id: str | None = None,
    limit: int = 50,
    after: str | None = None,
    newest_first: bool = False,
    roles: Sequence[str] = (),
) -> MessagePage:
    """Return a page of a conversation's messages, of every branch, including hidden ones."""
    columns = messages.c
    statement = sa.select(*(columns[name] for name in _LISTED))
    if roles:
        statement = statement.where(columns.role.in_(roles))
    if after is not None:
        place, _ = read_place("messages", after, ids=0)
        beyond = columns.position < place if newest_first else columns.position > place
        statement = statement.where(beyond)
    order = columns.position.desc() if newest_first else columns.position.asc()
    with database.transaction(settings=_WALKING) as connection:
        organization = organization_id(connection, organization_key)
        identifier = resolve_conversation(connection, organization, conversation, user_id=user_id)
        own = statement.where(*_own(organization, identifier)).order_by(order).limit(limit + 1)
        rows = connection.execute(own).mappings().fetchall()
    items = tuple(ListedMessage(**row) for row in rows[:limit])
    cursor = cursor_of("messages", items[-1].position, ()) if len(rows) > limit else None
    return MessagePage(conversation_id=identifier, items=items, next_cursor=cursor)


def read_listed(
    connection: sa.Connection, organization: UUID, conversation: UUID, ids: Sequence[UUID]
) -> list[ListedMessage]:
    """Return those of the messages that exist, in order."""
    found: list[ListedMessage] = []
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        query = sa.select(*(messages.c[name] for name in _LISTED)).where(
            *_own(organization, conversation), messages.c.id.in_(some)
        )
        found += [ListedMessage(**row) for row in connection.execute(query).mappings()]
    return sorted(found, key=lambda message: message.position)


_WALKING = {"enable_seqscan": "off", "jit": "off"}


def edit(
    database: Database,
    conversation: str,
    message: str,
    changes: dict[str, Any],
    *,
    organization_key: str,
    user_id: str | None = None,
) -> ListedMessage:
    """Set fields of a message (`NewMessage` lists them); later imports keep these values.

    Raises NotFoundError, and UsageError if the message would become empty.
    """

    def work() -> ListedMessage:
        with database.transaction(write=True, settings=CHANGING) as connection:
            organization = organization_id(connection, organization_key)
            identifier = resolve_conversation(
                connection, organization, conversation, user_id=user_id
            )
            held = hold(connection, organization, identifier)
            named = resolve_message(connection, organization, identifier, message)
            own = (*_own(organization, identifier), messages.c.id == named)
            select = sa.select(*(messages.c[name] for name in _LISTED)).where(*own)
            before = connection.execute(select).mappings().one()
            values = _edited(before, changes)
            if values:
                values["edited_at"] = held.now
                connection.execute(sa.update(messages).where(*own).values(**values))
                change(connection, held)
            return ListedMessage(**connection.execute(select).mappings().one())

    return with_retries(database, work)


def _edited(before: Any, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the cleaned values that differ from the stored ones."""
    record = Message(**{name: before[name] for name in Message.__struct_fields__})
    after = msgspec.structs.replace(record, **changes)
    clean_message(after, Tally())
    check(NewMessage(content=after.content, **{name: getattr(after, name) for name in CONTENTS}))
    return {
        name: getattr(after, name)
        for name in (*changes, "metadata")
        if getattr(after, name) != before[name]
    }


def _own(organization: UUID, conversation: UUID) -> tuple[sa.ColumnElement[bool], ...]:
    columns = messages.c
    return columns.organization_id == organization, columns.conversation_id == conversation


def _taken(connection: sa.Connection, own: Any, ids: Sequence[UUID]) -> int | None:
    """Return whether all of the messages exist; raises UsageError if only some of them do."""
    found: dict[UUID, int] = {}
    for start in range(0, len(ids), AT_ONCE):
        query = sa.select(messages.c.id, messages.c.position).where(
            *own, messages.c.id.in_(ids[start : start + AT_ONCE])
        )
        found |= {row.id: row.position for row in connection.execute(query)}
    if not found and len(set(ids)) == len(ids):
        return None
    if list(found) and sorted(found, key=found.__getitem__) == list(ids):
        return found[ids[0]]
    taken = next(iter(found), None) or next(each for each in ids if ids.count(each) > 1)
    raise UsageError(
        f"the conversation already has a message {taken}",
        hint="leave out the id to create a new one",
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """The message that the next one replies to, and whether those after it form a chain."""

    parent: UUID | None
    is_linked: bool


def _place(connection: sa.Connection, held: Held, first: NewMessage) -> _Place:
    """Return where to add: below the given message, or at the active leaf.

    If no message names its parent they form a list, and stay one if none is given.
    """
    organization, conversation = held.organization_id, held.id
    is_list = is_stored_list(connection, organization, conversation)
    if first.parent is not None:
        if is_list:
            link(connection, held)
        named = resolve_message(connection, organization, conversation, first.parent)
        return _Place(named, is_linked=True)
    if is_list:
        return _Place(None, is_linked=False)
    current = held.current_message_id
    if current is not None:
        query = sa.select(messages.c.id).where(
            *_own(organization, conversation), messages.c.id == current
        )
        if connection.execute(query).first() is not None:
            return _Place(current, is_linked=True)
    return _Place(newest_leaf(read_tree(connection, organization, conversation)), is_linked=True)


def _named_parent(
    connection: sa.Connection, held: Held, text: str, before: Sequence[UUID]
) -> UUID | None:
    """Return the parent that a later message names: one of the batch, or a stored one."""
    for identifier in before:
        if text.lower() == str(identifier):
            return identifier
    return resolve_message(connection, held.organization_id, held.id, text)


def _record(new: NewMessage, held: Held, parent: UUID | None) -> Message:
    names = ("id", "role", "content", "author", "model", "metadata", *CONTENTS)
    values = {name: getattr(new, name) for name in names}
    return Message(**values, parent_id=parent, created_at=new.created_at or held.now)


def _row(record: Message, held: Held, position: int) -> dict[str, Any]:
    return {
        "organization_id": held.organization_id,
        "conversation_id": held.id,
        "position": position,
        **msgspec.structs.asdict(record),
    }


def _title(held: Held, rows: Sequence[dict[str, Any]]) -> str | None:
    """Return a title for a conversation created here, from its first user message."""
    if held.source is not None:
        return None
    said = next((row["content"] for row in rows if row["role"] == "user"), None)
    return None if said is None else title_of(said)
