"""The lists of messages of one thread, which share their beginnings: most checkpoints add a few.

A list is a number: that of the list before it, and one message more. So memory grows with what
checkpoints add, not with what they repeat.
"""

from collections import Counter
from collections.abc import Iterable

from chatdb.formats.langchain.messages import REMOVAL
from chatdb.layouts.langgraph.values import Pool

EMPTY = 0
"""The list of no messages."""
REMOVE_ALL = "__remove_all__"

Entry = tuple[int, int]
"""A version of a message, and which occurrence of it: those without an id may stand twice."""


class Lists:
    """Every list by its number: `before` has the list without its last message, `last` that."""

    def __init__(self, pool: Pool) -> None:
        self.before = [EMPTY]
        self.last: list[Entry] = [(-1, 0)]
        self.lengths = [0]
        self._pool = pool
        self._longer: dict[tuple[int, int], int] = {}
        # What is in the list that was used last: the next is mostly that and a message more.
        self._at = EMPTY
        self._held: Counter[str | int] = Counter()

    def of(self, versions: Iterable[int]) -> int:
        """Return the list of these messages."""
        number = EMPTY
        for version in versions:
            number = self._and(number, version)
        return number

    def path(self, number: int) -> list[int]:
        """Return the list's beginnings, from the empty one to itself."""
        found = [number]
        while number:
            number = self.before[number]
            found.append(number)
        return found[::-1]

    def entries(self, number: int) -> list[Entry]:
        """Return the messages of a list."""
        return [self.last[each] for each in self.path(number)[1:]]

    def changed(self, number: int, versions: Iterable[int]) -> int:
        """Return a list after what was written: appended, replaced by id, removed."""
        for version in versions:
            identifier = self._pool.ids[version]
            if self._pool.versions[version].get("type") != REMOVAL:
                known = identifier is not None and self._holds(number, identifier)
                number = self._replaced(number, version) if known else self._and(number, version)
            elif identifier == REMOVE_ALL:
                number = EMPTY
            elif self._holds(number, identifier or ""):
                left = (version for version, _ in self.entries(number))
                number = self.of([each for each in left if self._pool.ids[each] != identifier])
        return number

    def _replaced(self, number: int, version: int) -> int:
        versions = [each for each, _ in self.entries(number)]
        ids = [self._pool.ids[each] for each in versions]
        versions[ids.index(self._pool.ids[version])] = version
        return self.of(versions)

    def _and(self, number: int, version: int) -> int:
        """Return a list with a message more."""
        self._go_to(number)
        key = self._key(version)
        longer = self._longer.setdefault((number, version), len(self.before))
        if longer == len(self.before):
            self.before.append(number)
            self.last.append((version, 0 if isinstance(key, str) else self._held[key]))
            self.lengths.append(self.lengths[number] + 1)
        self._held[key] += 1
        self._at = longer
        return longer

    def _holds(self, number: int, identifier: str) -> bool:
        self._go_to(number)
        return identifier in self._held

    def _go_to(self, number: int) -> None:
        if number != self._at:
            self._at = number
            self._held = Counter(self._key(version) for version, _ in self.entries(number))

    def _key(self, version: int) -> str | int:
        """Return what makes a message the same: its id, else its version."""
        identifier = self._pool.ids[version]
        return version if identifier is None else identifier
