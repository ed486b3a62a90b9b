"""Deletes messages of a conversation, so that no later import brings them back."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import messages
from chatdb.operations.conversations.messages import ListedMessage, read_listed
from chatdb.store.embeddings_moved import delete_embeddings
from chatdb.store.holding import AT_ONCE, Held, bury, change
from chatdb.store.naming import resolve_conversation, resolve_message
from chatdb.store.selecting import organization_id
from chatdb.store.trees import StoredTree, newest_leaf, read_tree


def find_deletable(
    database: Database,
    conversation: str,
    texts: Sequence[str],
    *,
    organization_key: str,
    user_id: str | None = None,
) -> tuple[UUID, list[ListedMessage]]:
    """Return the conversation and the given messages; raises as `resolve_message`."""
    with database.transaction(snapshot=True) as connection:
        organization = organization_id(connection, organization_key)
        identifier = resolve_conversation(connection, organization, conversation, user_id=user_id)
        ids = [resolve_message(connection, organization, identifier, text) for text in texts]
        return identifier, read_listed(connection, organization, identifier, list(set(ids)))


def delete(
    connection: sa.Connection, held: Held, ids: Sequence[UUID], *, reason: str
) -> list[UUID]:
    """Delete messages of a locked conversation; return those that existed.

    Replies to them move up to the nearest remaining message; a tombstone is left for each. If the
    active leaf is deleted, the newest leaf beside or above it takes its place.
    """
    tree = read_tree(connection, held.organization_id, held.id)
    gone = [identifier for identifier in dict.fromkeys(ids) if identifier in tree.nodes]
    if not gone:
        return []
    left = tree.without(frozenset(gone))
    columns = messages.c
    own = (columns.organization_id == held.organization_id, columns.conversation_id == held.id)
    for node in left.nodes.values():
        if node.parent_id != tree.nodes[node.id].parent_id:
            connection.execute(
                sa.update(messages)
                .where(*own, columns.id == node.id)
                .values(parent_id=node.parent_id)
            )
    for start in range(0, len(gone), AT_ONCE):
        some = gone[start : start + AT_ONCE]
        connection.execute(sa.delete(messages).where(*own, columns.id.in_(some)))
        delete_embeddings(connection, held, some)
    bury(connection, held, gone, reason=reason)
    change(connection, held, current_message_id=leaf_left(tree, left, held.current_message_id))
    return gone


def leaf_left(tree: StoredTree, left: StoredTree, leaf: UUID | None) -> UUID | None:
    """Return the active leaf of what is left of a tree."""
    if leaf is None or leaf in left.nodes or leaf not in tree.nodes:
        return leaf
    gone = tree.nodes.keys() - left.nodes.keys()
    above = tree.parent_without(leaf, gone)
    return newest_leaf(left, below=above if above in left.nodes else None)
