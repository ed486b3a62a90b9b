"""Recognises ChatMCP's tables: its three schemas differ in their columns' names."""

from collections.abc import Mapping

from chatdb.layouts.capabilities import Capability
from chatdb.layouts.tables import Catalogue, System

Names = Mapping[str, str]
"""The names of the columns in one of the schemas, by what they hold."""

FOLDED: Names = {
    "user": "userid",
    "created": "createdat",
    "updated": "updatedat",
    "conversation": "conversationid",
    "calls": "functioncalls",
    "outputs": "functionoutputs",
}
SNAKE: Names = {
    "user": "user_id",
    "created": "created_at",
    "updated": "updated_at",
    "conversation": "conversation_id",
    "calls": "function_calls",
    "outputs": "function_outputs",
}


def names_in(catalogue: Catalogue) -> Names | None:
    """Return the names of the columns; None for tables that are not ChatMCP's."""
    conversations, messages = catalogue.get("conversations"), catalogue.get("messages")
    if conversations is None or messages is None:
        return None
    if not (conversations.has_types(id="uuid") and messages.has_types(id="uuid")):
        return None
    for names in (FOLDED, SNAKE):
        if conversations.has(
            "id", "title", names["user"], names["created"], names["updated"]
        ) and messages.has(
            *("id", "role", "content", "reasoning", names["conversation"]),
            *(names["calls"], names["outputs"], names["created"]),
        ):
            return names
    return None


system = System(
    name="chatmcp",
    title="ChatMCP's database, in any of its three schemas",
    recognises=lambda catalogue: names_in(catalogue) is not None,
    can=frozenset(
        (
            Capability.TOOLS,
            Capability.REASONING,
            Capability.TENANTS,
            Capability.INCREMENTAL,
            Capability.WRITE_BACK,
        )
    ),
)
