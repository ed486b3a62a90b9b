"""The group chats of a ChatGPT export: several people and the assistant in one conversation.

`{"chats": [{..., "messages": [...]}]}`. Each chat becomes an entry of the shape of the other
conversations, which is then read as those are; who wrote a message stands in its `user_id`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from chatdb.formats.addresses import without
from chatdb.formats.chatgpt.reader import MAPPING, ChatGptReader
from chatdb.formats.files.json_records import Peeked, RecordContext, decode_any
from chatdb.formats.message_roles import usual_role
from chatdb.records import Conversation, Message

SOURCE = "chatgpt-group"

_ASSISTANTS = frozenset(("assistant", "chatgpt"))
_WHO = ("author", "sender", "user")
_WHOSE = ("user_id", "author_id", "sender_id")
_WHEN = ("create_time", "created_at", "timestamp")
_KNOWN = frozenset(("participants", "members", "description", "owner_id"))

Fields = dict[str, Any]


class GroupReader(ChatGptReader):
    """Reads `group_chats.json`, all chats in one object."""

    name = SOURCE
    version = 1
    known_fields = ChatGptReader.known_fields | _KNOWN

    def recognises_record(self, value: Any) -> bool:
        chats = value.get("chats") if isinstance(value, dict) else None
        return isinstance(chats, list) and any(
            isinstance(chat, dict) and isinstance(chat.get("messages"), list) for chat in chats
        )

    def decode(self, data: bytes) -> Any:
        return decode_any(data)

    def peek(self, data: bytes) -> Peeked | None:
        """Decode each: one value has all the chats."""
        del data
        return None

    def unwrap(self, value: Any) -> Sequence[Any] | None:
        chats = value.get("chats") if isinstance(value, dict) else None
        return chats if isinstance(chats, list) else None

    def convert(self, record: Fields, context: RecordContext) -> Conversation:
        messages = record.pop("messages", None)
        whose: dict[str, str] = {}
        if isinstance(messages, list):
            record[MAPPING] = dict(_nodes(messages, whose))
            record["current_node"] = next(reversed(record[MAPPING]), None)
        for name, other in (("title", "name"), *(("create_time", each) for each in _WHEN[1:])):
            if record.get(name) is None and other in record:
                record[name] = record.pop(other)
        if record.get("update_time") is None:
            record["update_time"] = record.pop("updated_at", None)
        conversation = super().convert(record, context)
        for message in conversation.messages:
            _set_author(message, whose.get(str(message.source_id)))
        return conversation


reader = GroupReader()


def _nodes(messages: list[Any], whose: dict[str, str]) -> Iterator[tuple[str, Any]]:
    """Yield each message as a node below the one before it; note in `whose` who wrote it."""
    above: str | None = None
    used: set[str] = set()
    for number, message in enumerate(messages):
        if not isinstance(message, dict):
            yield f"{number}", message
            continue
        fields = dict(message)
        _set_usual(fields)
        name = _name(fields, used)
        author, user = _author(fields)
        if user is not None:
            whose[name] = user
        fields["id"], fields["author"] = name, author
        yield name, {"parent": above, "message": fields}
        above = name


def _name(fields: Fields, used: set[str]) -> str:
    """Return the id of a message; without one it is made of what and when."""
    name = fields.pop("id", None) or fields.pop("message_id", None)
    if not isinstance(name, str | int):
        about = repr((fields.get("create_time"), fields.get("content"))).encode("utf-8", "replace")
        name = hashlib.sha256(about).hexdigest()[:32]
    name = str(name)
    number = 1
    while (numbered := name if number == 1 else f"{name}#{number}") in used:
        number += 1
    used.add(numbered)
    return numbered


def _set_usual(fields: Fields) -> None:
    """Give content, time and attachments the place that they have in other conversations."""
    content = fields.get("content")
    if content is None and "text" in fields:
        content = fields.pop("text")
    if isinstance(content, str | list):
        parts = content if isinstance(content, list) else [content]
        kind = "text" if all(isinstance(part, str) for part in parts) else "multimodal_text"
        content = {"content_type": kind, "parts": parts}
    fields["content"] = content
    for name in _WHEN[1:]:
        if fields.get("create_time") is None and name in fields:
            fields["create_time"] = fields.pop(name)
    metadata = fields.get("metadata")
    if "attachments" in fields and isinstance(metadata, dict | None):
        fields["metadata"] = {"attachments": fields.pop("attachments"), **(metadata or {})}


def _author(fields: Fields) -> tuple[Fields, str | None]:
    """Return the author as other conversations have it, and the person's id, else name."""
    given = next((fields.pop(name) for name in _WHO if fields.get(name) is not None), None)
    author = without(given)[0] if isinstance(given, dict) else {}
    found = [fields.pop(name) for name in _WHOSE if isinstance(fields.get(name), str | int)]
    found += [author.get(name) for name in ("user_id", "id", "name")]
    found += [given] if isinstance(given, str) else []
    user = next((str(each) for each in found if isinstance(each, str | int) and each != ""), None)
    role = author.get("role")
    if role is None:
        role = fields.pop("role", None)
    if role is None and user is not None:
        names = {user.lower(), str(author.get("name")).lower()}
        role = "user" if names.isdisjoint(_ASSISTANTS) else "assistant"
        role = usual_role(user) or role
    author["role"] = role
    return author, user if role == "user" and usual_role(user) is None else None


def _set_author(message: Message, user: str | None) -> None:
    """Set the person who wrote a message; `author` is for providers and tools."""
    if message.role != "user":
        return
    message.user_id = user
    if message.author is not None:
        about = message.metadata.get("author")
        known = about if isinstance(about, dict) else {}
        message.metadata["author"] = {"name": message.author, **known}
        message.author = None
