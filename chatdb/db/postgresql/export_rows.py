"""Reads messages from PostgreSQL as rows of text, by binary COPY: a value is its bytes."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from psycopg import sql

from chatdb.db.connect import driver_connection
from chatdb.db.contract.message_text import (
    CHUNK_CHARACTERS,
    CHUNK_ROWS,
    NO_METADATA,
    CanonicalTexts,
    Rows,
    Selection,
    json_time,
    unreadable,
)
from chatdb.db.postgresql.export import selected
from chatdb.primitives import canonical
from chatdb.store.columns import ID, JSON, OBJECT, TIME, Column, columns_of

Row = tuple[bytes | None, ...]

_FIELDS = [column for column in columns_of("messages") if column.native]
_PLACES = {column.name: place for place, column in enumerate(_FIELDS)}
_SELDOM = [column for column in _FIELDS if column.seldom]
_USUAL = [column for column in _FIELDS if not column.seldom]
_TEXT_KINDS = (ID, TIME, JSON, OBJECT)
"""The kinds whose binary form is not their text."""
_METADATA, _CREATED_AT = (
    next(place for place, column in enumerate(_USUAL, 1) if column.name == name)
    for name in ("metadata", "created_at")
)
_usual_values = itemgetter(
    *(_USUAL.index(column) + 1 if column in _USUAL else -1 for column in _FIELDS)
)
"""Takes the fields out of a row: those seldom used are NULL, as the last column then is."""


def _selected(column: Column) -> str:
    if column.kind is OBJECT:
        return f"CASE WHEN {column.name} <> '{{{{}}}}' THEN {column.name}::text END"
    return f"{column.name}::text" if column.kind in _TEXT_KINDS else column.name


_ARRAY = ", ".join(
    f"{column.name}::text" if column.kind is TIME else column.name for column in _SELDOM
)
_NAMES = ", ".join(column.name for column in _SELDOM)
_STATEMENT = (
    f"COPY (SELECT conversation_id::text, {', '.join(map(_selected, _USUAL))},"
    f" CASE WHEN num_nonnulls({_NAMES}) > 0 THEN json_build_array({_ARRAY})::text END"
    " FROM messages WHERE organization_id = {organization} AND {selected}"
    " ORDER BY conversation_id, position) TO STDOUT (FORMAT binary)"
)
"""Rarely used columns come as one: every additional column costs each row time."""
_TYPES = ("bytea",) * (len(_USUAL) + 2)
"""The columns' types for the driver: bytes as received."""


def read_rows(
    connection: sa.Connection, organization_id: UUID, selection: Selection
) -> Generator[Rows, None, None]:
    """Yield the messages of the selected conversations as rows of text, all values as bytes.

    Needs the settings TimeZone UTC and DateStyle ISO. Raises DatabaseFailedError for a row that no
    record can represent.
    """
    texts = CanonicalTexts(left_out=NO_METADATA)
    with closing(_pending(connection, organization_id, selection)) as pending:
        for rows in pending:
            yield from _made(rows, texts)


def _pending(
    connection: sa.Connection, organization_id: UUID, selection: Selection
) -> Generator[list[Row], None, None]:
    """Yield the rows, some at a time: their metadata are converted together."""
    statement = sql.SQL(_STATEMENT).format(
        organization=organization_id, selected=selected(selection)
    )
    pending: list[Row] = []
    size = 0
    with driver_connection(connection).cursor() as cursor, cursor.copy(statement) as copy:
        copy.set_types(_TYPES)
        for row in copy.rows():
            pending.append(row)
            size += sum(map(len, filter(None, row)))
            if len(pending) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
                yield pending
                pending, size = [], 0
    if pending:
        yield pending


def _made(rows: Sequence[Row], texts: CanonicalTexts) -> Iterator[Rows]:
    try:
        metadata = texts.all_of([row[_METADATA] for row in rows])
    except ValueError:
        # The batch says only that some row is invalid: one by one names the message.
        metadata = [_one(row, texts) for row in rows]
    made = [_values(row, each) for row, each in zip(rows, metadata, strict=True)]
    start = 0
    for conversation, run in groupby(rows, itemgetter(0)):
        end = start + len(list(run))
        yield _text(conversation), made[start:end]
        start = end


def _one(row: Row, texts: CanonicalTexts) -> Any:
    try:
        (metadata,) = texts.all_of([row[_METADATA]])
    except ValueError as error:
        raise _unreadable(row, error) from error
    return metadata


def _values(row: Row, metadata: bytes | None) -> list[Any]:
    values: list[Any] = [*_usual_values(row)]
    values[_PLACES["metadata"]] = metadata
    try:
        values[_PLACES["created_at"]] = json_time(_text(row[_CREATED_AT]))
        seldom = row[-1]
        if seldom is not None:
            for column, value in zip(_SELDOM, canonical.decode(seldom), strict=True):
                values[_PLACES[column.name]] = _seldom_value(column, value)
    except ValueError as error:
        raise _unreadable(row, error) from error
    return values


def _seldom_value(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.kind is JSON:
        return canonical.encode(value)
    return json_time(value) if column.kind is TIME else value


def _unreadable(row: Row, error: ValueError) -> Exception:
    return unreadable(f"message {_text(row[1])} of conversation {_text(row[0])}", error)


def _text(value: bytes | None) -> str:
    return (value or b"").decode()
