"""Decides what a batch changes: new, merged, unchanged, deleted here, in conflict."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.bulk import BatchRows, Bulk, MessageRows, Rehashed, Row, StoredKey
from chatdb.formats.base import Skipped
from chatdb.formats.unread import Unread, is_same_source
from chatdb.operations.importing.merge import (
    is_across_users,
    is_conflict,
    merge,
    same_conversation_row,
    same_message,
    same_snapshot,
    with_parents_restored,
    without_messages,
)
from chatdb.operations.importing.recognised import Kept, Recogniser, candidates
from chatdb.operations.importing.report import Placed, SkippedItem
from chatdb.records import WHOLE_CONVERSATION, Conversation, Message, MessageFile
from chatdb.store.batches import Arrival
from chatdb.store.reading import Stored, read_stored


@dataclass(frozen=True, slots=True)
class Plan:
    """What to write for a batch, the outcome of each record, and the tombstones to remove."""

    rows: BatchRows
    placed: list[Placed]
    restored: list[tuple[UUID, list[UUID]]]


@dataclass(slots=True)
class _Known:
    """The stored state of the batch's conversations, and their state after each record."""

    keys: dict[UUID, StoredKey]
    tombstones: dict[UUID, set[UUID]]
    stored: dict[UUID, Stored] = field(default_factory=dict)
    current: dict[UUID, Conversation] = field(default_factory=dict)
    rehashed: dict[UUID, Rehashed] = field(default_factory=dict)


class Planner:
    """Plans batches against one organization of a database, inside the caller's transaction."""

    def __init__(
        self,
        bulk: Bulk,
        organization_id: UUID,
        *,
        restore_deleted: bool,
        recogniser: Recogniser | None = None,
    ) -> None:
        self._bulk = bulk
        self._organization_id = organization_id
        self._restore_deleted = restore_deleted
        self._recogniser = recogniser or Recogniser()

    def plan(
        self, connection: sa.Connection, arrivals: Sequence[Arrival], *, lock: bool = True
    ) -> Plan:
        """Return the plan of the batch; `lock` keeps others from what it will change.

        Reads only; conversations to be changed are read again once they are locked.
        """
        arrivals = self._recognised(connection, arrivals)
        records = [each.record for each in arrivals if isinstance(each.record, Conversation)]
        ids = list({record.id for record in records})
        organization = self._organization_id
        known = _Known({}, {})
        if ids:
            known.keys = self._bulk.stored_keys(connection, organization, ids)
            known.tombstones = self._bulk.tombstones(connection, organization, ids)
        wanted = {
            arrival.record.id
            for arrival in arrivals
            if isinstance(arrival.record, Conversation) and self._needs_merge(arrival, known)
        }
        if wanted:
            known.stored = read_stored(connection, organization, wanted)
        placed = self._place_all(arrivals, known)
        if lock and known.stored:
            changed = [key for key, stored in known.stored.items() if _differs(stored, known)]
            if changed:
                self._bulk.lock(connection, organization, changed)
                # What was read before the lock may be outdated: at READ
                # COMMITTED others commit in between.
                again = read_stored(connection, organization, changed)
                if len(again) < len(changed):  # Deleted by another session meanwhile.
                    return self.plan(connection, arrivals)
                known.stored |= again
                known.current = {}
                known.rehashed = {}
                placed = self._place_all(arrivals, known)
        prepared = {id(each.record): each.rows for each in arrivals}
        return Plan(_rows(known, prepared), placed, self._restored(records, known))

    def _recognised(
        self, connection: sa.Connection, arrivals: Sequence[Arrival]
    ) -> Sequence[Arrival]:
        """Return the arrivals, those without an id of their own under the id known here."""
        ids = sorted({each for arrival in arrivals for each in candidates(arrival)})
        if not ids:
            return arrivals
        organization = self._organization_id
        keys = self._bulk.stored_keys(connection, organization, ids)
        unchanged = {
            arrival.record.id
            for arrival in arrivals
            if isinstance(arrival.record, Conversation)
            and (key := keys.get(arrival.record.id)) is not None
            and arrival.hashed
            and is_same_source(key.source_hash, arrival.record.source_hash)
        }
        kept = Kept(
            keys,
            read_stored(connection, organization, keys.keys() - unchanged),
            self._bulk.tombstones(connection, organization, ids),
        )
        return [self._recogniser.recognised(arrival, kept) for arrival in arrivals]

    def _needs_merge(self, arrival: Arrival, known: _Known) -> bool:
        """Tell whether the stored conversation has to be read: equal hashes make it unnecessary."""
        record = arrival.record
        if not isinstance(record, Conversation) or record.id not in known.keys:
            return False
        key = known.keys[record.id]
        return (
            not arrival.hashed
            or not is_same_source(record.source_hash, key.source_hash)
            or (record.user_id is not None and key.user_id != record.user_id)
            or (self._restore_deleted and record.id in known.tombstones)
        )

    def _place_all(self, arrivals: Sequence[Arrival], known: _Known) -> list[Placed]:
        keep = not self._restore_deleted
        return [_place(arrival, known, keep_deleted=keep) for arrival in arrivals]

    def _restored(
        self, records: Iterable[Conversation], known: _Known
    ) -> list[tuple[UUID, list[UUID]]]:
        if not self._restore_deleted:
            return []
        lifted = []
        for record in records:
            gone = known.tombstones.get(record.id)
            if gone:
                back = gone & ({message.id for message in record.messages} | {WHOLE_CONVERSATION})
                lifted.append((record.id, sorted(back)))
        return lifted


def place_into_nothing(arrivals: Sequence[Arrival], recogniser: Recogniser) -> list[Placed]:
    """Return the plan of a batch if there is no database yet."""
    known, kept = _Known({}, {}), Kept()
    recognised = [recogniser.recognised(arrival, kept) for arrival in arrivals]
    return [_place(arrival, known, keep_deleted=True) for arrival in recognised]


def _place(arrival: Arrival, known: _Known, *, keep_deleted: bool) -> Placed:
    record = arrival.record
    if isinstance(record, Unread):
        raise TypeError("a record is read before it is planned")
    if isinstance(record, Skipped):
        return skipped(arrival, record.reason)
    doubtful = _repeated_message(record)
    if doubtful is not None:
        return skipped(arrival, f"the message id {doubtful} is used by two messages")
    gone = known.tombstones.get(record.id, set())
    present = record.id in known.keys or record.id in known.current
    if gone and keep_deleted:
        if WHOLE_CONVERSATION in gone and not present:
            return Placed(file=arrival.file, outcome="deleted_here", conversation_id=record.id)
        record = without_messages(record, gone)
    if not present:
        known.current[record.id] = record
        return Placed(
            file=arrival.file,
            outcome="new",
            messages_new=len(record.messages),
            conversation_id=record.id,
        )
    return _place_known(arrival, record, known)


def _place_known(arrival: Arrival, record: Conversation, known: _Known) -> Placed:
    before = known.current.get(record.id)
    if before is None:
        if record.id not in known.stored:
            _note_hash(record, known)
            return Placed(file=arrival.file, outcome="unchanged", conversation_id=record.id)
        before = known.stored[record.id].record
    if is_conflict(before, record):
        return skipped(
            arrival,
            f"the id {record.id} belongs to another conversation here (different user and "
            "creation time)",
        )
    whole = arrival.record if isinstance(arrival.record, Conversation) else record
    if is_across_users(before, whole, known.tombstones.get(record.id, set())):
        return skipped(
            arrival,
            f"the id {record.id} belongs to another conversation here, of user {before.user_id}",
        )
    after = merge(before, record)
    if restored := known.tombstones.get(record.id, set()) & {each.id for each in record.messages}:
        after = with_parents_restored(after, record, restored)
    known.current[record.id] = after
    held = {message.id: message for message in before.messages}
    changed = sum(
        1
        for message in after.messages
        if message.id in held and not same_message(held[message.id], message)
    )
    added = len(after.messages) - len(held)
    same = not (changed or added) and _same_but_hash(before, after)
    return Placed(
        file=arrival.file,
        outcome="unchanged" if same else "updated",
        messages_new=added,
        messages_changed=changed,
        conversation_id=record.id,
    )


def _note_hash(record: Conversation, known: _Known) -> None:
    """Note a hash of the same record from other bytes than the stored one."""
    stored = known.keys[record.id].source_hash
    if stored is not None and record.source_hash not in (None, stored):
        known.rehashed[record.id] = Rehashed(record.id, stored, record.source_hash or "")


def skipped(arrival: Arrival, reason: str) -> Placed:
    """Return the outcome of a refused record, named by its place or its id."""
    record = arrival.record
    if isinstance(record, Skipped):
        item = SkippedItem(place=record.place, reason=record.reason, source_id=record.source_id)
    elif isinstance(record, Unread):
        item = SkippedItem(place=f"conversation {record.id}", reason=reason)
    else:
        place = f"conversation {record.source_id or record.id}"
        item = SkippedItem(place=place, reason=reason, source_id=record.source_id)
    return Placed(file=arrival.file, outcome="skipped", item=item)


def _repeated_message(record: Conversation) -> UUID | None:
    ids = {message.id for message in record.messages}
    if len(ids) == len(record.messages):
        return None
    seen: set[UUID] = set()
    for message in record.messages:
        if message.id in seen:
            return message.id
        seen.add(message.id)
    return None


def _same_but_hash(one: Conversation, other: Conversation) -> bool:
    return (
        same_conversation_row(one, other, but_hash=True)
        and len(one.snapshots) == len(other.snapshots)
        and all(map(same_snapshot, one.snapshots, other.snapshots))
        and one.files == other.files
        and one.embeddings == other.embeddings
    )


def _differs(stored: Stored, known: _Known) -> bool:
    before, after = stored.record, known.current.get(stored.record.id)
    return after is not None and not (
        same_conversation_row(before, after, but_hash=False)
        and _same_but_hash(before, after)
        and len(before.messages) == len(after.messages)
        and all(map(same_message, before.messages, after.messages))
    )


def _rows(known: _Known, prepared: Mapping[int, Sequence[Row] | None]) -> BatchRows:
    """Return the difference between the stored and the intended state.

    `prepared` has the rows of records by their `id`: those of a record changed on its way (merged,
    or without what was deleted here) are not found.
    """
    new = [record for key, record in known.current.items() if key not in known.stored]
    changed: list[Conversation] = []
    stale: list[tuple[UUID, Sequence[UUID]]] = []
    moved: list[tuple[UUID, Sequence[MessageFile]]] = []
    messages = [
        MessageRows(record.id, list(enumerate(record.messages)), prepared.get(id(record)))
        for record in new
        if record.messages
    ]
    snapshots = [record for record in new if record.snapshots]
    files = [record for record in new if record.files]
    embeddings = [record for record in new if record.embeddings]
    for key, stored in known.stored.items():
        record = known.current.get(key)
        if record is None:
            continue
        if not same_conversation_row(stored.record, record, but_hash=False):
            changed.append(record)
        fresh, gone = _message_changes(stored, record)
        if fresh:
            messages.append(MessageRows(key, fresh))
        if gone:
            stale.append((key, gone))
        if not _same_but_hash(stored.record, record):
            snapshots += _with_new_snapshots(stored.record, record)
            files += _with_new_files(stored.record, record)
            moved += _without_place(stored.record, record)
            embeddings += _with_new_embeddings(stored.record, record)
    rehashed = [each for each in known.rehashed.values() if each.id not in known.stored]
    return BatchRows(
        new=new,
        changed=changed,
        stale=stale,
        messages=messages,
        snapshots_of=snapshots,
        moved_files=moved,
        files_of=files,
        embeddings_of=embeddings,
        rehashed=rehashed,
    )


def _message_changes(
    stored: Stored, record: Conversation
) -> tuple[list[tuple[int, Message]], list[UUID]]:
    """Return messages to insert with their positions, and ids to delete before.

    A message keeps its position if possible: appending rewrites nothing.
    """
    held = {message.id: message for message in stored.record.messages}
    fresh: list[tuple[int, Message]] = []
    gone: list[UUID] = []
    position = -1
    for message in record.messages:
        before = stored.positions.get(message.id)
        position = position + 1 if before is None else max(position + 1, before)
        if before is None:
            fresh.append((position, message))
        elif before != position or not same_message(held[message.id], message):
            fresh.append((position, message))
            gone.append(message.id)
    return fresh, gone


def _with_new_snapshots(before: Conversation, after: Conversation) -> list[Conversation]:
    """Return a record with only the snapshots to write, in a list, or nothing."""
    from msgspec.structs import replace

    held = {snapshot.id: snapshot for snapshot in before.snapshots}
    fresh = [
        snapshot
        for snapshot in after.snapshots
        if snapshot.id not in held or not same_snapshot(held[snapshot.id], snapshot)
    ]
    return [replace(after, snapshots=fresh)] if fresh else []


def _with_new_files(before: Conversation, after: Conversation) -> list[Conversation]:
    """Return a record with only the files to write, in a list, or nothing."""
    from msgspec.structs import replace

    fresh = [each for each in after.files if each not in before.files]
    return [replace(after, files=fresh)] if fresh else []


def _without_place(
    before: Conversation, after: Conversation
) -> list[tuple[UUID, Sequence[MessageFile]]]:
    """Return the files that are no longer where they were, in a list, or nothing."""
    places = {(each.message_id, each.position) for each in after.files}
    gone = [each for each in before.files if (each.message_id, each.position) not in places]
    return [(after.id, gone)] if gone else []


def _with_new_embeddings(before: Conversation, after: Conversation) -> list[Conversation]:
    """Return a record with only the embeddings to write, in a list, or nothing."""
    from msgspec.structs import replace

    held = {(each.message_id, each.model): each for each in before.embeddings}
    fresh = [each for each in after.embeddings if held.get((each.message_id, each.model)) != each]
    return [replace(after, embeddings=fresh)] if fresh else []
