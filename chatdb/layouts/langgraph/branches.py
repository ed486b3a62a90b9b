"""One tree of messages from the lists of a thread's checkpoints."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chatdb.layouts.langgraph.lists import EMPTY, Entry, Lists
from chatdb.layouts.langgraph.states import GraphCheckpoint


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

    def add_branch(self, entries: list[Entry]) -> int | None:
        """Add the list of a checkpoint that ends a branch; return the node that it ends with."""
        above: int | None = None
        for entry in entries:
            node = self._below.get((above, entry))
            above = self._new(entry, above) if node is None else node
        return above

    def node(self, above: int | None, entry: Entry) -> int:
        """Return the node of a message in any checkpoint's list; one that has none gets one.

        What was trimmed before it does not make it another message.
        """
        node = self._below.get((above, entry), self._known.get(entry))
        return self._new(entry, above) if node is None else node

    def _new(self, entry: Entry, above: int | None) -> int:
        node = len(self.entries)
        self.entries.append(entry)
        self.parents.append(above)
        self._below[above, entry] = node
        self._known.setdefault(entry, node)
        return node


def branches_of(
    checkpoints: Mapping[str, GraphCheckpoint], heads: Mapping[str, int], lists: Lists
) -> Branches:
    """Return the tree: the newest list whole, then what other ends and older checkpoints add.

    `heads` has the list of each checkpoint.
    """
    found = Branches()
    parents = {each.parent for each in checkpoints.values()}
    names = [name for name in checkpoints if name in heads]
    # Where all are parents, in a circle, the newest ends the only branch.
    ends = [name for name in reversed(names) if name not in parents] or names[-1:]
    tips = [found.add_branch(lists.entries(heads[name])) for name in ends]
    found.current = tips[0] if tips else None
    kept = len(found.entries)
    # A list that begins another has the same nodes there: each is walked once.
    nodes: dict[int, int | None] = {EMPTY: None}
    for name in names:
        way, number = [], heads[name]
        while number not in nodes:
            way.append(number)
            number = lists.before[number]
        for number in reversed(way):
            node = found.node(nodes[lists.before[number]], lists.last[number])
            nodes[number] = node
            found.first.setdefault(node, name)
    found.gone = set(range(kept, len(found.entries)))
    return found
