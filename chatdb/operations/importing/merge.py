"""Merges an imported conversation into the stored one: a union that keeps the user's edits.

Nothing is ever removed; edits and additions made here are kept; newer values of the source are
adopted. Importing the same again, or an older export after a newer one, changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from chatdb.formats.times import is_known
from chatdb.operations.importing.file_names import with_names_kept
from chatdb.operations.importing.file_places import apart_behind, files_in_place
from chatdb.operations.importing.places import PlacesInBoth
from chatdb.primitives import canonical
from chatdb.records import (
    WHOLE_CONVERSATION,
    Conversation,
    Embedding,
    Message,
    MessageFile,
    sorted_embeddings,
    sorted_files,
)
from chatdb.store.columns import JSON, OBJECT, fields_of, merged_by

_JSON_FIELDS = fields_of("messages", JSON, OBJECT)
_FILLED = merged_by("filled")
_NEWEST, _LATEST = merged_by("newest"), merged_by("latest")
_SOURCE, _LEAF = merged_by("source"), merged_by("leaf")
_FOLLOWED = merged_by("followed")
_EDIT = merged_by("edit")
_OWN_ROW = fields_of("conversations")
_OWN_JSON = fields_of("conversations", JSON, OBJECT)


def merge(stored: Conversation, incoming: Conversation) -> Conversation:
    """Return the union of both as a new record; equal to `stored` if there is nothing to add.

    `incoming` must contain no messages deleted here. It counts as current unless its `updated_at`
    is older than the stored one.
    """
    current = incoming.updated_at >= stored.updated_at or _is_text_without_time(incoming)
    messages = _merge_messages(stored.messages, incoming.messages, current=current)
    changes: dict[str, Any] = {
        "messages": messages,
        "snapshots": _merge_snapshots(stored, incoming, current=current),
        "files": _merge_files(stored, incoming, messages, current=current),
        "embeddings": _merge_embeddings(stored, incoming, current=current),
    }
    changes |= dict.fromkeys(_LEAF, _leaf(stored, incoming, messages, current=current))
    for name in (*_FILLED, *_NEWEST, *_LATEST, *(_SOURCE if current else ())):
        held, given = getattr(stored, name), getattr(incoming, name)
        if held is None or given is None:
            changes[name] = given if held is None else held
        elif name in _NEWEST or name in _LATEST:
            changes[name] = max(held, given)
        elif name in _SOURCE:
            changes[name] = given
    changes |= _followed(stored, incoming, current=current)
    return msgspec.structs.replace(stored, **changes)


def is_conflict(stored: Conversation, incoming: Conversation) -> bool:
    """Tell whether one id means two conversations: different user and creation time."""
    return (
        stored.user_id is not None
        and incoming.user_id is not None
        and stored.user_id != incoming.user_id
        and stored.created_at != incoming.created_at
    )


def is_across_users(stored: Conversation, incoming: Conversation, gone: Collection[UUID]) -> bool:
    """Tell whether one id means conversations of two users that share no message.

    `gone` are messages deleted here. If they share a message it is the same conversation, whose
    user was renamed here.
    """
    if None in (stored.user_id, incoming.user_id) or stored.user_id == incoming.user_id:
        return False
    if not incoming.messages:
        return bool(stored.messages)
    held = {message.id for message in stored.messages}
    return all(each.id not in held and each.id not in gone for each in incoming.messages)


def without_messages(record: Conversation, gone: Collection[UUID]) -> Conversation:
    """Return the record without the messages of these ids, their files and embeddings.

    Replies to them, and the leaf, move up to the nearest remaining message, as when they were
    deleted here.
    """
    left = set(gone) - {WHOLE_CONVERSATION}
    for name in ("files", "embeddings"):
        parts = getattr(record, name)
        kept = [each for each in parts if each.message_id not in left]
        if len(kept) < len(parts):
            record = msgspec.structs.replace(record, **{name: kept})
    if not any(message.id in gone for message in record.messages):
        return record
    parents = {message.id: message.parent_id for message in record.messages}
    messages = [
        message
        if message.parent_id is None or message.parent_id not in gone
        else msgspec.structs.replace(message, parent_id=_above(message.parent_id, parents, gone))
        for message in record.messages
        if message.id not in gone
    ]
    leaf = _above(record.current_message_id, parents, gone)
    return msgspec.structs.replace(record, messages=messages, current_message_id=leaf)


def with_parents_restored(
    merged: Conversation, incoming: Conversation, restored: Collection[UUID]
) -> Conversation:
    """Return the merged record with messages back below restored ones.

    Only messages that are where the deletion put them: those moved since stay.
    """
    parents = {message.id: message.parent_id for message in incoming.messages}
    messages = [
        msgspec.structs.replace(message, parent_id=parents[message.id])
        if (above := parents.get(message.id)) in restored
        and above is not None
        and message.parent_id == _above(above, parents, restored)
        else message
        for message in merged.messages
    ]
    return msgspec.structs.replace(merged, messages=messages)


def _above(
    place: UUID | None, parents: Mapping[UUID, UUID | None], gone: Collection[UUID]
) -> UUID | None:
    """Return the message itself, or the nearest one above it that is not gone."""
    for _ in range(len(parents) + 1):
        if place is None or place not in gone:
            return place
        place = parents.get(place)
    return None


def same_conversation_row(one: Conversation, other: Conversation, *, but_hash: bool) -> bool:
    """Tell whether two records have the same row, apart from everything that belongs to it."""
    for name in _OWN_ROW:
        if name in _OWN_JSON or (but_hash and name in _SOURCE):
            continue
        if getattr(one, name) != getattr(other, name):
            return False
    return all(same_json(getattr(one, name), getattr(other, name)) for name in _OWN_JSON)


def same_message(one: Message, other: Message) -> bool:
    """Tell whether two messages are the same in every field, comparing JSON as stored."""
    if one is other:
        return True
    return one == other and all(
        same_json(getattr(one, name), getattr(other, name)) for name in _JSON_FIELDS
    )


def same_json(one: Any, other: Any) -> bool:
    """Compare JSON values as they are stored: True is not 1, but 1e20 equals its digits."""
    # Most JSON fields are empty: the usual case needs no encoding.
    if one is other or (not one and not other and type(one) is type(other)):
        return True
    return canonical.encode(one) == canonical.encode(other)


def _followed(stored: Conversation, incoming: Conversation, *, current: bool) -> dict[str, Any]:
    """Choose whose title, star, archive and metadata count; the last edit wins over any source."""
    edited_here = stored.edited_at
    edited_there = incoming.edited_at
    if edited_there is not None and (edited_here is None or edited_there > edited_here):
        names: tuple[str, ...] = (*_FOLLOWED, *_EDIT)
    elif edited_here is None and current:
        names = _FOLLOWED
    else:
        return {}
    return {name: getattr(incoming, name) for name in names}


def _is_text_without_time(incoming: Conversation) -> bool:
    """Tell whether nothing says how old a text is: then it is the newest, as it came last."""
    return incoming.kind != "chat" and not is_known(incoming.updated_at)


def _leaf(
    stored: Conversation, incoming: Conversation, messages: Sequence[Message], *, current: bool
) -> UUID | None:
    """Follow the source's active leaf to later messages, and elsewhere if it is newer.

    It never goes back on the branch that is active here: messages added here are below it. A
    version of a text that is not older than what is here, and was not here, is newer.
    """
    leaf, held = incoming.current_message_id, stored.current_message_id
    parents = {message.id: message.parent_id for message in messages}
    # A leaf that names no message would leave the conversation without an active branch.
    if leaf is None or leaf not in parents or leaf == held:
        return held
    if held is None or held not in parents or _is_behind(leaf, held, parents):
        return leaf
    is_newer = incoming.updated_at > stored.updated_at or (
        current and incoming.kind != "chat" and leaf not in {each.id for each in stored.messages}
    )
    return leaf if is_newer and not _is_behind(held, leaf, parents) else held


def _is_behind(place: UUID, before: UUID, parents: Mapping[UUID, UUID | None]) -> bool:
    """Tell whether a message is somewhere below another."""
    above = parents.get(place)
    for _ in range(len(parents)):
        if above is None or above == before:
            break
        above = parents.get(above)
    return above == before


def _merge_messages(
    stored: list[Message], incoming: list[Message], *, current: bool
) -> list[Message]:
    known = {message.id: message for message in stored}
    merged = dict(known)
    places: PlacesInBoth | None = None
    for message in incoming:
        held = known.get(message.id)
        if held is None:
            merged[message.id] = message
            continue
        chosen = _choose(held, message, current=current)
        if held.parent_id != message.parent_id:
            places = places or PlacesInBoth(stored, incoming)
            chosen = _in_place(chosen, held, message, places)
        merged[message.id] = chosen
    if len(merged) == len(known):
        return list(merged.values())
    mine, theirs = [m.id for m in stored], [m.id for m in incoming]
    order = _weave(theirs, mine, merged) if current else _weave(mine, theirs, merged)
    return [merged[identifier] for identifier in order]


def _choose(held: Message, message: Message, *, current: bool) -> Message:
    """Return the version of a message that counts: the last edit, else the newer source's."""
    if message.edited_at is not None and (
        held.edited_at is None or message.edited_at > held.edited_at
    ):
        return message
    if _is_made_here(held) or not current:
        return held
    message = with_names_kept(held, message)
    return held if same_message(held, message) else message


def _in_place(chosen: Message, held: Message, message: Message, places: PlacesInBoth) -> Message:
    """Return the chosen version where it has the messages above it that one side misses."""
    if chosen is not held and places.keeps_stored(held, message):
        moved = msgspec.structs.replace(chosen, parent_id=held.parent_id)
        return held if same_message(held, moved) else moved
    if chosen is held and not _is_made_here(held) and places.takes_incoming(held, message):
        return msgspec.structs.replace(held, parent_id=message.parent_id)
    return chosen


def _is_made_here(message: Message) -> bool:
    return message.source_id is None or message.edited_at is not None


def _merge_snapshots(stored: Conversation, incoming: Conversation, *, current: bool) -> list[Any]:
    merged = {snapshot.id: snapshot for snapshot in stored.snapshots}
    for snapshot in incoming.snapshots:
        held = merged.get(snapshot.id)
        if held is None or (current and not same_snapshot(held, snapshot)):
            merged[snapshot.id] = snapshot
    return list(merged.values())


def _merge_files(
    stored: Conversation, incoming: Conversation, messages: Sequence[Message], *, current: bool
) -> list[MessageFile]:
    """Return the files of both; what is known here of one's bytes stays."""
    mine = files_in_place(stored, messages)
    if not incoming.files:
        return sorted_files(mine)
    known = {each.digest: each for each in stored.files}
    given = [
        msgspec.structs.replace(
            each,
            size=each.size if held.size is None else held.size,
            media_type=each.media_type if held.media_type is None else held.media_type,
        )
        if (held := known.get(each.digest)) is not None
        else each
        for each in apart_behind(files_in_place(incoming, messages), mine, messages)
    ]
    sides = (mine, given) if current else (given, mine)
    return sorted_files(each for side in sides for each in side)


def _merge_embeddings(
    stored: Conversation, incoming: Conversation, *, current: bool
) -> list[Embedding]:
    if not incoming.embeddings:
        return stored.embeddings
    sides = (stored, incoming) if current else (incoming, stored)
    return sorted_embeddings(each for side in sides for each in side.embeddings)


def same_snapshot(one: Any, other: Any) -> bool:
    """Tell whether two snapshots have the same contents."""
    return one.created_at == other.created_at and same_json(one.state, other.state)


def _weave(base: list[UUID], extra: list[UUID], merged: dict[UUID, Message]) -> list[UUID]:
    """Order the union: `base` unchanged, each other message after the one it followed.

    A message never comes before its parent. Linear in the number of messages.
    """
    placed = set(base)
    behind: dict[UUID | None, list[UUID]] = {}
    previous: UUID | None = None
    for identifier in extra:
        if identifier not in placed:
            behind.setdefault(previous, []).append(identifier)
        previous = identifier
    order: list[UUID] = []
    for anchor in (None, *base):
        if anchor is not None:
            order.append(anchor)
        # A list instead of recursion: a chain of a hundred thousand
        # messages exceeds Python's stack.
        waiting = list(reversed(behind.get(anchor, ())))
        while waiting:
            identifier = waiting.pop()
            order.append(identifier)
            waiting.extend(reversed(behind.get(identifier, ())))
    return _parents_first(order, merged)


def _parents_first(order: list[UUID], merged: dict[UUID, Message]) -> list[UUID]:
    """Move each message behind its parent if the two lists disagreed; else change nothing."""
    waiting: dict[UUID, list[UUID]] = {}
    done: set[UUID] = set()
    result: list[UUID] = []
    for first in order:
        parent = merged[first].parent_id
        if parent in merged and parent not in done and parent is not None:
            waiting.setdefault(parent, []).append(first)
            continue
        ready = [first]
        while ready:
            identifier = ready.pop()
            done.add(identifier)
            result.append(identifier)
            ready.extend(reversed(waiting.pop(identifier, ())))
    # Parents in a circle never become ready; their messages must not be lost.
    result.extend(identifier for group in waiting.values() for identifier in group)
    return result
