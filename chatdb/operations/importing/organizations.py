"""The organization of imported conversations: the one that a file names, or the command's."""

from array import array
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from uuid import UUID

from chatdb.errors import UsageError
from chatdb.formats.base import Skipped
from chatdb.formats.unread import Unread
from chatdb.operations.importing.report import FileReport
from chatdb.operations.organizations.public import check_key, check_name
from chatdb.records import Conversation, Organization, organization_id_of
from chatdb.store.batches import MAX_CONVERSATIONS, MAX_SIZE, Arrival, size_or_batch

SET_ASIDE = MAX_CONVERSATIONS
"""Conversations of others that may wait while those of one organization are loaded."""


class NamedOrganizations:
    """Reads the organization from records, and removes it from them.

    With `keep` each goes to the organization it names. Otherwise all go to one, which must not mix
    conversations with the same id from two organizations: the second is skipped.
    """

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._known: dict[tuple[str, str | None], Organization] = {}
        self._ids = _IdsOfOne()

    def arrival(
        self,
        record: Conversation | Unread,
        file: int,
        report: FileReport,
        *,
        hashed: bool,
        other_ids: tuple[UUID, ...] | None = None,
    ) -> Arrival:
        """Return the record for the import, counted by the organization that it names."""
        key, name = record.organization, record.organization_name
        if key is None:  # As in every format whose conversations may lack an id.
            return Arrival(record, file=file, hashed=hashed, other_ids=other_ids)
        own: str | None = None
        if isinstance(record, Conversation):
            record.organization = record.organization_name = None
            own = record.source_id
        place = f"conversation {own or record.id}"
        try:
            organization = self._organization(key, name)
        except UsageError as error:
            return Arrival(Skipped(place, error.text, own), file=file)
        report.organizations[organization.key] = report.organizations.get(organization.key, 0) + 1
        if self._keep:
            return Arrival(record, file=file, hashed=hashed, organization=organization)
        other = self._ids.other_owner(record.id, organization.key)
        if other is not None:
            reason = (
                f"it is of the organization {organization.key}, and the one of {other} with the"
                f" same id {record.id} came before it: --all-orgs takes both"
            )
            return Arrival(Skipped(place, reason, own), file=file)
        return Arrival(record, file=file, hashed=hashed)

    def may_wait(self, record: Unread) -> bool:
        """Tell whether a record may stay undecoded: it must be decoded to be refused or counted."""
        if record.organization is None:
            return True
        try:
            organization = self._organization(record.organization, record.organization_name)
        except UsageError:
            return False
        return self._keep or self._ids.are_all_of(organization.key)

    def _organization(self, key: str, name: str | None) -> Organization:
        found = self._known.get((key, name))
        if found is None:
            checked = check_key(key)
            found = Organization(
                id=organization_id_of(checked),
                key=checked,
                name=checked if name is None else check_name(name),
                created_at=datetime.now(UTC),
            )
            self._known[key, name] = found
        return found


class _IdsOfOne:
    """Tells from which other organization an id came before.

    Most files contain one organization: until another appears, eight bytes per id are kept.
    """

    def __init__(self) -> None:
        self._first: str | None = None
        self._ids = array("Q")
        self._owners: dict[int, str] | None = None

    def are_all_of(self, key: str) -> bool:
        """Tell whether no other organization has appeared so far."""
        return self._owners is None and self._first in (None, key)

    def other_owner(self, identifier: UUID, key: str) -> str | None:
        """Return the key of another organization that the id came from; None for none."""
        # A digest, because different ids may have eight bytes in common.
        short = int.from_bytes(blake2b(identifier.bytes, digest_size=8).digest())
        if self._owners is None:
            if self._first in (None, key):
                self._first = key
                self._ids.append(short)
                return None
            self._owners = dict.fromkeys(self._ids, self._first)
            self._ids = array("Q")
        owner = self._owners.setdefault(short, key)
        return None if owner == key else owner


class ByOrganization:
    """Arrivals grouped into runs of one organization, as few as possible with limited memory.

    Within an organization the order is kept. An unreadable item goes with the one before it.
    """

    def __init__(self, arrivals: Iterator[Arrival]) -> None:
        self._arrivals = arrivals
        self._waiting: deque[tuple[Organization | None, Arrival]] = deque()
        self._size = 0
        self._ended = False
        self._last: Organization | None = None

    @property
    def is_over(self) -> bool:
        """Tell whether there are no more of them."""
        return self._ended and not self._waiting

    def runs(self) -> Iterator[tuple[Organization | None, Iterator[Arrival]]]:
        """Yield each run, at least one; None is the command's organization."""
        none_yet = True
        while (found := self._waiting[0] if self._waiting else self._next()) is not None:
            if not self._waiting:
                self._set_aside(*found)
            none_yet = False
            yield found[0], self._run(found[0])
        if none_yet:
            yield None, iter(())

    def _run(self, owner: Organization | None) -> Iterator[Arrival]:
        waiting, self._waiting, self._size = self._waiting, deque(), 0
        while waiting:
            other, arrival = waiting.popleft()
            if _key(other) == _key(owner):
                yield arrival
            else:
                self._set_aside(other, arrival)
        # Each run has its own batches and its own row in the log: organizations that take turns
        # would make one of every record.
        while len(self._waiting) < SET_ASIDE and self._size < MAX_SIZE:
            found = self._next()
            if found is None:
                return
            if _key(found[0]) == _key(owner):
                yield found[1]
            else:
                self._set_aside(*found)

    def _next(self) -> tuple[Organization | None, Arrival] | None:
        arrival = next(self._arrivals, None)
        if arrival is None:
            self._ended = True
            return None
        if arrival.organization is not None or not isinstance(arrival.record, Skipped):
            self._last = arrival.organization
        return self._last, arrival

    def _set_aside(self, owner: Organization | None, arrival: Arrival) -> None:
        self._waiting.append((owner, arrival))
        if isinstance(arrival.record, Conversation):
            self._size += size_or_batch(arrival.record)
        elif isinstance(arrival.record, Unread):
            self._size += len(arrival.record.data)


def _key(organization: Organization | None) -> str | None:
    return None if organization is None else organization.key
