"""Tells another program's tables with chatdb's table names from chatdb's, by their columns."""

from collections.abc import Mapping
from typing import NamedTuple

from chatdb.db.migrating.scripts import VERSION_TABLE
from chatdb.db.schema import TABLE_NAMES

Columns = Mapping[str, Mapping[str, str]]
"""The columns of each table of a schema, with their types."""


class Origin(NamedTuple):
    """The system whose tables these are, and whether chatdb can import its chats."""

    name: str
    is_read: bool


_OWN: Mapping[str, frozenset[str]] = {
    "organizations": frozenset({"id", "key"}),
    "conversations": frozenset({"organization_id", "id", "metadata", "source_hash"}),
    "messages": frozenset({"organization_id", "conversation_id", "id", "position", "role"}),
    "snapshots": frozenset({"organization_id", "conversation_id", "id", "state"}),
    "files": frozenset({"organization_id", "digest", "size"}),
    "message_files": frozenset({"organization_id", "conversation_id", "message_id", "digest"}),
    "message_embeddings": frozenset({"organization_id", "message_id", "model", "vector"}),
    "message_vectors": frozenset({"organization_id", "message_id", "model", "digest"}),
    "tombstones": frozenset({"organization_id", "conversation_id", "message_id"}),
    "chatdb_log": frozenset({"id", "kind", "subject", "outcome"}),
    "chatdb_settings": frozenset({"key", "value"}),
    "chatdb_leases": frozenset({"name", "owner", "expires_at"}),
}
"""The columns of each of chatdb's tables in every revision."""


def foreign_tables(tables: Columns, *, migrated: bool) -> tuple[str, ...]:
    """Return the tables with chatdb's table names that are not chatdb's, sorted.

    `tables` are all tables of the schema with their columns; without a chatdb revision (`migrated`)
    every one is foreign, with one those that lack chatdb's columns.
    """
    named = sorted((TABLE_NAMES - {VERSION_TABLE}) & tables.keys())
    if not migrated:
        return tuple(named)
    return tuple(name for name in named if not _OWN.get(name, frozenset()) <= tables[name].keys())
