"""Recognises Relay's tables."""

from chatdb.layouts.capabilities import Capability
from chatdb.layouts.tables import Catalogue, System


def _recognises(catalogue: Catalogue) -> bool:
    chats, messages = catalogue.get("chats"), catalogue.get("messages")
    return (
        chats is not None
        and messages is not None
        and chats.has("title", "repository_full_name")
        and chats.has_types(id="uuid", quiet_mode="boolean")
        and messages.has("id", "type", "content")
        and messages.has_types(chat_id="uuid")
    )


system = System(
    "relay",
    "Relay's database",
    _recognises,
    can=frozenset((Capability.TOOLS, Capability.INCREMENTAL, Capability.WRITE_BACK)),
)
