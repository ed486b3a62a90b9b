"""The messages of a conversation as rows, and which of them a table has."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from chatdb.formats.base import WriteOptions
from chatdb.formats.branches import active_path
from chatdb.formats.tables.columns import MESSAGES
from chatdb.formats.times import EPOCH
from chatdb.primitives import canonical
from chatdb.primitives.row_spans import RowSpan, span_of
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
    """A conversation without its messages, and all of these as rows, in one span or several."""

    record: Conversation
    spans: Sequence[RowSpan]

    @property
    def rows(self) -> list[MessageRow]:
        """The rows themselves."""
        return _rows_in(self.spans)


class ChosenRows(NamedTuple):
    """The rows of a conversation that a table has, and of each how it is shown there."""

    spans: Sequence[RowSpan]
    positions: Sequence[int]
    """Its place in the conversation, from 0."""
    active: Sequence[bool]
    hidden: Sequence[bool]

    @property
    def rows(self) -> list[MessageRow]:
        """The rows themselves."""
        return _rows_in(self.spans)


def _rows_in(spans: Sequence[RowSpan]) -> list[MessageRow]:
    return [row for span in spans for row in span.rows()]


def _spans_of(rows: Sequence[MessageRow]) -> list[RowSpan]:
    return [span_of(rows)] if rows else []


def rows_of(record: Conversation) -> ConversationRows:
    """Return a record's messages as rows."""
    return ConversationRows(record, _spans_of([*map(_row, record.messages)]))


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
    spans = conversation.spans
    # Most conversations are a single branch without marks: their rows are not even made.
    if _is_one_branch(conversation) and not any(map(_has_marks, spans)):
        count = sum(map(len, spans))
        return ChosenRows(spans, range(count), [True] * count, [False] * count)
    rows = conversation.rows
    hidden = [_is_hidden(row[_METADATA]) for row in rows]
    active: Collection[int]
    active = places = _active_places(conversation, rows)
    if options.all_branches and len(active) < len(rows):
        active, places = set(active), range(len(rows))
    if not options.include_hidden and True in hidden:
        places = [place for place in places if not hidden[place]]
    return ChosenRows(
        _spans_of([rows[place] for place in places]),
        places,
        [place in active for place in places],
        [hidden[place] for place in places],
    )


def _active_places(conversation: ConversationRows, rows: Sequence[MessageRow]) -> Sequence[int]:
    if _is_one_branch(conversation):
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
    path = active_path(msgspec.structs.replace(conversation.record, messages=messages))
    by_id = {message.id.int: place for place, message in enumerate(messages)}
    return [by_id[message.id.int] for message in path]


def _is_one_branch(conversation: ConversationRows) -> bool:
    """Tell whether each message of a chat follows the one before, and the last is the current."""
    record = conversation.record
    if record.kind != "chat" or record.current_message_id is None:
        return False
    last = None
    for span in conversation.spans:
        ids, parents = span.values(_ID), span.values(_PARENT)
        if parents[0] != last or parents[1:] != ids[:-1]:
            return False
        last = ids[-1]
    return last is not None and _text(last) == str(record.current_message_id)


def _has_marks(span: RowSpan) -> bool:
    return _MARK in b"".join(filter(None, span.values(_METADATA)))


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
    shown = zip(chosen.rows, chosen.positions, chosen.active, chosen.hidden, strict=True)
    for row, position, is_active, is_hidden in shown:
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
