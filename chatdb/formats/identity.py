"""How records get their ids and hashes: the same input gives the same ids, everywhere, always."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from struct import pack
from typing import Any
from uuid import UUID

import msgspec

from chatdb.nesting import roomy
from chatdb.records import Conversation

CONVERSATIONS = UUID("0e8f5f9a-3f63-5a35-9d7e-6f3b1c9d2a41")
"""The namespace of conversation ids that are made from something that is no UUID."""

REPEATED = "a message id that occurs twice in its conversation: a new one made"
"""What readers count as lossy when `MessageIds.of` says so."""

_read_uuids = partial(msgspec.convert, type=list[UUID])
_encode = roomy(msgspec.json.Encoder(order="deterministic").encode)


def conversation_id(source: str, source_name: str | None, source_id: str) -> UUID:
    """Return the id of a conversation: its own UUID, else one made of where it is from."""
    return uuid_of(source_id) or _made(CONVERSATIONS, source, source_name or "", source_id)


def conversation_id_without_source_id(
    user: str | None, created_at: datetime, first_message: str
) -> UUID:
    """Return the id of a conversation that has none, from what it is about."""
    return _made(CONVERSATIONS, user or "", created_at.isoformat(), first_message)


def beginning_id(given: Sequence[str], messages: Sequence[Sequence[str]]) -> UUID:
    """Return the id of a conversation that has none, from how it begins."""
    parts = [part for message in messages for part in message]
    return _made(CONVERSATIONS, "beginning", str(len(given)), *given, *parts)


def beside(conversation: UUID, place: str) -> UUID:
    """Return the id of a conversation that begins as another does, from its place in the source."""
    return _made(conversation, "beside", place)


def message_id(conversation: UUID, source_id: str) -> UUID:
    """Return the id of a message: its own when it is a UUID, else made within its conversation."""
    return uuid_of(source_id) or _made(conversation, source_id)


class MessageIds:
    """The ids of the messages of one conversation, each given once.

    `expected` are source ids that are likely to be asked for: when all are UUIDs they are read
    at once, which is faster.
    """

    def __init__(self, conversation: UUID, expected: Sequence[Any] = ()) -> None:
        self._conversation = conversation
        self._used: dict[str, int] = {}
        ready = _uuids_of(expected)
        self._ready = ready
        distinct = len(set(map(str.lower, ready))) == len(expected)
        self.given = ready if distinct else {}
        """The ids of the expected ones where each is asked for once, and `of` need not be."""

    def of(self, source_id: str) -> tuple[UUID, bool]:
        """Return the id for a message, and whether its source id had been used before.

        A repeated one gets an id made of the conversation, the source id and how often it
        occurred.
        """
        ready = self._ready.pop(source_id, None)
        known = source_id.lower()
        count = self._used.get(known, 0)
        self._used[known] = count + 1
        if count == 0:
            return ready or message_id(self._conversation, source_id), False
        return _made(self._conversation, source_id, str(count)), True

    def without_source_id(self, role: str, content: str) -> UUID:
        """Return the id for a message that has none: of what it says."""
        return self.of(f"{role}:{content}")[0]


def uuid_of(text: str) -> UUID | None:
    """Return the UUID that a text spells in its usual form, or None."""
    if len(text) != 36:
        return None
    try:
        return msgspec.convert(text, UUID)
    except msgspec.ValidationError:
        return None


def _uuids_of(texts: Sequence[Any]) -> dict[str, UUID]:
    """Return the UUIDs that texts spell; nothing when one of them is no UUID in its usual form."""
    try:
        if {len(text) for text in texts} != {36}:
            return {}
        return dict(zip(texts, _read_uuids(texts), strict=True))
    except (msgspec.ValidationError, TypeError):
        return {}


def source_hash(reader: str, version: int, record: Conversation) -> str:
    """Return 32 hexadecimal digits that change when the source record or its reader changes.

    Made of what the reader made of it, before the source's name is set: every field of the
    source is in there, while the order of its keys, white space and nulls do not count.
    """
    digest = hashlib.sha256(f"{reader} {version}\n".encode())
    embeddings, rest = record.embeddings, record
    if embeddings:
        rest = msgspec.structs.replace(record, embeddings=[])
    digest.update(_encode(rest))
    for each in embeddings:  # their bytes: numbers in full would cost more than all the rest
        digest.update(_encode([each.message_id, each.model]))
        digest.update(pack(f"<{len(each.vector)}f", *each.vector))
    return digest.hexdigest()[:32]


def _made(namespace: UUID, *parts: str) -> UUID:
    """Return the UUIDv5 of the parts; surrogates are allowed, unlike in `uuid.uuid5`."""
    name = "".join([f"{len(part)}:{part}" for part in parts])
    data = namespace.bytes + name.encode("utf-8", "surrogatepass")
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)
