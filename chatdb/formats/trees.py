"""Arranges the nodes of a tree of messages in one list, parents before children."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from chatdb.records import Message

_NONE: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes in reading order with their final parents; `cut` are those removed from a cycle."""

    order: list[str]
    parents: dict[str, str | None]
    children: dict[str, list[str]]
    cut: frozenset[str]


def tree_of(parents: dict[str, str | None], wanted: Mapping[str, Sequence[Any]]) -> Tree:
    """Order nodes depth first: roots as given, siblings in the order of their parent in `wanted`.

    `parents` names every node's parent (None or unknown: a root); siblings that the list does not
    name follow in the order of `parents`. A cycle is cut before its first node. No recursion.
    """
    children: dict[str, list[str]]
    order = list(parents)
    if order and list(parents.values()) == [None, *order[:-1]]:  # A conversation without branches.
        children = {above: [node] for node, above in parents.items() if above is not None}
        return Tree(order, parents, children, _NONE)
    children = {}
    roots: list[str] = []
    for node, parent in parents.items():
        if parent is None or parent not in parents:
            roots.append(node)
        elif parent in children:
            children[parent].append(node)
        else:
            children[parent] = [node]
    for parent, nodes in children.items():
        if len(nodes) > 1 and parent in wanted:
            nodes.sort(key=partial(_place, _places(wanted[parent])))
    order = _walk(roots, children, set())
    if len(order) == len(parents):
        return Tree(order, parents, children, _NONE)
    return _with_circles_cut(order, parents, children)


def _with_circles_cut(
    order: list[str], parents: dict[str, str | None], children: dict[str, list[str]]
) -> Tree:
    reached = set(order)
    parents = dict(parents)
    cut = []
    for node in list(parents):
        if node not in reached:
            cut.append(node)
            parents[node] = None
            order += _walk([node], children, reached)
    return Tree(order, parents, children, frozenset(cut))


def _places(wanted: Sequence[Any]) -> dict[str, int]:
    places: dict[str, int] = {}
    for name in wanted:
        if isinstance(name, str):
            places.setdefault(name, len(places))
    return places


def _place(places: Mapping[str, int], node: str) -> int:
    return places.get(node, len(places))


def _walk(roots: list[str], children: dict[str, list[str]], reached: set[str]) -> list[str]:
    order: list[str] = []
    stack = roots[::-1]
    while stack:
        node: str | None = stack.pop()
        while node is not None and node not in reached:
            reached.add(node)
            order.append(node)
            below = children.get(node, ())
            node = below[0] if below else None
            if len(below) > 1:
                stack += below[:0:-1]
    return order


def newest_leaf(messages: Sequence[Message]) -> UUID | None:
    """Return the id of the newest message without a reply; of equally new ones the last."""
    parents = {message.parent_id for message in messages}
    best: Message | None = None
    for message in messages:
        if message.id not in parents and (best is None or message.created_at >= best.created_at):
            best = message
    if best is None and messages:
        best = messages[-1]
    return best.id if best is not None else None
