"""One tree of messages from the lists of a thread's checkpoints."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from chatdb.layouts.langgraph.states import GraphCheckpoint, List
from chatdb.layouts.langgraph.values import Pool

Entry = tuple[int, int]
"""A version of a message, and which occurrence of it: those without an id may stand twice."""


@dataclass(slots=True)
class Branches:
    """The nodes of a tree by number: the version of each, and the node before it.

    `first` has the checkpoint that had each first, in the order of the checkpoints; `current` ends
    the newest list, `gone` are in no checkpoint that ends a branch.
    """

    entries: list[Entry] = field(default_factory=list)
    parents: list[int | None] = field(default_factory=list)
    first: dict[int, str] = field(default_factory=dict)
    current: int | None = None
    gone: set[int] = field(default_factory=set)
    _below: dict[tuple[int | None, Entry], int] = field(default_factory=dict)
    _known: dict[Entry, int] = field(default_factory=dict)

    def add_branch(self, entries: list[Entry]) -> None:
        """Add the list of a checkpoint that ends a branch: one way of its own from the root."""
        above: int | None = None
        for entry in entries:
            node = self._below.get((above, entry))
            above = self._new(entry, above) if node is None else node

    def nodes(self, entries: list[Entry]) -> list[int]:
        """Return the nodes of any checkpoint's list; a message that has none gets one.

        What was trimmed before it does not make it another message.
        """
        found: list[int] = []
        above: int | None = None
        for entry in entries:
            node = self._below.get((above, entry), self._known.get(entry))
            above = self._new(entry, above) if node is None else node
            found.append(above)
        return found

    def _new(self, entry: Entry, above: int | None) -> int:
        node = len(self.entries)
        self.entries.append(entry)
        self.parents.append(above)
        self._below[above, entry] = node
        self._known.setdefault(entry, node)
        return node


def branches_of(
    checkpoints: Mapping[str, GraphCheckpoint], lists: Mapping[str, List], pool: Pool
) -> Branches:
    """Return the tree: the newest list whole, then what other ends and older checkpoints add."""
    found = Branches()
    entries = {name: _entries(lists[name], pool) for name in checkpoints if name in lists}
    parents = {each.parent for each in checkpoints.values()}
    ends = [name for name in reversed(entries) if name not in parents]
    for name in ends:
        found.add_branch(entries[name])
    kept = len(found.entries)
    if ends:
        newest = found.nodes(entries[ends[0]])
        found.current = newest[-1] if newest else None
    for name, own in entries.items():
        for node in found.nodes(own):
            found.first.setdefault(node, name)
    found.gone = set(range(kept, len(found.entries)))
    return found


def _entries(versions: List, pool: Pool) -> list[Entry]:
    seen: Counter[int] = Counter()
    entries = []
    for version in versions:
        number = seen[version] if pool.ids[version] is None else 0
        seen[version] += 1
        entries.append((version, number))
    return entries
