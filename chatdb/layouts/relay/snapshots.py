"""The messages of a Relay chat that has none, reconstructed from its snapshots."""

from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

from chatdb.formats.base import Tally
from chatdb.formats.identity import MessageIds
from chatdb.formats.times import parse_time
from chatdb.primitives import canonical
from chatdb.records import MARKS, Conversation, Message, Role

FROM_SNAPSHOT = "a message made of what a snapshot says"

_PARTS: tuple[tuple[str, Role, str | None, str], ...] = (
    ("transcriptions", "user", None, "text"),
    ("function_results", "tool", None, "function"),
    ("claude_streaming_texts", "assistant", "claude", "content"),
    ("claude_todo_writes", "tool", "claude", "todos"),
)
"""Each part with the role and author of its entries, and its text field."""


def talk_of(record: Conversation, tally: Tally) -> list[Message]:
    """Return the entries of the snapshots as messages by time, each only once.

    Later snapshots repeat earlier ones: the id is derived from the entry's contents.
    """
    ids = MessageIds(record.id)
    seen: set[bytes] = set()
    entries: list[tuple[datetime, int, Message]] = []
    for snapshot in record.snapshots:
        for part, role, author, entry in _entries(snapshot.state):
            key = canonical.encode([part, entry])
            if key in seen:
                continue
            seen.add(key)
            at = _time(entry) or snapshot.created_at
            message = Message(
                id=ids.without_source_id(role, key.decode()),
                role=role,
                author=_author(part, entry) or author,
                content=_text(part, entry),
                source_id=f"snapshot {snapshot.id}",
                metadata={MARKS: {"role": part, "from": "snapshot"}, "entry": entry},
                created_at=at,
            )
            entries.append((at, len(entries), message))
    messages = [message for _, _, message in sorted(entries, key=lambda each: each[:2])]
    for above, message in pairwise(messages):
        message.parent_id = above.id
    if messages:
        tally.lossy[FROM_SNAPSHOT] += len(messages)
    return messages


def _entries(state: Any) -> Iterator[tuple[str, Role, str | None, Any]]:
    for part, role, author, _ in _PARTS:
        entries = state.get(part) if isinstance(state, dict) else None
        for entry in entries if isinstance(entries, list) else []:
            yield part, role, author, entry


def _text(part: str, entry: Any) -> str:
    """Return the readable text of an entry: its text, a list of to-dos, or its JSON."""
    field = next(name for known, _, _, name in _PARTS if known == part)
    if isinstance(entry, str):
        return entry
    value = entry.get(field) if isinstance(entry, dict) else None
    if isinstance(value, str) and part != "function_results":
        return value
    todos = value if isinstance(value, list) else [entry]
    if part == "claude_todo_writes" and all(_is_todo(todo) for todo in todos):
        return "\n".join(f"- [{_box(todo)}] {todo['content']}" for todo in todos)
    return canonical.encode_text(entry)


def _is_todo(entry: Any) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("content"), str)


def _box(todo: dict[str, Any]) -> str:
    return "x" if todo.get("status") == "completed" else " "


def _author(part: str, entry: Any) -> str | None:
    name = entry.get("function") if isinstance(entry, dict) else None
    return name if part == "function_results" and isinstance(name, str) else None


def _time(entry: Any) -> datetime | None:
    return parse_time(entry.get("timestamp")).at if isinstance(entry, dict) else None
