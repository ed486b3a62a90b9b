"""Reads messages from PostgreSQL as rows of text, those of a conversation in one row of COPY.

A message's fields are separated by a control character, which no JSON has. Its content may have
any, so it stands behind a byte that no UTF-8 has, and so does the next message.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from operator import itemgetter
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
from chatdb.primitives.row_spans import RowSpan
from chatdb.store.columns import JSON, OBJECT, TEXT, TIME, Column, columns_of

_UTC = b"+00"
"""A time ends with it where TimeZone is UTC, but for `infinity` and years before Christ."""
_behind_year, _zone = itemgetter(slice(4, 5)), itemgetter(slice(-3, None))
_BETWEEN_FIELDS, _AROUND_CONTENT = b"\x02", b"\xff"
_FIELDS = [column for column in columns_of("messages") if column.native]
_SELDOM = [column for column in _FIELDS if column.seldom]
_LAST = "content"
_USUAL = [column for column in _FIELDS if not column.seldom and column.name != _LAST]
_PARTS = len(_USUAL) + 1
"""What stands before the content: these and the columns seldom used, as one."""
_SEPARATOR = "'\\xff'::bytea"


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
    fields = ", e'\\x02', ".join([*map(_selected, _USUAL), seldom])
    return (
        f"SELECT conversation_id, position, convert_to(concat({fields}), 'UTF8')"
        f" || {_SEPARATOR} || convert_to({_LAST}, 'UTF8') AS line FROM messages"
    )


_LINES = _lines()


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
    parts: list[bytes] = []
    ends: list[int] = []
    for _, lines in rows:
        parts += lines.split(_AROUND_CONTENT)
        ends.append(len(parts) // 2)
    try:
        columns = _columns_of(parts[0::2], parts[1::2], texts)
    except ValueError:
        # Together they say only that some message is invalid: one by one names it.
        _find_unreadable(rows, texts)
        raise
    start = 0
    for (conversation, lines), end in zip(rows, ends, strict=True):
        yield conversation.decode(), RowSpan(columns, start, end, len(lines))
        start = end


def _columns_of(
    fields: Sequence[bytes], contents: Sequence[bytes], texts: CanonicalTexts
) -> Sequence[Sequence[Any]]:
    """Return the columns of messages, of which these are the two parts; raises ValueError."""
    if not fields:
        return []
    # Those of all messages are cut at once: a call for each costs more than its cells.
    cells = _BETWEEN_FIELDS.join(fields).split(_BETWEEN_FIELDS)
    *usual, seldom = [cells[place::_PARTS] for place in range(_PARTS)]
    nothing = [None] * len(fields)
    columns: dict[str, Sequence[Any]] = {column.name: nothing for column in _FIELDS}
    for column, values in zip(_USUAL, usual, strict=True):
        if any(values):
            columns[column.name] = _converted(column, values, texts)
    columns |= _seldom_columns(seldom)
    columns[_LAST] = contents
    return [*columns.values()]


def _seldom_columns(arrays: Sequence[bytes]) -> dict[str, list[Any]]:
    """Return the columns seldom used of messages, none if no message has any."""
    if not any(arrays):
        return {}
    columns: dict[str, list[Any]] = {column.name: [None] * len(arrays) for column in _SELDOM}
    for place, array in enumerate(arrays):
        if array:
            for column, value in zip(_SELDOM, canonical.decode(array), strict=True):
                columns[column.name][place] = _seldom_value(column, value)
    return columns


def _converted(column: Column, values: Sequence[bytes], texts: CanonicalTexts) -> Sequence[Any]:
    if column.kind is OBJECT:
        return texts.all_of([value or None for value in values])
    if column.kind is TIME:
        # Arrow reads the usual form in a tenth of the time that making another one takes.
        if {*map(_behind_year, values)} == {b"-"} and {*map(_zone, values)} == {_UTC}:
            return values
        return [json_time(value.decode()) for value in values]
    if column.kind is TEXT:
        # The text of a JSON string is most often its bytes between the quotes.
        return [
            None if not value else value[1:-1] if b"\\" not in value else canonical.decode(value)
            for value in values
        ]
    return [value or None for value in values]


def _seldom_value(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.kind is JSON:
        return canonical.encode(value)
    return json_time(value) if column.kind is TIME else value


def _find_unreadable(rows: Sequence[Row], texts: CanonicalTexts) -> None:
    """Raise DatabaseFailedError for the first invalid message."""
    for conversation, lines in rows:
        parts = lines.split(_AROUND_CONTENT)
        for fields, content in zip(parts[0::2], parts[1::2], strict=True):
            try:
                _columns_of([fields], [content], texts)
            except ValueError as error:
                identifier = fields.split(_BETWEEN_FIELDS, 1)[0].decode()
                what = f"message {identifier} of conversation {conversation.decode()}"
                raise unreadable(what, error) from error
