"""Recognises Multichat's tables."""

from chatdb.layouts.capabilities import Capability
from chatdb.layouts.tables import Catalogue, System

_NOT_OURS = ("user_id", "orgId", "organization_id", "session_id")
"""Columns Multichat does not have: tables with one of them are another system's."""


def _recognises(catalogue: Catalogue) -> bool:
    conversations, messages = catalogue.get("conversations"), catalogue.get("messages")
    return (
        conversations is not None
        and messages is not None
        and conversations.has("id", "title", "created_at", "updated_at")
        and conversations.has_types(message_count="int")
        and messages.has("id", "conversation_id", "role", "content", "timestamp", "meta")
        and not any(conversations.has(column) for column in _NOT_OURS)
    )


system = System(
    "multichat",
    "Multichat's database, SQLite or PostgreSQL",
    _recognises,
    can=frozenset((Capability.INCREMENTAL, Capability.WRITE_BACK)),
)
