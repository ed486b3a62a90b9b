"""How records get their ids and hashes: the same input always gives the same ids."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from struct import pack
from typing import Any
from uuid import UUID

import msgspec

from chatdb.primitives.nesting import roomy
from chatdb.records import Conversation

CONVERSATIONS = UUID("0e8f5f9a-3f63-5a35-9d7e-6f3b1c9d2a41")
"""The namespace of conversation ids derived from anything but a UUID."""

REPEATED = "a message id that occurs twice in its conversation: a new one made"
"""What readers count as lossy when `MessageIds.of` says so."""

_read_uuids = partial(msgspec.convert, type=list[UUID])
_encode = roomy(msgspec.json.Encoder(order="deterministic").encode)


def conversation_id(source: str, source_name: str | None, source_id: str) -> UUID:
    """Return the id of a conversation: its own UUID, else one derived from its source."""
    return uuid_of(source_id) or _made(CONVERSATIONS, source, source_name or "", source_id)


def conversation_id_without_source_id(
    user: str | None, created_at: datetime, first_message: str
) -> UUID:
    """Return the id of a conversation without one, derived from what it is about."""
    return _made(CONVERSATIONS, user or "", created_at.isoformat(), first_message)


def beginning_id(given: Sequence[str], messages: Sequence[Sequence[str]]) -> UUID:
    """Return the id of a conversation without one, derived from its beginning."""
    parts = [part for message in messages for part in message]
    return _made(CONVERSATIONS, "beginning", str(len(given)), *given, *parts)


def beside(conversation: UUID, place: str) -> UUID:
    """Return the id of a conversation that begins like another, derived from its place."""
    return _made(conversation, "beside", place)


def message_id(conversation: UUID, source_id: str) -> UUID:
    """Return the id of a message: its own UUID, else derived within its conversation."""
    return uuid_of(source_id) or _made(conversation, source_id)


class MessageIds:
    """The ids of the messages of one conversation, each given once.

    `expected` are source ids that are likely to be needed: if all are UUIDs they are read at once,
    which is faster.
    """

    def __init__(self, conversation: UUID, expected: Sequence[Any] = ()) -> None:
        self._conversation = conversation
        self._used: dict[str, int] = {}
        ready = _uuids_of(expected)
        self._ready = ready
        distinct = len(set(map(str.lower, ready))) == len(expected)
        self.given = ready if distinct else {}
        """The ids of the expected ones if each is needed once, so that `of` is unnecessary."""

    def of(self, source_id: str) -> tuple[UUID, bool]:
        """Return the id for a message, and whether its source id was used before.

        A repeated one gets an id derived from the conversation, the source id and its number.
        """
        ready = self._ready.pop(source_id, None)
        known = source_id.lower()
        count = self._used.get(known, 0)
        self._used[known] = count + 1
        if count == 0:
            return ready or message_id(self._conversation, source_id), False
        return _made(self._conversation, source_id, str(count)), True

    def without_source_id(self, role: str, content: str) -> UUID:
        """Return the id for a message that has none, derived from its content."""
        return self.of(f"{role}:{content}")[0]


def uuid_of(text: str) -> UUID | None:
    """Return the UUID that a text spells in its usual form, or None."""
    # Other spellings stay texts: two ids of a source that differ must not become one.
    if len(text) != 36:
        return None
    try:
        return msgspec.convert(text, UUID)
    except msgspec.ValidationError:
        return None


def _uuids_of(texts: Sequence[Any]) -> dict[str, UUID]:
    """Return the UUIDs that texts spell; none if one of them is not a UUID in its usual form."""
    try:
        if {len(text) for text in texts} != {36}:
            return {}
        return dict(zip(texts, _read_uuids(texts), strict=True))
    except (msgspec.ValidationError, TypeError):
        return {}


def source_hash(reader: str, version: int, record: Conversation) -> str:
    """Return 32 hexadecimal digits that change when the source record or its reader changes.

    Derived from the reader's result, before the source's name is set: every field of the source is
    in it, while the order of its keys, white space and nulls do not count.
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
    # With their lengths: "a", "bc" and "ab", "c" must not give one id.
    name = "".join([f"{len(part)}:{part}" for part in parts])
    data = namespace.bytes + name.encode("utf-8", "surrogatepass")
    # UUIDv5 is defined by SHA-1; nothing relies on its strength.
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)
