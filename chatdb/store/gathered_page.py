"""One page from the pages of several organizations, sorted by a common key."""

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from chatdb.records import Organization
from chatdb.store.paging import Kind, cursor_of, id_after, id_before, read_place

if TYPE_CHECKING:
    from uuid import UUID

Item = TypeVar("Item")
Key = tuple[Any, ...]
"""What a list is sorted by, then ids."""


class GatheredPage(Generic[Item]):
    """Takes the first items of each organization, and keeps the first `limit` and one more.

    An id may exist in two organizations: for equal keys the organizations' ids decide. `everywhere`
    is for a list of all organizations, whose cursors end with the organization's id. Raises
    UsageError for a cursor of another list.
    """

    def __init__(
        self,
        kind: Kind,
        limit: int,
        after: str | None,
        *,
        ids: int = 1,
        everywhere: bool,
        ascending: bool = False,
    ) -> None:
        self._kind = kind
        self._limit = limit
        self._everywhere = everywhere
        self._ascending = ascending
        self._found: list[tuple[Key, Organization, Item]] = []
        self._end: tuple[Key, Organization] | None = None
        self._place: tuple[Any, tuple[UUID, ...]] | None = None
        if after is not None:
            wanted = ids + 1 if everywhere else ids
            self._place = read_place(kind, after, ids=wanted, everywhere=everywhere)

    def place(self, organization: Organization) -> Key | None:
        """Return the key after which an organization's items are needed, None for all of them."""
        if self._place is None:
            return None
        value, ids = self._place
        if not self._everywhere:
            return value, *ids
        *before, last, at = ids
        if self._ascending and organization.id > at:
            last = id_before(last)
        elif not self._ascending and organization.id < at:
            last = id_after(last)
        return value, *before, last

    @property
    def begins_at(self) -> Any:
        """Return the value after which the page begins, None for the first page."""
        return None if self._place is None else self._place[0]

    def is_newer_than(self, newest: datetime | None) -> bool:
        """Tell whether the page is full of newer items, so that nothing older fits on it."""
        oldest = self.oldest_wanted()
        return newest is not None and oldest is not None and newest < oldest

    def oldest_wanted(self, since: datetime | None = None) -> datetime | None:
        """Return `since`, or the time of the last item of a full page, if that is later."""
        if len(self._found) <= self._limit:
            return since
        last: datetime = self._found[-1][0][0]
        return last if since is None else max(last, since)

    def add(self, organization: Organization, items: Iterable[tuple[Key, Item]]) -> None:
        """Take an organization's first items, in order."""
        more = [(key, organization, item) for key, item in items]
        self._found += more
        if self._everywhere and more:
            self._found.sort(
                key=lambda found: _rank(found[0], found[1]), reverse=not self._ascending
            )
        # One more than the page: it tells that there are more.
        del self._found[self._limit + 1 :]

    def end_at(self, organization: Organization, key: Key) -> None:
        """End the page at a key: of the organization, nothing after it was looked at."""
        if self._end is None or _rank(key, organization) > _rank(*self._end):
            self._end = key, organization

    @property
    def _seen(self) -> list[tuple[Key, Organization, Item]]:
        """What was found down to where the page ends: one more than the page, if it is full."""
        if self._end is None:
            return self._found
        end = _rank(*self._end)
        return [each for each in self._found if _rank(each[0], each[1]) >= end]

    @property
    def _own(self) -> list[tuple[Key, Organization, Item]]:
        """The items of the page with their keys."""
        return self._seen[: self._limit]

    @property
    def is_ended_early(self) -> bool:
        """Tell whether nobody looked for what follows the page: see `end_at`."""
        return self._end is not None and len(self._seen) <= self._limit

    @property
    def has_more(self) -> bool:
        """Tell whether more items follow the page."""
        return self.is_ended_early or len(self._found) > self._limit

    @property
    def items(self) -> list[tuple[Organization, Item]]:
        """Return the items of the page."""
        return [(organization, item) for _, organization, item in self._own]

    @property
    def organizations(self) -> tuple[str, ...] | None:
        """Return the key of each item's organization, None for a list of one."""
        return self.keys_of(self.items)

    def keys_of(self, items: Iterable[tuple[Organization, Any]]) -> tuple[str, ...] | None:
        """Return the same for items in another order."""
        return tuple(each.key for each, _ in items) if self._everywhere else None

    @property
    def cursor(self) -> str | None:
        """Return the cursor of the next page, None if there is none."""
        if not self.has_more:
            return None
        if self._end is not None and self.is_ended_early:
            (value, *ids), organization = self._end
        else:
            (value, *ids), organization, _ = self._own[-1]
        if self._everywhere:
            ids.append(organization.id)
        return cursor_of(self._kind, value, ids, everywhere=self._everywhere)


def _rank(key: Key, organization: Organization) -> Key:
    return (*key, organization.id)
