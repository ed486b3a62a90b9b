"""Conversations into Relay's tables. `docs/layouts.md` lists what they cannot store."""

from collections.abc import Iterator
from typing import Any, ClassVar

from chatdb.layouts.relay.reading import STATE_COLUMNS, TYPES
from chatdb.layouts.writing import (
    BaseWriter,
    Value,
    WrittenRow,
    json_text,
    message_uuid,
    raw_role,
    title_for,
    without_marks,
    zoned,
)
from chatdb.primitives import canonical
from chatdb.records import MARKS, Conversation, Message, Snapshot

_CHAT_FIELDS: dict[str, type] = {
    "active_issue_number": int,
    "active_issue_title": str,
    "active_issue_url": str,
    "quiet_mode": bool,
}
"""The columns that metadata may fill, and their types."""
_TYPE_OF_ROLE = {"user": "user", "system": "system", "tool": "function_result"}
_PROVIDERS = ("openai", "claude")
_UNNAMED = "unknown"


class RelayWriter(BaseWriter):
    """Writes `chats`, `messages` and `chat_snapshots`."""

    name: ClassVar[str] = "relay"
    times: ClassVar[frozenset[str]] = frozenset({"last_accessed_at"})
    names: ClassVar[tuple[str, ...]] = ("chats", "messages", "chat_snapshots")
    tables: ClassVar[tuple[str, ...]] = (
        (
            "CREATE TABLE chats (id uuid PRIMARY KEY, title varchar(255) NOT NULL,"
            " repository_name varchar(255) NOT NULL, repository_full_name varchar(255) NOT NULL,"
            " created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL,"
            " last_accessed_at timestamptz NOT NULL, active_issue_number integer,"
            " active_issue_title text, active_issue_url text,"
            " quiet_mode boolean NOT NULL DEFAULT false)"
        ),
        (
            "CREATE TABLE messages (id uuid PRIMARY KEY,"
            " chat_id uuid NOT NULL REFERENCES chats (id) ON DELETE CASCADE ON UPDATE CASCADE,"
            " type varchar(50) NOT NULL, content text NOT NULL, metadata jsonb,"
            " created_at timestamptz NOT NULL)"
        ),
        (
            "CREATE TABLE chat_snapshots (id uuid PRIMARY KEY,"
            " chat_id uuid NOT NULL REFERENCES chats (id) ON DELETE CASCADE ON UPDATE CASCADE,"
            " transcriptions jsonb, function_results jsonb, claude_streaming_texts jsonb,"
            " claude_todo_writes jsonb, repository_issues jsonb, created_at timestamptz NOT NULL,"
            " claude_session_id varchar(255))"
        ),
    )

    def rows(self, record: Conversation) -> Iterator[WrittenRow]:
        """Yield the chat, its messages and snapshots, and its times again: triggers change them."""
        chat = self._chat(record)
        yield chat
        times = {name: chat.values[name] for name in ("id", "updated_at", "last_accessed_at")}
        yield WrittenRow("chats", times, "update")
        for message in self._messages(record):
            marks = message.metadata.get(MARKS)
            if isinstance(marks, dict) and marks.get("from") == "snapshot":
                continue  # It is in the snapshot that it was made of.
            yield self._message(record, message)
        self._lose_embeddings(record)
        for snapshot in record.snapshots:
            values = _snapshot(record, snapshot)
            if values is None:
                self._writing.lose("snapshots of another system left out")
                continue
            left = snapshot.state.keys() - set(STATE_COLUMNS)
            self._writing.lose("fields of snapshots left out", len(left))
            yield WrittenRow("chat_snapshots", values)

    def _chat(self, record: Conversation) -> WrittenRow:
        fields = without_marks(record.metadata)
        name, full_name = (
            fields.pop("repository_name", None),
            fields.pop("repository_full_name", None),
        )
        if full_name is None:
            self._writing.lose("chats without a repository: written as of the repository unknown")
        if record.user_id is not None:
            self._writing.lose("user_id of conversations left out")
        row: dict[str, Value] = {
            "id": str(record.id),
            "title": title_for(record, "relay", self._writing),
            "repository_name": str(name or full_name or _UNNAMED),
            "repository_full_name": str(full_name or name or _UNNAMED),
            "created_at": zoned(record.created_at),
            "updated_at": zoned(record.updated_at),
            "last_accessed_at": zoned(record.last_accessed_at or record.updated_at),
        }
        for column, kind in _CHAT_FIELDS.items():
            fits = type(fields.get(column)) is kind
            row[column] = fields.pop(column) if fits else False if kind is bool else None
        written = WrittenRow("chats", row)
        self._as_it_came(record, record, written, fields)
        self._writing.lose("metadata of conversations left out", bool(fields))
        return written

    def _message(self, record: Conversation, message: Message) -> WrittenRow:
        row: dict[str, Value] = {
            "id": str(message_uuid(record, message, "relay")),
            "chat_id": str(record.id),
            "type": self._type(record, message),
            "content": message.content,
            "metadata": json_text(self._metadata(record, message) or None),
            "created_at": zoned(message.created_at),
        }
        written = WrittenRow("messages", row)
        # The metadata came from the column of this name: no field of it is a column.
        self._as_it_came(record, message, written, {})
        return written

    def _type(self, record: Conversation, message: Message) -> str:
        raw = raw_role(record, message, "relay")
        if raw in TYPES:
            return str(raw)
        if message.role != "assistant":
            return _TYPE_OF_ROLE[message.role]
        if message.author in _PROVIDERS:
            return str(message.author)
        if raw is not None:
            return raw
        self._writing.lose("answers of no known provider written as openai's")
        return "openai"

    def _metadata(self, record: Conversation, message: Message) -> dict[str, Any]:
        """Return the metadata, and for messages from other systems the fields without a column."""
        found = without_marks(message.metadata)
        if record.source == "relay":
            return found
        for name in ("author", "model", "reasoning", "tool_calls", "tool_outputs", "attachments"):
            value = getattr(message, name)
            if value is not None:
                found.setdefault(name, value)
        return found


writer = RelayWriter


def _snapshot(record: Conversation, snapshot: Snapshot) -> dict[str, Value] | None:
    state = snapshot.state
    is_own = record.source == "relay" and isinstance(state, dict)
    if not is_own and not (isinstance(state, dict) and state.keys() <= set(STATE_COLUMNS)):
        return None
    row: dict[str, Value] = {
        "id": str(snapshot.id),
        "chat_id": str(record.id),
        "created_at": zoned(snapshot.created_at),
    }
    for column in STATE_COLUMNS:
        value = state.get(column)
        is_text = column == "claude_session_id" or column not in state
        row[column] = value if is_text else canonical.encode_text(value)
    return row
