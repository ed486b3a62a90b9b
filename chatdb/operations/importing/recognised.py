"""Recognises a conversation whose source names no id: by its beginning and its messages.

Its id is a digest of its beginning. Two conversations may begin alike, one may have been stored
when it was shorter, or by a version that made ids from file names: the stored state decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import msgspec

from chatdb.db.contract.bulk import StoredKey
from chatdb.formats.base import Skipped, Tally
from chatdb.formats.blocks import read_blocks
from chatdb.formats.identity import beside
from chatdb.primitives import canonical
from chatdb.records import WHOLE_CONVERSATION, Conversation, Message
from chatdb.store.batches import Arrival
from chatdb.store.reading import Stored

Token = tuple[int, str | None, UUID]


@dataclass(frozen=True, slots=True)
class Kept:
    """The stored conversations with the requested ids."""

    keys: Mapping[UUID, StoredKey] = field(default_factory=dict)
    stored: Mapping[UUID, Stored] = field(default_factory=dict)
    tombstones: Mapping[UUID, set[UUID]] = field(default_factory=dict)

    def is_deleted(self, identifier: UUID) -> bool:
        """Tell whether the whole conversation was deleted here."""
        return identifier not in self.keys and WHOLE_CONVERSATION in self.tombstones.get(
            identifier, ()
        )


class Recogniser:
    """Gives each conversation of one import its own: no two are taken for one."""

    def __init__(self) -> None:
        self._claims: dict[UUID, Token] = {}

    def recognised(self, arrival: Arrival, kept: Kept) -> Arrival:
        """Return the arrival under its known id, or the reason for refusing it."""
        record = arrival.record
        if arrival.other_ids is None or not isinstance(record, Conversation):
            return arrival
        token = (arrival.file, record.source_id, record.id)
        known = candidates(arrival)
        free = [each for each in known if self._claims.get(each, token) == token]
        for identifier in free:
            found = _known_as(identifier, arrival, record, kept)
            if isinstance(found, Skipped):
                return replace(arrival, record=found)
            if found is not None:
                self._claims[identifier] = token
                return _under(arrival, found)
        for identifier in free:
            if identifier in known[:2] and identifier not in kept.keys:
                self._claims[identifier] = token
                return _under(arrival, msgspec.structs.replace(record, id=identifier))
        reason = (
            f"the id {record.id}, derived from its beginning, belongs to another conversation here"
        )
        return replace(arrival, record=_refused(record, reason))


def candidates(arrival: Arrival) -> Sequence[UUID]:
    """Return the ids under which such a conversation may be known, the likeliest first.

    The first two are those that it may get: from its beginning, and from that and its place.
    """
    record = arrival.record
    if arrival.other_ids is None or not isinstance(record, Conversation):
        return ()
    return (record.id, beside(record.id, record.source_id or ""), *arrival.other_ids)


def is_same_talk(
    stored: Conversation, incoming: Conversation, *, same_place: bool, same_beginning: bool
) -> bool:
    """Tell whether two conversations are one at two moments, by their messages at the same places.

    From a file of the same name more than half of their common messages must agree, starting with
    the first; otherwise all of them, and all must be present if their ids say that they begin
    differently. Without a message only the title could be mixed up.
    """
    if not stored.messages or not incoming.messages:
        return same_place and not stored.messages and stored.title == incoming.title
    places = _by_place(stored.messages)
    agreeing = [
        any(_agrees(each, message) for each in places[message.source_id])
        for message in incoming.messages
        if message.source_id in places
    ]
    agree, differ = agreeing.count(True), agreeing.count(False)
    if same_place:
        alike = agreeing.index(False) if differ else agree
        return 2 * alike > len(agreeing)
    whole = agree == len(stored.messages) == len(incoming.messages)
    return agree > 0 and differ == 0 and (same_beginning or whole)


def with_ids_of(stored: Conversation, incoming: Conversation) -> Conversation:
    """Return the incoming conversation with the ids of the stored one and its messages."""
    if stored.id == incoming.id:
        return incoming
    places = _by_place(stored.messages)
    ids: dict[UUID | None, UUID] = {}
    taken: set[UUID] = set()
    for message in incoming.messages:
        for each in places.get(message.source_id, ()):
            if each.id not in taken and _agrees(each, message):
                ids[message.id] = each.id
                taken.add(each.id)
                break
    messages = [
        msgspec.structs.replace(
            message,
            id=ids.get(message.id, message.id),
            parent_id=ids.get(message.parent_id, message.parent_id),
        )
        for message in incoming.messages
    ]
    leaf = incoming.current_message_id
    return msgspec.structs.replace(
        incoming, id=stored.id, messages=messages, current_message_id=ids.get(leaf, leaf)
    )


def _known_as(
    identifier: UUID, arrival: Arrival, record: Conversation, kept: Kept
) -> Conversation | Skipped | None:
    """Return the record under an id if it is the known one; the reason if it is another's."""
    if kept.is_deleted(identifier) and identifier not in (arrival.other_ids or ())[:-1]:
        return msgspec.structs.replace(record, id=identifier)
    key, stored = kept.keys.get(identifier), kept.stored.get(identifier)
    if key is None:
        return None
    if stored is not None:
        same = is_same_talk(
            stored.record,
            record,
            same_place=_name(stored.record.source_id) == _name(record.source_id),
            same_beginning=identifier in candidates(arrival)[:2],
        )
        if not same:
            return None
    if None not in (key.user_id, record.user_id) and key.user_id != record.user_id:
        return _refused(
            record, f"the same conversation belongs to another user here ({key.user_id})"
        )
    if stored is None:
        return msgspec.structs.replace(record, id=identifier)
    return with_ids_of(stored.record, record)


def _under(arrival: Arrival, record: Conversation) -> Arrival:
    before = arrival.record
    if isinstance(before, Conversation) and record.id == before.id:
        return arrival
    # The prepared rows contain the previous id.
    return replace(arrival, record=record, rows=None)


def _refused(record: Conversation, reason: str) -> Skipped:
    return Skipped(f"conversation {record.source_id or record.id}", reason, record.source_id)


def _name(place: str | None) -> str:
    return (place or "").rpartition("/")[2]


def _by_place(messages: Sequence[Message]) -> dict[str | None, list[Message]]:
    places: dict[str | None, list[Message]] = {}
    for message in messages:
        if message.source_id is not None:
            places.setdefault(message.source_id, []).append(message)
    return places


def _agrees(stored: Message, incoming: Message) -> bool:
    """Tell whether a stored message is the incoming one, possibly edited here."""
    return stored.edited_at is not None or incoming.content in (stored.content, _read_anew(stored))


def _read_anew(stored: Message) -> str:
    """Return the text of a list of blocks, which earlier versions left in the metadata."""
    content = stored.metadata.get("content")
    if stored.content or not isinstance(content, list):
        return stored.content
    blocks = read_blocks(canonical.copied(content), Tally())
    return blocks.text or blocks.result_text
