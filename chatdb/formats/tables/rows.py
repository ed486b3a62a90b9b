"""The messages of a conversation as rows, and which of them a table has."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple
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
_id_of, _parent_of, _metadata_of = map(itemgetter, (_ID, _PARENT, _METADATA))
_MARK = b'"%b"' % MARKS.encode()
_encode_time = msgspec.json.Encoder().encode


class ConversationRows(msgspec.Struct, frozen=True, gc=False):
    """A conversation without its messages, and all of these as rows."""

    record: Conversation
    rows: Sequence[MessageRow]


class ChosenRows(NamedTuple):
    """The rows of a conversation that a table has, and of each how it is shown there."""

    rows: Sequence[MessageRow]
    positions: Sequence[int]
    """Its place in the conversation, from 0."""
    active: Sequence[bool]
    hidden: Sequence[bool]


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


def chosen_rows(conversation: ConversationRows, options: WriteOptions) -> ChosenRows:
    """Return the rows of the active branch, or of all branches in the conversation's order.

    Hidden ones are left out unless requested.
    """
    rows = conversation.rows
    # Most often no message has any metadata, or all have the same few.
    found = {*map(_metadata_of, rows)}
    hidden = [False] * len(rows)
    if any(map(_is_hidden, found)):
        hidden = [_is_hidden(row[_METADATA]) for row in rows]
    active: Collection[int]
    active = places = _active_places(conversation)
    if len(active) == len(rows) and True not in hidden:
        return ChosenRows(rows, range(len(rows)), [True] * len(rows), hidden)
    if options.all_branches and len(active) < len(rows):
        active, places = set(active), range(len(rows))
    if not options.include_hidden and True in hidden:
        places = [place for place in places if not hidden[place]]
    return ChosenRows(
        [rows[place] for place in places],
        places,
        [place in active for place in places],
        [hidden[place] for place in places],
    )


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
    if not rows or current is None or _text(rows[-1][_ID]) != str(current):
        return False
    return [None, *map(_id_of, rows)][:-1] == [*map(_parent_of, rows)]


def _is_hidden(metadata: Any) -> bool:
    return (
        metadata is not None and _MARK in metadata and is_marked_hidden(canonical.decode(metadata))
    )


def message_values(record: Conversation, chosen: ChosenRows) -> Iterator[list[Any]]:
    """Yield each message's values in the order of the columns `MESSAGES`."""
    beside = {
        "organization": record.organization,
        "conversation_id": str(record.id),
        "title": record.title,
        "source": record.source,
        "kind": record.kind,
    }
    for row, position, is_active, is_hidden in zip(*chosen, strict=True):
        values = beside | dict(zip(FIELDS, row, strict=True))
        values |= {
            "message_id": values["id"],
            "position": position,
            "on_active_branch": is_active,
            "hidden": is_hidden,
            "user_id": values["user_id"] or record.user_id,
        }
        yield [values[column.name] for column in MESSAGES]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else value.decode()
