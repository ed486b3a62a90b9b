"""Recognises other systems' tables with chatdb's table names, by their columns."""

from collections.abc import Mapping

from chatdb.db.migrating.scripts import VERSION_TABLE
from chatdb.db.schema import TABLE_NAMES

_Shape = Mapping[str, frozenset[str]]

_OWN: _Shape = {
    "organizations": frozenset({"id", "key"}),
    "conversations": frozenset({"organization_id", "id", "metadata", "source_hash"}),
    "messages": frozenset({"organization_id", "conversation_id", "id", "position", "role"}),
    "snapshots": frozenset({"organization_id", "conversation_id", "id", "state"}),
    "message_embeddings": frozenset({"organization_id", "message_id", "model", "vector"}),
    "tombstones": frozenset({"organization_id", "conversation_id", "message_id"}),
    "chatdb_log": frozenset({"id", "kind", "subject", "outcome"}),
    "chatdb_settings": frozenset({"key", "value"}),
    "chatdb_leases": frozenset({"name", "owner", "expires_at"}),
}
"""The columns of each of chatdb's tables in every revision."""

_KNOWN: tuple[tuple[str, _Shape], ...] = (
    ("Helvino", {"conversations": frozenset({"orgId"}), "messages": frozenset({"orgId"})}),
    ("ChatMCP (its first migration)", {"conversations": frozenset({"userid", "createdat"})}),
    (
        "ChatMCP",
        {
            "conversations": frozenset({"user_id", "title"}),
            "messages": frozenset({"conversation_id", "function_calls"}),
        },
    ),
    ("Relay", {"chats": frozenset({"repository_full_name"}), "messages": frozenset({"chat_id"})}),
    (
        "Multichat",
        {
            "conversations": frozenset({"message_count"}),
            "messages": frozenset({"conversation_id", "meta"}),
        },
    ),
    (
        "the interview app with chat threads",
        {"chat_threads": frozenset({"messages"}), "messages": frozenset({"session_id"})},
    ),
    (
        "Letta",
        {"messages": frozenset({"agent_id", "sequence_id"}), "agents": frozenset({"id"})},
    ),
    (
        "LobeChat",
        {"messages": frozenset({"topic_id", "session_id"}), "topics": frozenset({"id"})},
    ),
    (
        "simonw/llm",
        {"messages": frozenset({"hash", "parent_hash"}), "parts": frozenset({"message_hash"})},
    ),
    (
        "simonw/llm (before its message store)",
        {"conversations": frozenset({"model"}), "responses": frozenset({"prompt", "response"})},
    ),
    (
        "ChatGPT Export Studio",
        {"messages": frozenset({"content_text", "turn_index"})},
    ),
    ("Open WebUI", {"chat": frozenset({"chat", "share_id"})}),
    ("Chainlit", {"steps": frozenset({"threadId"}), "threads": frozenset({"userIdentifier"})}),
)
"""Column names as the systems' own migrations create them; the first match is named."""


def foreign_tables(tables: _Shape, *, migrated: bool) -> tuple[str, ...]:
    """Return the tables with chatdb's table names that are not chatdb's, sorted.

    `tables` are all tables of the schema with their columns; without a chatdb revision (`migrated`)
    every one is foreign, with one those that lack chatdb's columns.
    """
    named = sorted((TABLE_NAMES - {VERSION_TABLE}) & tables.keys())
    if not migrated:
        return tuple(named)
    return tuple(name for name in named if not _OWN.get(name, frozenset()) <= tables[name])


def recognise(tables: _Shape) -> str | None:
    """Name the system that these tables belong to; None if it is unknown."""
    for system, shape in _KNOWN:
        if all(columns <= tables.get(table, frozenset()) for table, columns in shape.items()):
            return system
    return None
