"""Conversations into Multichat's tables, on SQLite or PostgreSQL."""

from collections.abc import Iterator
from typing import Any, ClassVar

from chatdb.layouts.writing import (
    BaseWriter,
    Value,
    WrittenRow,
    json_text,
    own_id,
    own_message_id,
    raw_role,
    unzoned,
    without_marks,
)
from chatdb.records import Conversation, Message


class MultichatWriter(BaseWriter):
    """Writes `conversations` and `messages`; fields without a column go into `meta`."""

    name: ClassVar[str] = "multichat"
    on_sqlite: ClassVar[bool] = True
    names: ClassVar[tuple[str, ...]] = ("conversations", "messages")
    tables: ClassVar[tuple[str, ...]] = (
        (
            "CREATE TABLE conversations (id VARCHAR(255) PRIMARY KEY, title TEXT,"
            " created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,"
            " updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, message_count INTEGER DEFAULT 0)"
        ),
        (
            "CREATE TABLE messages (id VARCHAR(255) PRIMARY KEY,"
            " conversation_id VARCHAR(255) REFERENCES conversations(id), role VARCHAR(50) NOT NULL,"
            " content TEXT NOT NULL, timestamp TIMESTAMP DEFAULT CURRENT_TIMESTAMP, meta TEXT,"
            " created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)"
        ),
    )

    def rows(self, record: Conversation) -> Iterator[WrittenRow]:
        """Yield the conversation and its messages."""
        own = own_id(record, "multichat")
        identifier, metadata = (
            str(record.id) if own is None else own,
            without_marks(record.metadata),
        )
        messages = self._messages(record)
        self._lose_snapshots(record)
        self._lose_embeddings(record)
        self._writing.lose("user_id of conversations left out", record.user_id is not None)
        row = WrittenRow(
            "conversations",
            {
                "id": identifier,
                "title": record.title,
                "created_at": unzoned(record.created_at),
                "updated_at": unzoned(record.updated_at),
                "message_count": len(messages),
            },
        )
        self._as_it_came(record, record, row, metadata)
        self._writing.lose("metadata of conversations left out", bool(metadata))
        yield row
        for message in messages:
            row = WrittenRow("messages", _message(record, identifier, message))
            # The metadata came from the column `meta`: no field of it is a column.
            self._as_it_came(record, message, row, {})
            yield row


writer = MultichatWriter


def _message(record: Conversation, identifier: str, message: Message) -> dict[str, Value]:
    meta = without_marks(message.metadata)
    created = meta.pop("created_at", None) if record.source == "multichat" else None
    at = unzoned(message.created_at)
    return {
        "id": own_message_id(record, message, "multichat"),
        "conversation_id": identifier,
        "role": raw_role(record, message, "multichat") or message.role,
        "content": message.content,
        "timestamp": at,
        "meta": json_text(_meta(message, meta) or None),
        "created_at": created.replace("T", " ")[:26] if isinstance(created, str) else at,
    }


def _meta(message: Message, meta: dict[str, Any]) -> dict[str, Any]:
    """Return the meta data with the fields that Multichat has no columns for."""
    for name in ("model", "author", "reasoning", "tool_calls", "tool_outputs", "attachments"):
        value = getattr(message, name)
        if value is not None:
            meta.setdefault(name, value)
    return meta
