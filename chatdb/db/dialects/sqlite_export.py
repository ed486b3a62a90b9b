"""Messages out of SQLite, encoded by msgspec straight from the columns' text."""

from collections.abc import Generator, Iterator
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb import canonical
from chatdb.db.database import driver_connection
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

_COLUMNS = (
    "conversation_id, id, parent_id, role, author, model, content, source_id,"
    " nullif(metadata, '{}'), created_at,"
    " CASE WHEN coalesce(reasoning, tool_calls, tool_outputs, attachments, edited_at) IS NOT NULL"
    " THEN json_array(reasoning, tool_calls, tool_outputs, attachments, edited_at) END"
)
"""The columns that are seldom used come as one: every column more costs each row its time."""


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


_encode = msgspec.json.Encoder().encode


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
    statement = (
        f"SELECT {_COLUMNS} FROM messages WHERE organization_id = ?"
        f" AND conversation_id {condition} ORDER BY conversation_id, position"
    )
    return statement, [str(organization_id), *values]


def _chunks(rows: Iterator[tuple[Any, ...]]) -> Iterator[Chunk]:
    """Make messages of the rows; what every message needs is done in place, for speed."""
    metadata_of = CanonicalTexts(left_out=NO_METADATA, wrap=msgspec.Raw).of
    conversation = ""
    messages: list[_Message] = []
    size = 0
    for row in rows:
        if row[0] != conversation or len(messages) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
            if messages:
                yield conversation, _encode(messages)[1:-1], len(messages)
            conversation = row[0]
            messages, size = [], 0
        # fmt: off
        (
            _, identifier, parent_id, role, author, model, content, source_id, metadata,
            created_at, rare,
        ) = row
        # fmt: on
        try:
            # fmt: off
            message = _Message(
                identifier, parent_id, role, author, model, content, None, None, None, None,
                source_id, None, None if metadata is None else metadata_of(metadata),
                json_time(created_at),
            )
            # fmt: on
            if rare is not None:
                _add_rare(message, rare)
        except ValueError as error:
            raise unreadable(f"message {identifier} of conversation {row[0]}", error) from error
        messages.append(message)
        size += len(content)
    if messages:
        yield conversation, _encode(messages)[1:-1], len(messages)


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
