"""Reads messages from PostgreSQL as rows of text, those of a conversation in one row of COPY.

A message's fields are separated by a control character, which no JSON has; its content comes last
and may have any. Messages are separated by a byte that no UTF-8 has.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.message_text import (
    NO_METADATA,
    CanonicalTexts,
    Rows,
    Selection,
    json_time,
    unreadable,
)
from chatdb.db.postgresql.export import Row, copied, copy_of_lines
from chatdb.primitives import canonical
from chatdb.store.columns import ID, JSON, OBJECT, ROLE, TEXT, TIME, Column, columns_of

_BETWEEN_FIELDS, _BETWEEN_MESSAGES = b"\x02", b"\xff"
_FIELDS = [column for column in columns_of("messages") if column.native]
_PLACES = {column.name: place for place, column in enumerate(_FIELDS)}
_SELDOM = [column for column in _FIELDS if column.seldom]
_LAST = "content"
_USUAL = [column for column in _FIELDS if not column.seldom and column.name != _LAST]
_PARTS = len(_USUAL) + 1
"""Separators in a message: before the columns seldom used and before the content."""


def _selected(column: Column) -> str:
    if column.kind is OBJECT:
        return f"CASE WHEN {column.name} <> '{{}}' THEN {column.name} END"
    return f"to_json({column.name})" if column.kind is TEXT else column.name


def _lines() -> str:
    names = ", ".join(column.name for column in _SELDOM)
    array = ", ".join(
        f"{column.name}::text" if column.kind is TIME else column.name for column in _SELDOM
    )
    # Rarely used columns come as one: every additional column costs each row time.
    seldom = f"CASE WHEN num_nonnulls({names}) > 0 THEN json_build_array({array}) END"
    fields = ", e'\\x02', ".join([*map(_selected, _USUAL), seldom, _LAST])
    return (
        f"SELECT conversation_id, position, convert_to(concat({fields}), 'UTF8') AS line"
        " FROM messages"
    )


_LINES = _lines()
_SEPARATOR = "'\\xff'::bytea"


def read_rows(
    connection: sa.Connection, organization_id: UUID, selection: Selection
) -> Generator[Rows, None, None]:
    """Yield the messages of the selected conversations as rows of text, their values as bytes.

    Needs the settings TimeZone UTC and DateStyle ISO. Raises DatabaseFailedError for a row that no
    record can represent.
    """
    texts = CanonicalTexts(left_out=NO_METADATA)
    statement = copy_of_lines(_LINES, _SEPARATOR, organization_id, selection)
    with closing(copied(connection, statement)) as pending:
        for rows in pending:
            yield from _made(rows, texts)


def _made(rows: Sequence[Row], texts: CanonicalTexts) -> Iterator[Rows]:
    messages = [
        (conversation.decode(), [_parts(line) for line in lines.split(_BETWEEN_MESSAGES)])
        for conversation, lines in rows
    ]
    flat = [parts[_METADATA] for _, found in messages for parts in found]
    try:
        metadata = iter(texts.all_of(flat))
    except ValueError:
        # The batch says only that some message is invalid: one by one names it.
        metadata = iter([_one(name, parts, texts) for name, found in messages for parts in found])
    for conversation, found in messages:
        yield conversation, [_values(conversation, parts, next(metadata)) for parts in found]


def _parts(line: bytes) -> list[bytes | None]:
    """Return the usual fields as they were written, those seldom used, and the content."""
    return [part or None for part in line.split(_BETWEEN_FIELDS, _PARTS)]


def _one(conversation: str, parts: list[bytes | None], texts: CanonicalTexts) -> Any:
    try:
        (metadata,) = texts.all_of([parts[_METADATA]])
    except ValueError as error:
        raise _unreadable(conversation, parts, error) from error
    return metadata


_METADATA = next(place for place, column in enumerate(_USUAL) if column.kind is OBJECT)


def _text(part: bytes) -> bytes | str:
    """Return the text of a JSON string, most often its bytes between the quotes."""
    if b"\\" in part:
        return str(canonical.decode(part))
    return part[1:-1]


def _time(part: bytes) -> str:
    return json_time(part.decode())


_MAKERS: list[tuple[int, int, Callable[[bytes], Any]]] = [
    (_PLACES[column.name], place, maker)
    for place, column in enumerate(_USUAL)
    for kind, maker in ((TEXT, _text), (TIME, _time))
    if column.kind is kind
]
_KEPT = [
    (_PLACES[column.name], place)
    for place, column in enumerate(_USUAL)
    if column.kind in (ID, ROLE)
]
_METADATA_FIELD, _CONTENT_FIELD = _PLACES["metadata"], _PLACES[_LAST]


def _values(conversation: str, parts: list[bytes | None], metadata: bytes | None) -> list[Any]:
    values: list[Any] = [None] * len(_FIELDS)
    for field, place in _KEPT:
        values[field] = parts[place]
    values[_METADATA_FIELD] = metadata
    values[_CONTENT_FIELD] = parts[-1] or b""
    try:
        for field, place, made in _MAKERS:
            part = parts[place]
            if part is not None:
                values[field] = made(part)
        seldom = parts[-2]
        if seldom is not None:
            for column, value in zip(_SELDOM, canonical.decode(seldom), strict=True):
                values[_PLACES[column.name]] = _seldom_value(column, value)
    except ValueError as error:
        raise _unreadable(conversation, parts, error) from error
    return values


def _seldom_value(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.kind is JSON:
        return canonical.encode(value)
    return json_time(value) if column.kind is TIME else value


def _unreadable(conversation: str, parts: list[bytes | None], error: ValueError) -> Exception:
    identifier = (parts[0] or b"").decode()
    return unreadable(f"message {identifier} of conversation {conversation}", error)
