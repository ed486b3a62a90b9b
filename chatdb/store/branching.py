"""Fork, split and merge of conversations, inside the caller's transaction.

Messages move as rows: their contents are never read. Messages that leave a conversation leave
tombstones in it, so that no later import of its source brings them back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.schema import conversations, messages, snapshots, tombstones
from chatdb.errors import RefusedError, UsageError
from chatdb.records import MARKS, WHOLE_CONVERSATION, new_id
from chatdb.store.following import copy_following, move_following, rename_following
from chatdb.store.holding import (
    AT_ONCE,
    Held,
    bury,
    change,
    hold,
)
from chatdb.store.titles import title_of
from chatdb.store.trees import StoredTree, leaf_left, link, newest_leaf, read_tree

_CONTENT_START = 2_000
"""Characters of a message that are used as a title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Branching:
    """The result of a fork, split or merge: the conversation it created or extended."""

    id: UUID
    title: str | None
    from_id: UUID
    messages: int
    snapshots: int


class Branch(Protocol):
    """`fork` or `split`."""

    def __call__(
        self, connection: sa.Connection, held: Held, at: UUID, *, title: str | None
    ) -> Branching: ...


def fork(connection: sa.Connection, held: Held, at: UUID, *, title: str | None) -> Branching:
    """Copy the messages from the first one to `at` into a new conversation.

    The copies get new ids, the files and embeddings of the originals, and count as created here;
    snapshots are not copied.
    """
    tree = read_tree(connection, held.organization_id, held.id)
    path = tree.path_to(at)
    ids = {identifier: new_id() for identifier in path}
    origin = {"forked_from": {"conversation": str(held.id), "message": str(at)}}
    title = title or (None if held.title is None else f"{held.title} (fork)")
    made = _make(
        connection,
        held,
        title,
        origin,
        leaf=ids[at],
        created_at=held.now,
    )

    def row_of(row: Any, position: int) -> dict[str, Any]:
        return {
            **row,
            "conversation_id": made,
            "id": ids[row["id"]],
            "parent_id": ids.get(row["parent_id"]),
            "position": position,
            "source_id": None,
        }

    _copy(connection, held, path, row_of)
    copy_following(connection, held, made, ids)
    return _finished(connection, held, made, title, messages=len(path))


def split(connection: sa.Connection, held: Held, at: UUID, *, title: str | None) -> Branching:
    """Move a message and all below it into a new conversation.

    They keep their ids. Raises UsageError if no message would stay.
    """
    tree = read_tree(connection, held.organization_id, held.id)
    moved = tree.below(at)
    # An empty conversation would be left behind, with tombstones for everything it had.
    if len(moved) == len(tree.nodes):
        raise UsageError(
            f"all messages are below {at}: none would stay",
            hint="give a later message; to copy: chatdb conversations fork",
        )
    origin = {"split_from": {"conversation": str(held.id), "message": str(at)}}
    moved_tree = StoredTree({identifier: tree.nodes[identifier] for identifier in moved})
    current = held.current_message_id
    leaf = current if current in moved_tree.nodes else newest_leaf(moved_tree)
    made = _make(connection, held, title, origin, leaf=leaf, created_at=tree.nodes[at].created_at)
    _move(connection, held, made, moved)
    move_following(connection, held, made, moved)
    if tree.nodes[at].parent_id is not None:
        # Its parent stays in the other conversation: no reference may leave a conversation.
        connection.execute(_update(held, made, at).values(parent_id=None))
    bury(connection, held, moved, reason="chatdb conversations split")
    left = tree.without(frozenset(moved))
    change(connection, held, current_message_id=leaf_left(tree, left, current))
    return _finished(connection, held, made, title, messages=len(moved))


def merge(connection: sa.Connection, into: Held, other: Held) -> Branching:
    """Append the messages and snapshots of `other` to those of `into`, and delete it."""
    before = read_tree(connection, into.organization_id, into.id)
    theirs = read_tree(connection, other.organization_id, other.id)
    # Before they refer to messages of the other, which may have one of these ids.
    ids = _free_ids(connection, messages, other, before.nodes.keys() & theirs.nodes.keys())
    _rename_parents(connection, other, ids)
    rename_following(connection, other, ids)
    tree = _attachable(connection, into, other, before)
    offset = 1 + max((node.position for node in before.nodes.values()), default=-1)
    _move(connection, other, into.id, None, offset=offset)
    # Before the conversation is deleted, which takes along what belongs to it.
    move_following(connection, other, into.id, None)
    # A message deleted there and present here is back: an import must not remove it again.
    _lift_tombstones(connection, into, list(tree.nodes))
    moved = _move_snapshots(connection, into, other)
    leaf = other.current_message_id
    leaf = ids.get(leaf, leaf) if leaf in theirs.nodes else newest_leaf(tree)
    table = conversations.c
    connection.execute(
        sa.delete(conversations).where(
            table.organization_id == other.organization_id, table.id == other.id
        )
    )
    bury(connection, other, [WHOLE_CONVERSATION], reason="chatdb conversations merge")
    change(
        connection,
        into,
        user_id=into.user_id or other.user_id,
        title=into.title or other.title,
        current_message_id=leaf or into.current_message_id,
        metadata=_with_merged(into, other),
        edited_at=into.now,
    )
    return Branching(
        id=into.id,
        title=into.title or other.title,
        from_id=other.id,
        messages=len(tree.nodes),
        snapshots=moved,
    )


def check_users(into: Held, other: Held) -> None:
    """Raise RefusedError if two conversations belong to different users."""
    if None not in (into.user_id, other.user_id) and into.user_id != other.user_id:
        raise RefusedError(
            "the conversations belong to two users: one user's messages would become the other's",
            hint="if both are the same person: chatdb users rename",
        )


def _make(
    connection: sa.Connection,
    held: Held,
    title: str | None,
    origin: dict[str, Any],
    *,
    leaf: UUID | None,
    created_at: datetime,
) -> UUID:
    identifier = new_id()
    connection.execute(
        sa.insert(conversations).values(
            organization_id=held.organization_id,
            id=identifier,
            user_id=held.user_id,
            title=title,
            current_message_id=leaf,
            created_at=created_at,
            updated_at=held.now,
            metadata={MARKS: origin},
        )
    )
    return identifier


def _finished(
    connection: sa.Connection, held: Held, made: UUID, title: str | None, *, messages: int
) -> Branching:
    """Set the new conversation's title if it has none, and its time, which a trigger may change."""
    new = hold(connection, held.organization_id, made)
    title = title or _first_words(connection, new) or held.title
    change(connection, new, title=title, updated_at=held.now)
    return Branching(id=made, title=title, from_id=held.id, messages=messages, snapshots=0)


def _first_words(connection: sa.Connection, held: Held) -> str | None:
    columns = messages.c
    said = connection.scalar(
        sa.select(sa.func.substr(columns.content, 1, _CONTENT_START))
        .where(
            columns.organization_id == held.organization_id,
            columns.conversation_id == held.id,
            columns.role == "user",
        )
        .order_by(columns.position)
        .limit(1)
    )
    return None if said is None else title_of(said)


def _copy(
    connection: sa.Connection,
    held: Held,
    path: Sequence[UUID],
    row_of: Callable[[Any, int], dict[str, Any]],
) -> None:
    """Insert a copy of each message, made by `row_of`, some at a time."""
    columns = messages.c
    for start in range(0, len(path), AT_ONCE):
        some = path[start : start + AT_ONCE]
        query = sa.select(messages).where(
            columns.organization_id == held.organization_id,
            columns.conversation_id == held.id,
            columns.id.in_(some),
        )
        found = {row["id"]: row for row in connection.execute(query).mappings()}
        rows = [row_of(found[each], place) for place, each in enumerate(some, start)]
        connection.execute(sa.insert(messages), rows)


def _move(
    connection: sa.Connection,
    held: Held,
    target: UUID,
    ids: Sequence[UUID] | None,
    *,
    offset: int = 0,
) -> None:
    """Give the messages, or all, to another conversation, with positions shifted by `offset`."""
    columns = messages.c
    statement = (
        sa.update(messages)
        .where(columns.organization_id == held.organization_id, columns.conversation_id == held.id)
        .values(conversation_id=target, position=columns.position + offset)
    )
    if ids is None:
        connection.execute(statement)
        return
    for start in range(0, len(ids), AT_ONCE):
        connection.execute(statement.where(columns.id.in_(ids[start : start + AT_ONCE])))


def _attachable(
    connection: sa.Connection, into: Held, other: Held, before: StoredTree
) -> StoredTree:
    """Attach the first messages of `other` to the end of `into`; return the tree of `other`.

    Two lists, without replies, stay one list; a list beside a tree becomes a tree.
    """
    tree = read_tree(connection, other.organization_id, other.id)
    is_list = len(tree.nodes) > 1 and not tree.is_linked
    was_list = len(before.nodes) > 1 and not before.is_linked
    if not tree.nodes or not before.nodes or (was_list and (is_list or len(tree.nodes) == 1)):
        return tree
    if is_list:
        link(connection, other)
        tree = read_tree(connection, other.organization_id, other.id)
    if was_list:
        link(connection, into)
        before = read_tree(connection, into.organization_id, into.id)
    end = into.current_message_id
    if end not in before.nodes or was_list:
        end = newest_leaf(before)
    roots = [node.id for node in tree.nodes.values() if node.parent_id not in tree.nodes]
    for start in range(0, len(roots), AT_ONCE):
        connection.execute(
            _own_messages(other)
            .where(messages.c.id.in_(roots[start : start + AT_ONCE]))
            .values(parent_id=end)
        )
    return tree


def _free_ids(
    connection: sa.Connection, table: sa.Table, held: Held, taken: Any
) -> dict[UUID, UUID]:
    """Give messages whose ids are in use new ones; return the new ids by the old."""
    ids = {identifier: new_id() for identifier in sorted(taken)}
    columns = table.c
    for old, new in ids.items():
        connection.execute(
            sa.update(table)
            .where(
                columns.organization_id == held.organization_id,
                columns.conversation_id == held.id,
                columns.id == old,
            )
            .values(id=new)
        )
    return ids


def _rename_parents(connection: sa.Connection, held: Held, ids: dict[UUID, UUID]) -> None:
    for old, new in ids.items():
        connection.execute(
            _own_messages(held).where(messages.c.parent_id == old).values(parent_id=new)
        )


def _move_snapshots(connection: sa.Connection, into: Held, other: Held) -> int:
    columns = snapshots.c
    own = sa.select(columns.id).where(columns.organization_id == into.organization_id)
    mine, theirs = (
        set(connection.scalars(own.where(columns.conversation_id == held.id)))
        for held in (into, other)
    )
    _free_ids(connection, snapshots, other, mine & theirs)
    connection.execute(
        sa.update(snapshots)
        .where(
            columns.organization_id == other.organization_id,
            columns.conversation_id == other.id,
        )
        .values(conversation_id=into.id)
    )
    return len(theirs)


def _lift_tombstones(connection: sa.Connection, held: Held, ids: Sequence[UUID]) -> None:
    """Remove the tombstones of messages: they are back."""
    columns = tombstones.c
    for start in range(0, len(ids), AT_ONCE):
        connection.execute(
            sa.delete(tombstones).where(
                columns.organization_id == held.organization_id,
                columns.conversation_id == held.id,
                columns.message_id.in_(ids[start : start + AT_ONCE]),
            )
        )


def _with_merged(into: Held, other: Held) -> dict[str, Any]:
    """Return the metadata, with the values of the other conversation's row added."""
    row = {
        "id": str(other.id),
        "title": other.title,
        "created_at": other.created_at.isoformat(),
        "source": other.source,
        "source_name": other.source_name,
        "source_id": other.source_id,
        "metadata": other.metadata,
    }
    marks = into.metadata.get(MARKS)
    marks = marks if isinstance(marks, dict) else {}
    earlier = marks.get("merged")
    merged = [*(earlier if isinstance(earlier, list) else []), row]
    return {**into.metadata, MARKS: {**marks, "merged": merged}}


def _own_messages(held: Held) -> sa.Update:
    columns = messages.c
    return sa.update(messages).where(
        columns.organization_id == held.organization_id, columns.conversation_id == held.id
    )


def _update(held: Held, conversation: UUID, message: UUID) -> sa.Update:
    columns = messages.c
    return sa.update(messages).where(
        columns.organization_id == held.organization_id,
        columns.conversation_id == conversation,
        columns.id == message,
    )
