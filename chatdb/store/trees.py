"""The tree of a stored conversation without its contents: which message replies to which."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.schema import messages
from chatdb.store.holding import Held


@dataclass(frozen=True, slots=True)
class Node:
    """A message's place; `parent_id` may name a message outside the conversation."""

    id: UUID
    parent_id: UUID | None
    position: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class StoredTree:
    """The messages of a conversation by id, in the order of their positions."""

    nodes: dict[UUID, Node]

    @property
    def is_linked(self) -> bool:
        """Tell whether any message names its parent; otherwise they form a list."""
        return any(node.parent_id in self.nodes for node in self.nodes.values())

    def below(self, top: UUID) -> list[UUID]:
        """Return a message and all below it, in order."""
        if not self.is_linked:
            first = self.nodes[top].position
            return [node.id for node in self.nodes.values() if node.position >= first]
        children: dict[UUID, list[UUID]] = {}
        for node in self.nodes.values():
            if node.parent_id is not None:
                children.setdefault(node.parent_id, []).append(node.id)
        # Not recursive: a long conversation is as deep as it has messages.
        found, waiting = {top}, [top]
        while waiting:
            for child in children.get(waiting.pop(), ()):
                if child not in found:
                    found.add(child)
                    waiting.append(child)
        return [identifier for identifier in self.nodes if identifier in found]

    def path_to(self, end: UUID) -> list[UUID]:
        """Return the messages from the first one to this one."""
        if not self.is_linked:
            last = self.nodes[end].position
            return [node.id for node in self.nodes.values() if node.position <= last]
        path: list[UUID] = []
        seen: set[UUID] = set()
        place: UUID | None = end
        # Real exports have parents that are missing, and some that go in a circle.
        while place is not None and place in self.nodes and place not in seen:
            seen.add(place)
            path.append(place)
            place = self.nodes[place].parent_id
        return path[::-1]

    def parent_without(self, identifier: UUID, gone: Collection[UUID]) -> UUID | None:
        """Return the nearest message above that stays if those of `gone` are removed."""
        seen: set[UUID] = set()
        place = self.nodes[identifier].parent_id
        while place in gone and place in self.nodes and place not in seen:
            seen.add(place)
            place = self.nodes[place].parent_id
        return None if place in gone else place

    def without(self, gone: Collection[UUID]) -> "StoredTree":
        """Return the tree that is left if messages are removed and replies to them move up."""
        kept = (node for node in self.nodes.values() if node.id not in gone)
        return StoredTree(
            {
                node.id: Node(
                    node.id, self.parent_without(node.id, gone), node.position, node.created_at
                )
                for node in kept
            }
        )


def read_tree(connection: sa.Connection, organization: UUID, conversation: UUID) -> StoredTree:
    """Read the tree of a conversation."""
    columns = messages.c
    rows = connection.execute(
        sa.select(columns.id, columns.parent_id, columns.position, columns.created_at)
        .where(columns.organization_id == organization, columns.conversation_id == conversation)
        .order_by(columns.position)
    )
    return StoredTree({row.id: Node(*row) for row in rows})


def is_stored_list(connection: sa.Connection, organization: UUID, conversation: UUID) -> bool:
    """Tell whether there are several messages and none replies to another."""
    columns, parents = messages.c, messages.alias("parents")
    own = (columns.organization_id == organization, columns.conversation_id == conversation)
    several = connection.execute(sa.select(columns.id).where(*own).limit(2)).fetchall()
    if len(several) < 2:
        return False
    answers = sa.and_(
        parents.c.organization_id == columns.organization_id,
        parents.c.conversation_id == columns.conversation_id,
        parents.c.id == columns.parent_id,
    )
    query = sa.select(columns.id).join(parents, answers).where(*own).limit(1)
    return connection.execute(query).first() is None


def link(connection: sa.Connection, held: Held) -> None:
    """Let each message of a list reply to the one before it, so that it can have branches.

    Messages from a source count as edited: otherwise a later import would revert that.
    """
    tree = read_tree(connection, held.organization_id, held.id)
    columns = messages.c
    statement = (
        sa.update(messages)
        .where(
            columns.organization_id == held.organization_id,
            columns.conversation_id == held.id,
            columns.id == sa.bindparam("message"),
        )
        .values(
            parent_id=sa.bindparam("parent"),
            edited_at=sa.case(
                (columns.source_id.is_(None), columns.edited_at),
                else_=sa.literal(held.now, columns.edited_at.type),
            ),
        )
    )
    ids = list(tree.nodes)
    pairs = [{"message": identifier, "parent": before} for before, identifier in pairwise(ids)]
    if pairs:
        connection.execute(statement, pairs)


def newest_leaf(tree: StoredTree, *, below: UUID | None = None) -> UUID | None:
    """Return the newest message without a reply, the last of equally new ones; None for none."""
    parents = {node.parent_id for node in tree.nodes.values()}
    among = tree.nodes if below is None else tree.below(below)
    best: Node | None = None
    for identifier in among:
        node = tree.nodes[identifier]
        if node.id not in parents and (best is None or node.created_at >= best.created_at):
            best = node
    # A circle has no leaf.
    if best is None and tree.nodes:
        best = tree.nodes[next(reversed(tree.nodes))]
    return None if best is None else best.id


def leaf_left(tree: StoredTree, left: StoredTree, leaf: UUID | None) -> UUID | None:
    """Return the active leaf of what is left of a tree."""
    if leaf is None or leaf in left.nodes or leaf not in tree.nodes:
        return leaf
    gone = tree.nodes.keys() - left.nodes.keys()
    above = tree.parent_without(leaf, gone)
    return newest_leaf(left, below=above if above in left.nodes else None)
