"""The messages of a conversation as rows, and which of them a table has."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from chatdb.formats.base import WriteOptions
from chatdb.formats.branches import active_path
from chatdb.formats.tables.columns import MESSAGES
from chatdb.formats.times import EPOCH
from chatdb.primitives import canonical
from chatdb.records import MARKS, Conversation, Message, is_marked_hidden
from chatdb.store.columns import ID, JSON, OBJECT, TIME, fields_of

MessageRow = Sequence[Any]
"""A message's fields in the order of the record: text as str or as UTF-8, JSON in its canonical
form as bytes, times as ISO 8601 in UTC, however the database writes them; None for no value."""

FIELDS = fields_of("messages")
LONG = ("content", "attached_text", *fields_of("messages", JSON, OBJECT))
"""The fields that may be long."""
_PLACES = {name: place for place, name in enumerate(FIELDS)}
_ID, _PARENT, _TIME = map(_PLACES.__getitem__, ("id", "parent_id", "created_at"))
_METADATA = _PLACES["metadata"]
_MARK = b'"%b"' % MARKS.encode()
_encode_time = msgspec.json.Encoder().encode


class ConversationRows(msgspec.Struct, frozen=True, gc=False):
    """A conversation without its messages, and all of these as rows."""

    record: Conversation
    rows: Sequence[MessageRow]


class ChosenRow(msgspec.Struct, frozen=True, gc=False):
    """A row for a table: its place in the conversation, and how it is shown there."""

    row: MessageRow
    position: int
    is_active: bool
    is_hidden: bool


def rows_of(record: Conversation) -> ConversationRows:
    """Return a record's messages as rows."""
    return ConversationRows(record, [_row(message) for message in record.messages])


def _row(message: Message) -> MessageRow:
    row = [getattr(message, name) for name in FIELDS]
    for place, made in _MADE:
        if row[place] is not None:
            row[place] = made(row[place])
    if not message.metadata:
        row[_METADATA] = None
    return row


def json_text(value: Any) -> bytes:
    """Return a value's canonical JSON, whatever its texts hold."""
    try:
        return canonical.encode(value)
    except UnicodeEncodeError:
        return canonical.encode(canonical.clean(value)[0])


def time_text(time: datetime) -> str:
    """Return a time as the native format writes it."""
    return _encode_time(time).decode()[1:-1]


UNKNOWN = time_text(EPOCH)
"""What stands for a time that is not known."""


_MADE: list[tuple[int, Callable[[Any], Any]]] = [
    (_PLACES[name], made)
    for kinds, made in (((ID,), str), ((TIME,), time_text), ((JSON, OBJECT), json_text))
    for name in fields_of("messages", *kinds)
]


def chosen_rows(conversation: ConversationRows, options: WriteOptions) -> Iterator[ChosenRow]:
    """Yield the rows of the active branch, or of all branches in the conversation's order.

    Hidden ones are left out unless requested.
    """
    rows = conversation.rows
    places = _active_places(conversation)
    active: Any = places
    if options.all_branches and len(places) < len(rows):
        active, places = set(places), range(len(rows))
    for place in places:
        row = rows[place]
        hidden = _is_hidden(row)
        if options.include_hidden or not hidden:
            yield ChosenRow(row, place, active is places or place in active, hidden)


def _active_places(conversation: ConversationRows) -> Sequence[int]:
    rows, record = conversation.rows, conversation.record
    if record.kind == "chat" and _is_one_branch(rows, record.current_message_id):
        return range(len(rows))
    messages = [
        Message(
            id=UUID(_text(row[_ID])),
            parent_id=None if row[_PARENT] is None else UUID(_text(row[_PARENT])),
            role="user",
            created_at=datetime.fromisoformat(_text(row[_TIME])),
        )
        for row in rows
    ]
    path = active_path(msgspec.structs.replace(record, messages=messages))
    by_id = {message.id.int: place for place, message in enumerate(messages)}
    return [by_id[message.id.int] for message in path]


def _is_one_branch(rows: Sequence[MessageRow], current: UUID | None) -> bool:
    """Tell whether each message follows the one before it, and the last is the current one."""
    above = None
    for row in rows:
        if row[_PARENT] != above:
            return False
        above = row[_ID]
    return above is not None and current is not None and _text(above) == str(current)


def _is_hidden(row: MessageRow) -> bool:
    metadata = row[_METADATA]
    return (
        metadata is not None and _MARK in metadata and is_marked_hidden(canonical.decode(metadata))
    )


def message_values(conversation: ConversationRows, chosen: ChosenRow) -> list[Any]:
    """Return a message's values in the order of the columns `MESSAGES`."""
    record = conversation.record
    values = dict(zip(FIELDS, chosen.row, strict=True))
    values |= {
        "organization": record.organization,
        "conversation_id": str(record.id),
        "title": record.title,
        "source": record.source,
        "kind": record.kind,
        "message_id": values["id"],
        "position": chosen.position,
        "on_active_branch": chosen.is_active,
        "hidden": chosen.is_hidden,
        "user_id": values["user_id"] or record.user_id,
    }
    return [values[column.name] for column in MESSAGES]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else value.decode()
