"""Writes what Open WebUI's "Import chats" takes: a JSON list of chats with all their branches.

The importer gives each chat a new id. Ours stands in its `meta`, so that what comes back from there
is the same conversation.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from chatdb.formats.base import WriteOptions, Writer
from chatdb.formats.branches import active_path
from chatdb.formats.open_webui.chats import SOURCE, models_of
from chatdb.formats.open_webui.nodes import Nodes, marks_of
from chatdb.formats.open_webui.remainders import remainder
from chatdb.primitives.nesting import roomy
from chatdb.records import MARKS, Conversation

if TYPE_CHECKING:
    from chatdb.formats.files.writing import Written

_encode = roomy(msgspec.json.Encoder(order="deterministic").encode)
_LOST = ("snapshots", "files", "embeddings")

Fields = dict[str, Any]


class OpenWebuiWriter(Writer):
    """Writes the list with a chat a line; its tree has every branch, whatever is asked for."""

    name = SOURCE
    extension = ".json"
    separator = b",\n"

    def __init__(self) -> None:
        self.left_out: Counter[str] = Counter()

    def begin(self) -> bytes:
        return b"[\n"

    def conversation(self, record: Conversation) -> bytes:
        self.messages = len(record.messages)
        return _encode(self._chat(record))

    def end(self) -> bytes:
        return b"\n]\n"

    def report(self, written: "Written") -> None:
        """Tell what these chats have no place for."""
        written.left_out = +self.left_out

    def _chat(self, record: Conversation) -> Fields:
        is_own = record.source == SOURCE
        known = record.metadata if is_own else {}
        fields = {name: value for name, value in known.items() if name != MARKS}
        for name in _LOST:
            self._lose(f"{name} of conversations", getattr(record, name))
        self._lose(f"that they are {record.kind}s", record.kind != "chat")
        nodes = Nodes(record)
        meta = fields.get("meta")
        ours = {"id": str(record.id), **remainder(record, is_own=is_own)}
        read = {} if record.last_accessed_at is None else {
            "last_read_at": int(record.last_accessed_at.timestamp())
        }  # fmt: skip
        return {
            **fields,
            **read,
            "id": (record.source_id or "") if is_own else str(record.id),
            "user_id": record.user_id,
            "title": record.title or "",
            "chat": self._inner(record, nodes, fields.get("chat")),
            "meta": {**(meta if isinstance(meta, dict) else {}), MARKS: ours},
            "pinned": record.pinned_at is not None,
            "archived": record.archived_at is not None,
            "folder_id": fields.get("folder_id"),
            "variables": fields.get("variables") or {},
            "current_message_id": nodes.name_of(record.current_message_id),
            "created_at": _time(record, "created_at"),
            "updated_at": _time(record, "updated_at"),
        }

    def _inner(self, record: Conversation, nodes: Nodes, kept: Any) -> Fields:
        messages = {}
        for message in record.messages:
            node = nodes.node(message)
            messages[node["id"]] = node
        path = [nodes.name_of(message.id) for message in active_path(record)]
        inner: Fields = {
            "models": models_of(record.messages),
            **(kept if isinstance(kept, dict) else {}),
        }
        self._lose("second titles of conversations", inner.get("title"))
        history = inner.get("history")
        return {
            **inner,
            "title": record.title or "",
            "history": {
                **(history if isinstance(history, dict) else {}),
                "messages": messages,
                "currentId": path[-1] if path else None,
            },
            "messages": [messages[name] for name in path if name is not None],
        }

    def _lose(self, what: str, value: Any) -> None:
        if value:
            self.left_out[what] += len(value) if isinstance(value, list) else 1


def _time(record: Conversation, name: str) -> Any:
    raw = marks_of(record.metadata).get(name) if record.source == SOURCE else None
    return int(getattr(record, name).timestamp()) if raw is None else raw


def make_writer(options: WriteOptions) -> OpenWebuiWriter:
    """Return a writer."""
    del options
    return OpenWebuiWriter()
