"""Conversations into ChatMCP's tables. `docs/layouts.md` lists what they cannot store."""

import re
from collections.abc import Iterator
from typing import Any, ClassVar
from uuid import UUID

from chatdb.layouts.chatmcp.system import FOLDED, names_in
from chatdb.layouts.writing import (
    BaseWriter,
    Place,
    Value,
    Writing,
    WrittenRow,
    json_text,
    message_uuid,
    title_for,
    without_marks,
    zoned,
)
from chatdb.records import WHOLE_CONVERSATION, Conversation, Message

_NOBODY = "anonymous"
_FIXED = re.compile(r"\bvector\((\d+)\)")
"""A column that takes vectors of one length only."""


class ChatMcpWriter(BaseWriter):
    """Writes `conversations` and `messages` in whichever schema the target has."""

    name: ClassVar[str] = "chatmcp"
    names: ClassVar[tuple[str, ...]] = ("conversations", "messages")
    tables: ClassVar[tuple[str, ...]] = (
        (
            "CREATE TABLE conversations (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),"
            " title varchar(255) NOT NULL, userid varchar(255) NOT NULL,"
            " createdat timestamptz DEFAULT CURRENT_TIMESTAMP,"
            " updatedat timestamptz DEFAULT CURRENT_TIMESTAMP)"
        ),
        (
            "CREATE TABLE messages (id uuid PRIMARY KEY DEFAULT gen_random_uuid(),"
            " conversationid uuid NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,"
            " role varchar(50) NOT NULL CHECK (role IN ('user', 'assistant', 'system')),"
            " content text NOT NULL, reasoning jsonb, functioncalls jsonb, functionoutputs jsonb,"
            " createdat timestamptz DEFAULT CURRENT_TIMESTAMP)"
        ),
    )

    def __init__(self, writing: Writing, place: Place) -> None:
        super().__init__(writing, place)
        catalogue = place.catalogue
        self._names = (names_in(catalogue) if catalogue is not None else None) or FOLDED
        self._embedding_types = {
            name: None if catalogue is None else catalogue[name].columns.get("embedding")
            for name in self.names
        }

    def rows(self, record: Conversation) -> Iterator[WrittenRow]:
        """Yield the conversation, its messages, and its time again: a trigger changes it."""
        names = self._names
        identifier, metadata = str(record.id), without_marks(record.metadata)
        if record.user_id is None:
            self._writing.lose(f"conversations of nobody: written as those of {_NOBODY}")
        self._lose_snapshots(record)
        messages = self._folded(self._messages(record))
        vectors = self._vectors(record, messages)
        row = WrittenRow(
            "conversations",
            {
                "id": identifier,
                "title": title_for(record, "chatmcp", self._writing),
                names["user"]: record.user_id or _NOBODY,
                names["created"]: zoned(record.created_at),
                names["updated"]: zoned(record.updated_at),
            },
        )
        if WHOLE_CONVERSATION in vectors:
            row.values["embedding"] = json_text(vectors[WHOLE_CONVERSATION])
        self._as_it_came(record, record, row, metadata)
        self._writing.lose("metadata of conversations left out", bool(metadata))
        yield row
        for message in messages:
            yield self._message(record, message, vectors)
        times = {"id": identifier, names["updated"]: row.values[names["updated"]]}
        yield WrittenRow("conversations", times, "update")

    def _vectors(self, record: Conversation, messages: list[Message]) -> dict[UUID, list[float]]:
        """Return the vectors to write by message: one of each, if the column takes it."""
        found: dict[UUID, list[float]] = {}
        there = {message.id for message in messages} if record.embeddings else set()
        for each in record.embeddings:
            is_whole = each.message_id == WHOLE_CONVERSATION
            kind = self._embedding_types["conversations" if is_whole else "messages"]
            fixed = _FIXED.search(kind or "")
            fits = kind is not None and (fixed is None or int(fixed[1]) == len(each.vector))
            if fits and (is_whole or each.message_id in there):
                # The column holds one: with several models the first by name.
                found.setdefault(each.message_id, each.vector)
        self._lose_embeddings(record, written=len(found))
        return found

    def _folded(self, messages: list[Message]) -> list[Message]:
        """Fold the tools' messages into the answer before: the role does not exist there."""
        found: list[Message] = []
        for message in messages:
            if message.role != "tool":
                found.append(message)
                continue
            above = next((each for each in reversed(found) if each.role == "assistant"), None)
            if above is None:
                self._writing.lose("messages of tools before any answer left out")
                continue
            self._writing.lose("messages of tools folded into the answer before")
            outputs = above.tool_outputs if isinstance(above.tool_outputs, list) else []
            above.tool_outputs = [*outputs, *_outputs(message)]
        return found

    def _message(
        self, record: Conversation, message: Message, vectors: dict[UUID, list[float]]
    ) -> WrittenRow:
        names = self._names
        self._lose_fields(message, "author", "model", "attachments")
        metadata = without_marks(message.metadata)
        column = self._embedding_types["messages"]
        takes_any = column is not None and "vector" not in column
        embedding = vectors.get(message.id) or (
            metadata.pop("embedding", None) if takes_any else None
        )
        row: dict[str, Value] = {
            "id": str(message_uuid(record, message, "chatmcp")),
            names["conversation"]: str(record.id),
            "role": message.role,
            "content": message.content,
            "reasoning": json_text(message.reasoning),
            names["calls"]: json_text(message.tool_calls),
            names["outputs"]: json_text(message.tool_outputs),
            names["created"]: zoned(message.created_at),
        }
        if embedding is not None:
            row["embedding"] = json_text(embedding)
        written = WrittenRow("messages", row)
        self._as_it_came(record, message, written, metadata)
        self._writing.lose("metadata of messages left out", bool(metadata))
        return written


writer = ChatMcpWriter


def _outputs(message: Message) -> list[Any]:
    """Return a tool's message as entries of functionOutputs."""
    if isinstance(message.tool_outputs, list) and message.tool_outputs:
        return message.tool_outputs
    return [{"id": str(message.id), "name": message.author, "output": message.content}]
