"""Conversations into Multichat's tables, on SQLite or PostgreSQL."""

from collections.abc import Iterator
from typing import Any, ClassVar

from chatdb.layouts.writing import (
    BaseWriter,
    Value,
    WrittenRow,
    json_text,
    message_uuid,
    own_id,
    raw_role,
    unzoned,
    without_marks,
)
from chatdb.records import Conversation, Message


class MultichatWriter(BaseWriter):
    """Writes `conversations` and `messages`; what has no column goes into `meta`."""

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
        identifier = own_id(record, "multichat") or str(record.id)
        messages = self._messages(record)
        self._lose_snapshots(record)
        self._lose_embeddings(record)
        self._writing.lose("user_id of conversations left out", record.user_id is not None)
        self._writing.lose(
            "metadata of conversations left out", bool(without_marks(record.metadata))
        )
        yield WrittenRow(
            "conversations",
            {
                "id": identifier,
                "title": record.title,
                "created_at": unzoned(record.created_at),
                "updated_at": unzoned(record.updated_at),
                "message_count": len(messages),
            },
        )
        for message in messages:
            yield WrittenRow("messages", _message(record, identifier, message))


writer = MultichatWriter


def _message(record: Conversation, identifier: str, message: Message) -> dict[str, Value]:
    meta = without_marks(message.metadata)
    created = meta.pop("created_at", None) if record.source == "multichat" else None
    at = unzoned(message.created_at)
    own = record.source == "multichat" and message.source_id
    return {
        "id": str(own or message_uuid(record, message, "multichat")),
        "conversation_id": identifier,
        "role": raw_role(record, message, "multichat") or message.role,
        "content": message.content,
        "timestamp": at,
        "meta": json_text(_meta(message, meta) or None),
        "created_at": created.replace("T", " ")[:26] if isinstance(created, str) else at,
    }


def _meta(message: Message, meta: dict[str, Any]) -> dict[str, Any]:
    """Return the meta data with what Multichat has no columns for."""
    for name in ("model", "author", "reasoning", "tool_calls", "tool_outputs", "attachments"):
        value = getattr(message, name)
        if value is not None:
            meta.setdefault(name, value)
    return meta
