"""Messages out of SQLite, encoded by msgspec straight from the columns' text."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb import canonical
from chatdb.db.connect import driver_connection
from chatdb.db.dialects.message_text import (
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
from chatdb.records import MARKS

_COLUMNS = (
    "conversation_id, id, parent_id, role, author, model, content, source_id,"
    " CAST({metadata} AS BLOB), created_at,"
    " CASE WHEN coalesce(reasoning, tool_calls, tool_outputs, attachments, edited_at) IS NOT NULL"
    " THEN json_array(reasoning, tool_calls, tool_outputs, attachments, edited_at) END"
)
"""The columns that are seldom used come as one: every column more costs each row its time."""
_METADATA_TEXT = "nullif(metadata, '{}')"
_WITH_MARKS = f"CASE WHEN instr(metadata, '\"{MARKS}\"') THEN metadata END"


class _Message(msgspec.Struct, omit_defaults=True, gc=False):
    """`records.Message` with the text of SQLite's columns as it is, and JSON already encoded."""

    id: str
    parent_id: str | None = None
    role: str = ""
    author: str | None = None
    model: str | None = None
    content: str = ""
    reasoning: msgspec.Raw | None = None
    tool_calls: msgspec.Raw | None = None
    tool_outputs: msgspec.Raw | None = None
    attachments: msgspec.Raw | None = None
    source_id: str | None = None
    edited_at: str | None = None
    metadata: msgspec.Raw | None = None
    created_at: str = ""


_encode_into = msgspec.json.Encoder().encode_into
_CONTENT, _METADATA = 6, 8

Row = tuple[Any, ...]


def read_messages(
    connection: sa.Connection, organization_id: UUID, selection: Selection
) -> Generator[Chunk, None, None]:
    """Yield the messages of the selected conversations as JSON, in the order of the index.

    Raises DatabaseFailedError for a row that no record can hold.
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
    """Make messages of the rows, some at a time: their metadata is looked at together."""
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
    """Encodes messages into memory that is used again: growing it costs more than filling it."""

    def __init__(self) -> None:
        self._metadata = CanonicalTexts(left_out=NO_METADATA, wrap=msgspec.Raw)
        self._buffer = bytearray()

    def chunks(self, rows: Sequence[Row]) -> Iterator[Chunk]:
        """Yield a chunk for each run of messages of one conversation."""
        conversation = ""
        messages: list[_Message] = []
        for row, metadata in zip(rows, self._metadata_of(rows), strict=True):
            if row[0] != conversation:
                if messages:
                    yield self._chunk(conversation, messages)
                conversation, messages = row[0], []
            # fmt: off
            (
                _, identifier, parent_id, role, author, model, content, source_id, _,
                created_at, rare,
            ) = row
            try:
                message = _Message(
                    identifier, parent_id, role, author, model, content, None, None, None, None,
                    source_id, None, metadata, json_time(created_at),
                )
                # fmt: on
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

    def _chunk(self, conversation: str, messages: list[_Message]) -> Chunk:
        _encode_into(messages, self._buffer)
        return conversation, bytes(memoryview(self._buffer)[1:-1]), len(messages)


def _unreadable(row: Row, error: ValueError) -> DatabaseFailedError:
    return unreadable(f"message {row[1]} of conversation {row[0]}", error)


def _add_rare(message: _Message, columns: str) -> None:
    *values, edited_at = canonical.decode(columns)
    message.reasoning, message.tool_calls, message.tool_outputs, message.attachments = map(
        _raw, values
    )
    message.edited_at = None if edited_at is None else json_time(edited_at)


def _raw(text: str | None) -> msgspec.Raw | None:
    if text is None:
        return None
    encoded = canonical.encode(canonical.decode(text))
    return None if encoded == b"null" else msgspec.Raw(encoded)
