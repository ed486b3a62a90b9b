"""Where a message stands if two versions of its conversation name different parents.

Newer exports leave out tool messages of older ones, and their replies move up. Such a message is
merely missing: it keeps its place between the two that are in both.
"""

from collections.abc import Iterable
from uuid import UUID

from chatdb.records import Message


class PlacesInBoth:
    """The parents of messages that two versions of a conversation have in common."""

    def __init__(self, stored: Iterable[Message], incoming: Iterable[Message]) -> None:
        mine = {message.id: message.parent_id for message in stored}
        theirs = {message.id: message.parent_id for message in incoming}
        self._of_stored = _Nearest(mine, theirs)
        self._of_incoming = _Nearest(theirs, mine)

    def keeps_stored(self, held: Message, message: Message) -> bool:
        """Tell whether only messages that the source misses stand between it and its new parent."""
        return self._of_stored.above(held) == message.parent_id

    def takes_incoming(self, held: Message, message: Message) -> bool:
        """Tell whether the source has messages between it and its parent that are missing here."""
        return self._of_incoming.above(message) == held.parent_id


class _Nearest:
    """The nearest ancestors of the messages of one version that the other has too."""

    def __init__(self, parents: dict[UUID, UUID | None], others: dict[UUID, UUID | None]) -> None:
        self._parents = parents
        self._others = others
        self._known: dict[UUID | None, UUID | None] = {}

    def above(self, message: Message) -> UUID | None:
        """Return the nearest one, None above the first; within a circle a message of it."""
        place, passed = message.parent_id, []
        # Each is passed once: many replies may hang on one long chain.
        while place in self._parents and place not in self._others and place not in self._known:
            self._known[place] = place
            passed.append(place)
            place = self._parents[place]
        found = self._known.get(place, place)
        for each in passed:
            self._known[each] = found
        return found
