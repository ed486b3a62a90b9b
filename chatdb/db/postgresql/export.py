"""Reads messages from PostgreSQL by binary COPY: the server writes the JSON as far as it can.

PostgreSQL and msgspec escape strings alike, so text arrives as JSON. The JSON columns do not: JSONB
has its own form of keys and numbers. JSON contains no control characters, so they can separate the
parts of one field: the messages of a whole conversation come as one row, if they are few and short.
Rows cost the client more than their bytes.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from psycopg import sql

from chatdb.db.connect import driver_connection
from chatdb.db.contract.message_text import (
    CHUNK_CHARACTERS,
    CHUNK_ROWS,
    NO_METADATA,
    CanonicalTexts,
    Chunk,
    Records,
    Selection,
    json_time,
    unreadable,
)
from chatdb.primitives import canonical
from chatdb.primitives.nesting import roomy
from chatdb.records import CITATIONS, MARKS, Message
from chatdb.store.columns import ID, ROLE, TIME, Column, columns_of

_PART, _SELDOM = b"\x02", b"\x01"
"""Between the three parts of a message, between messages, and around rarely used columns."""
_PARTS = 3
"""What comes before the metadata, the metadata, the time."""
_FIELDS = [column for column in columns_of("messages") if column.native]
_FIRST, *_, _LAST = [place for place, column in enumerate(_FIELDS) if column.seldom]
_TOGETHER = _FIELDS[_FIRST : _LAST + 1]
"""The fields from the first to the last of the columns seldom used, with those that stand between.

Where any of them is not NULL they come as one array: a message has hardly any of them.
"""


def _written(column: Column) -> str:
    """Return the SQL that writes a field behind a comma, nothing where it is left out."""
    name, start = column.name, f'\',"{column.name}":'
    if column.kind is ID:
        return f"{start}\"' || {name} || '\"'"
    if column.kind is ROLE:
        return f"{start}\"', {name}, '\"'"
    if column.absent == "empty":
        return f"CASE WHEN {name} <> '' THEN {start}' || to_json({name})::text END"
    return f"{start}' || to_json({name})::text"


def _lines() -> str:
    """Return the query that makes a text of each message, in which `{metadata}` is to be put."""
    first, *before = _FIELDS[:_FIRST]
    after = [column for column in _FIELDS[_LAST + 1 :] if column.name not in _LATER]
    seldom = ", ".join(column.name for column in _TOGETHER if column.seldom)
    array = ", ".join(_in_array(column) for column in _TOGETHER)
    between = [_written(column) for column in _TOGETHER if not column.seldom]
    usual = ", ".join([*between, "''"])
    together = (
        f"CASE WHEN num_nonnulls({seldom}) > 0"
        f" THEN concat(e'\\x01', json_build_array({array}), e'\\x01') ELSE concat({usual}) END"
    )
    parts = [*map(_written, before), together, *map(_written, after)]
    return (
        f"SELECT conversation_id, position, concat('{{\"{first.name}\":\"', {first.name}, '\"',"
        f" {', '.join(parts)}, e'\\x02', {{metadata}}, e'\\x02', created_at) AS line FROM messages"
    )


def _in_array(column: Column) -> str:
    return f"{column.name}::text" if column.kind is TIME else column.name


_LATER = ("metadata", "created_at")
"""What a message ends with."""
_LINES = _lines()
_WITH_MARKS = (
    f"CASE WHEN metadata ? '{MARKS}'"
    f" OR metadata -> 'metadata' ?| string_to_array('{' '.join(CITATIONS)}', ' ')"
    " THEN metadata ELSE '{}' END"
)
_FITS = "position BETWEEN 0 AND 1023 AND octet_length(line) <= 32768"
"""Which messages share a row: it cannot grow beyond 32 MB on the server."""
_WHOLE = "fits AND octet_length(lines) <= 1048576"
"""Which of those rows are sent; the messages of all other conversations come one by one."""
_STATEMENT = f"""COPY (
 SELECT rows.* FROM (
  SELECT conversation_id, bool_and({_FITS}) AS fits,
   string_agg(line, {{separator}}) FILTER (WHERE {_FITS}) AS lines
  FROM ({{lines}} WHERE organization_id = {{organization}} AND {{selected}}
   ORDER BY conversation_id, position) AS messages
  GROUP BY conversation_id ORDER BY conversation_id
 ) AS conversations CROSS JOIN LATERAL (
  SELECT conversations.conversation_id::text, lines WHERE {_WHOLE}
  UNION ALL
  SELECT conversation_id::text, line
  FROM ({{lines}} WHERE organization_id = {{organization}} AND NOT ({_WHOLE})
   AND conversation_id = conversations.conversation_id ORDER BY position) AS messages
 ) AS rows ORDER BY conversations.conversation_id
) TO STDOUT (FORMAT binary)"""
_RAW = ("bytea", "bytea")
"""The columns' types for the driver: bytes as received."""
_METADATA = CanonicalTexts(left_out=NO_METADATA)
_USUAL_TIME = b"2026-01-31 12:00:00.000001+00\n"
_MARKS = tuple(place for place, byte in enumerate(_USUAL_TIME) if byte in b"- :.+\n")
_decode_messages = roomy(msgspec.json.Decoder(list[Message]).decode)
_decode_message = roomy(msgspec.json.Decoder(Message).decode)
_split = roomy(msgspec.json.Decoder(list[msgspec.Raw]).decode)
_WHOLE_SECONDS = len("2026-01-31 12:00:00+00")

Row = tuple[bytes, bytes]
"""A conversation's id and some of its messages, their parts as the server wrote them."""


def read_messages(
    connection: sa.Connection, organization_id: UUID, selection: Selection
) -> Generator[Chunk, None, None]:
    """Yield the messages of the selected conversations as JSON, in the order of the index.

    Needs the settings TimeZone UTC and DateStyle ISO. Raises DatabaseFailedError for a row that no
    record can represent.
    """
    with closing(copied(connection, _statement(organization_id, selection))) as pending:
        for rows in pending:
            yield from _chunks(rows)


def copied(connection: sa.Connection, statement: sql.Composed) -> Generator[list[Row], None, None]:
    """Yield what is copied, some rows at a time."""
    pending: list[Row] = []
    size = 0
    with driver_connection(connection).cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(_RAW)
        for row in copy.rows():
            pending.append(row)
            size += len(row[1])
            # Times and metadata are converted for many messages at once;
            # a bound keeps the memory flat.
            if len(pending) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
                yield pending
                pending, size = [], 0
    yield pending


def read_records(
    connection: sa.Connection, organization_id: UUID, selection: Selection
) -> Generator[Records, None, None]:
    """Yield the messages that `read_messages` does as records, with its needs and errors."""
    with closing(read_messages(connection, organization_id, selection)) as chunks:
        for conversation, messages, _ in chunks:
            yield conversation, _records(conversation, b"[%b]" % messages)


def _records(conversation: str, messages: bytes) -> list[Message]:
    try:
        return _decode_messages(messages)
    # The batch says only that some message is invalid: one by one names it.
    except ValueError:
        for message in _split(messages):
            try:
                _decode_message(message)
            except ValueError as error:
                identifier = canonical.decode(message)["id"]
                what = f"message {identifier} of conversation {conversation}"
                raise unreadable(what, error) from error
        raise


def _statement(organization_id: UUID, selection: Selection) -> sql.Composed:
    """Write the statement with its values in it: COPY takes no parameters."""
    metadata = _WITH_MARKS if selection.marks_only else "metadata"
    lines = _LINES.replace("{metadata}", metadata)
    return copy_of_lines(lines, "e'\\x02,'", organization_id, selection)


def copy_of_lines(
    lines: str, separator: str, organization_id: UUID, selection: Selection
) -> sql.Composed:
    """Return the statement that copies a line of each message, those of a conversation together.

    `lines` is a query of `conversation_id`, `position` and `line`, without a condition.
    """
    ids = selection.ids
    if selection.gapless:
        selected = sql.SQL("conversation_id BETWEEN {}::uuid AND {}::uuid").format(ids[0], ids[-1])
    else:
        selected = sql.SQL("conversation_id = ANY ({}::uuid[])").format(list(ids))
    return sql.SQL(_STATEMENT).format(
        lines=sql.SQL(lines),
        separator=sql.SQL(separator),
        organization=organization_id,
        selected=selected,
    )


def _chunks(rows: Sequence[Row]) -> Iterator[Chunk]:
    """Yield a chunk for each row."""
    parts: list[bytes] = []
    ends: list[int] = []
    for _, lines in rows:
        parts += lines.split(_PART)
        ends.append(len(parts))
    try:
        _complete(parts, has_seldom=any(_SELDOM in lines for _, lines in rows))
    except ValueError:
        _find_unreadable(rows)
        raise
    start = 0
    for (conversation, _), end in zip(rows, ends, strict=True):
        yield conversation.decode(), b"".join(parts[start:end]), (end - start) // _PARTS
        start = end


def _find_unreadable(rows: Sequence[Row]) -> None:
    """Raise DatabaseFailedError for the first invalid message."""
    for conversation, lines in rows:
        parts = lines.split(_PART)
        for start in range(0, len(parts), _PARTS):
            message = parts[start : start + _PARTS]
            try:
                _complete(message, has_seldom=True)
            except ValueError as error:
                identifier = parts[start].split(b'"')[3].decode()
                what = f"message {identifier} of conversation {conversation.decode()}"
                raise unreadable(what, error) from error


def _complete(parts: list[bytes], *, has_seldom: bool) -> None:
    """Make JSON objects of messages in place; raises ValueError."""
    fronts, metadata, times = parts[0::_PARTS], parts[1::_PARTS], parts[2::_PARTS]
    if has_seldom:
        parts[0::_PARTS] = map(_with_seldom, fronts)
    found = _METADATA.all_of([None if text == NO_METADATA else text for text in metadata])
    parts[1::_PARTS] = [
        b',"metadata":%b,"created_at":"' % text if text else b',"created_at":"' for text in found
    ]
    parts[2::_PARTS] = _ends(times)


def _ends(times: Sequence[bytes]) -> list[bytes]:
    """Return the end of each message, its time: all at once if they have the usual form."""
    count, usual = len(times), len(_USUAL_TIME)
    lines = b"\n".join(
        [*(time if len(time) == usual - 1 else _padded(time) for time in times), b""]
    )
    # One comparison of columns proves the form of all times: parsing each costs more than the rest.
    if len(lines) != usual * count or any(
        lines[place::usual] != _USUAL_TIME[place : place + 1] * count for place in _MARKS
    ):
        # Years outside 1 to 9999 or BC, or another zone: rare, so one by one.
        return [json_time(time.decode()).encode() + b'"}' for time in times]
    ends = lines.replace(b" ", b"T").replace(b"+00\n", b'Z"}\n').replace(b".000000Z", b"Z")
    return ends.split(b"\n")[:-1]


def _padded(time: bytes) -> bytes:
    """Return a time in UTC with all six digits; PostgreSQL leaves out zeros at the end."""
    if not time.endswith(b"+00"):
        return time
    return (time[:-3] + (b"." if len(time) == _WHOLE_SECONDS else b"")).ljust(26, b"0") + b"+00"


def _with_seldom(front: bytes) -> bytes:
    if _SELDOM not in front:
        return front
    before, columns, after = front.split(_SELDOM)
    made = [
        b',"%b":%b' % (column.name.encode(), _encoded(column, value))
        for column, value in zip(_TOGETHER, canonical.decode(columns), strict=True)
        if value is not None
    ]
    return b"".join([before, *made, after])


def _encoded(column: Column, value: Any) -> bytes:
    return canonical.encode(json_time(value) if column.kind is TIME else value)
