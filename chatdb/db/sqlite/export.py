"""Reads messages from SQLite, encoded by msgspec directly from the columns' text."""

from collections.abc import Generator, Iterator, Sequence
from operator import itemgetter
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb.db.connect import driver_connection
from chatdb.db.contract.message_text import (
    CHUNK_CHARACTERS,
    CHUNK_ROWS,
    NO_METADATA,
    CanonicalTexts,
    Chunk,
    Selection,
    json_time,
    unreadable,
)
from chatdb.errors import DatabaseFailedError
from chatdb.primitives import canonical
from chatdb.records import MARKS
from chatdb.store.columns import JSON, OBJECT, TEXT, TIME, Column, columns_of

_METADATA_TEXT = "nullif(metadata, '{}')"
_WITH_MARKS = f"CASE WHEN instr(metadata, '\"{MARKS}\"') THEN metadata END"

_FIELDS = [column for column in columns_of("messages") if column.native]
_USUAL = [column.name for column in _FIELDS if not column.seldom]
_SELDOM = [column for column in _FIELDS if column.seldom]
_SELDOM_NAMES = ", ".join(column.name for column in _SELDOM)
_COLUMNS = ", ".join(
    [
        "conversation_id",
        *("CAST({metadata} AS BLOB)" if name == "metadata" else name for name in _USUAL),
        f"CASE WHEN coalesce({_SELDOM_NAMES}) IS NOT NULL THEN json_array({_SELDOM_NAMES}) END",
    ]
)
"""The columns that are seldom used come as one: every column more costs each row its time."""
_PLACES = {name: place for place, name in enumerate(_USUAL, 1)}
_CONTENT, _METADATA, _CREATED_AT = map(_PLACES.__getitem__, ("content", "metadata", "created_at"))
_usual_values = itemgetter(*(_PLACES.get(column.name, -1) for column in _FIELDS))
"""Takes the fields out of a row: those seldom used are NULL, as the last column then is."""


def _field(column: Column) -> tuple[str, Any, Any]:
    """Return a field that has the column's text as it is, or JSON already encoded."""
    kept: Any = msgspec.Raw if column.kind in (JSON, OBJECT) else str
    left_out = "" if column.absent == "empty" and column.kind is TEXT else None
    return column.name, kept | None, left_out


_Message: Any = msgspec.defstruct(
    "_Message", map(_field, _FIELDS), omit_defaults=True, gc=False, module=__name__
)
"""`records.Message` as it is written."""

_encode_into = msgspec.json.Encoder().encode_into

Row = tuple[Any, ...]


def read_messages(
    connection: sa.Connection, organization_id: UUID, selection: Selection
) -> Generator[Chunk, None, None]:
    """Yield the messages of the selected conversations as JSON, in the order of the index.

    Raises DatabaseFailedError for a row that no record can represent.
    """
    cursor = driver_connection(connection).cursor()
    try:
        yield from _chunks(cursor.execute(*_statement(organization_id, selection)))
    finally:
        cursor.close()


def _statement(organization_id: UUID, selection: Selection) -> tuple[str, list[str]]:
    ids = list(selection.ids)
    if selection.gapless:
        condition, values = "BETWEEN ? AND ?", [ids[0], ids[-1]]
    else:
        condition, values = f"IN ({', '.join('?' * len(ids))})", ids
    metadata = _WITH_MARKS if selection.marks_only else _METADATA_TEXT
    statement = (
        f"SELECT {_COLUMNS.format(metadata=metadata)} FROM messages WHERE organization_id = ?"
        f" AND conversation_id {condition} ORDER BY conversation_id, position"
    )
    return statement, [str(organization_id), *values]


def _chunks(rows: Iterator[Row]) -> Iterator[Chunk]:
    """Build messages from the rows, some at a time: their metadata is converted together."""
    made = _Messages()
    pending: list[Row] = []
    size = 0
    for row in rows:
        pending.append(row)
        size += len(row[_CONTENT])
        if len(pending) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
            yield from made.chunks(pending)
            pending, size = [], 0
    yield from made.chunks(pending)


class _Messages:
    """Encodes messages into reused memory: growing it costs more than filling it."""

    def __init__(self) -> None:
        self._metadata = CanonicalTexts(left_out=NO_METADATA, wrap=msgspec.Raw)
        self._buffer = bytearray()

    def chunks(self, rows: Sequence[Row]) -> Iterator[Chunk]:
        """Yield a chunk for each run of messages of one conversation."""
        conversation = ""
        messages: list[Any] = []
        for row, metadata in zip(rows, self._metadata_of(rows), strict=True):
            if row[0] != conversation:
                if messages:
                    yield self._chunk(conversation, messages)
                conversation, messages = row[0], []
            rare = row[-1]
            try:
                message = _Message(*_usual_values(row))
                message.metadata = metadata
                message.created_at = json_time(row[_CREATED_AT])
                if rare is not None:
                    _add_rare(message, rare)
            except ValueError as error:
                raise _unreadable(row, error) from error
            messages.append(message)
        if messages:
            yield self._chunk(conversation, messages)

    def _metadata_of(self, rows: Sequence[Row]) -> list[Any]:
        try:
            return self._metadata.all_of([row[_METADATA] for row in rows])
        except ValueError:
            for row in rows:
                try:
                    self._metadata.all_of([row[_METADATA]])
                except ValueError as error:
                    raise _unreadable(row, error) from error
            raise

    def _chunk(self, conversation: str, messages: list[Any]) -> Chunk:
        _encode_into(messages, self._buffer)
        return conversation, bytes(memoryview(self._buffer)[1:-1]), len(messages)


def _unreadable(row: Row, error: ValueError) -> DatabaseFailedError:
    return unreadable(f"message {row[1]} of conversation {row[0]}", error)


def _add_rare(message: Any, columns: str) -> None:
    for column, value in zip(_SELDOM, canonical.decode(columns), strict=True):
        made = value
        if column.kind is JSON:
            made = _raw(value)
        elif column.kind is TIME and value is not None:
            made = json_time(value)
        setattr(message, column.name, made)


def _raw(text: str | None) -> msgspec.Raw | None:
    if text is None:
        return None
    encoded = canonical.encode(canonical.decode(text))
    return None if encoded == b"null" else msgspec.Raw(encoded)
