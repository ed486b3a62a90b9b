"""The messages of a conversation as the tree in an Open WebUI chat's JSON."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from chatdb.formats.base import Tally
from chatdb.formats.blocks import read_blocks
from chatdb.formats.message_parts import attachment_label, is_image, items
from chatdb.formats.open_webui.chats import SOURCE
from chatdb.formats.open_webui.items import as_it_came, made
from chatdb.formats.open_webui.remainders import remainder
from chatdb.primitives import canonical
from chatdb.records import MARKS, Conversation, Message, is_hidden

Fields = dict[str, Any]


class Nodes:
    """The nodes of one conversation."""

    def __init__(self, record: Conversation) -> None:
        self._is_own = record.source == SOURCE
        self._names = _names(record.messages, is_own=self._is_own)
        self._children: dict[UUID, list[str]] = {}
        for message in record.messages:
            if message.parent_id is not None:
                name = self._names[message.id]
                self._children.setdefault(message.parent_id, []).append(name)

    def name_of(self, identifier: UUID | None) -> str | None:
        """Return the key of a message; an id of none as it is."""
        if identifier is None:
            return None
        return self._names.get(identifier) or str(identifier)

    def node(self, message: Message) -> Fields:
        """Return a message as its node."""
        is_own = self._is_own and message.source_id is not None
        marks = marks_of(message.metadata)
        known = message.metadata if is_own else {}
        fields = {name: value for name, value in known.items() if name != MARKS}
        node: Fields = {
            **fields,
            "id": self._names[message.id],
            "parentId": self.name_of(message.parent_id),
            "childrenIds": self._children.get(message.id, []),
            "role": marks["role"] if is_own and "role" in marks else message.role,
        }
        self._set_contents(node, message, fields, is_own=is_own)
        if message.model:
            node["model"] = message.model
        if message.user_id is not None:
            node["user_id"] = message.user_id
        if is_own and "created_at" in marks:  # Also one that is no time.
            node["timestamp"] = marks["created_at"]
        elif not (is_own and "time" in marks):
            node["timestamp"] = int(message.created_at.timestamp())
        if message.role == "assistant":
            node.setdefault("done", True)
        if is_hidden(message) and not is_own:
            node["meta"] = {"internal": True}
        if own := remainder(message, is_own=is_own):
            meta = node.get("meta")
            node["meta"] = {**(meta if isinstance(meta, dict) else {}), MARKS: own}
        return node

    def _set_contents(
        self, node: Fields, message: Message, fields: Fields, *, is_own: bool
    ) -> None:
        raw, rest = fields.get("content"), fields.get("output")
        is_same = is_own and message.edited_at is None
        node["content"] = raw if is_same and raw is not None else message.content
        if isinstance(rest, list):
            del node["output"]
        if is_same and isinstance(rest, list):
            node["output"] = as_it_came(message, rest)
        elif not (is_same and raw is not None) and (output := made(message)):
            node["output"] = output
        files = list(items(message.attachments))
        if is_own and isinstance(raw, list):  # Which has the last of them itself.
            inside = read_blocks(canonical.copied(raw), Tally()).attachments
            files = files[: len(files) - len(inside)]
        elif not is_own:
            files = [_file(each) for each in files]
        if files:
            node["files"] = files


def marks_of(metadata: Mapping[str, Any]) -> Fields:
    """Return chatdb's own marks in a metadata."""
    marks = metadata.get(MARKS)
    return marks if isinstance(marks, dict) else {}


def _names(messages: list[Message], *, is_own: bool) -> dict[UUID, str]:
    """Return the key of each message: its own id there, if no other has it."""
    names: dict[UUID, str] = {}
    taken: set[str] = set()
    for message in messages:
        own = message.source_id if is_own else None
        name = own if own is not None and own not in taken else str(message.id)
        names[message.id] = name
        taken.add(name)
    return names


def _file(entry: Any) -> Fields:
    name, (kind, size) = attachment_label(entry)
    about = {"type": "image" if is_image(entry) else "file", "name": name or "unnamed"}
    if kind:
        about["content_type"] = kind
    fields = entry if isinstance(entry, dict) else {}
    sized: Fields = {} if size is None else {"size": size}
    return {**fields, **about, **sized}
