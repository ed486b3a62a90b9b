"""Recognises Helvino's tables, of any of its migrations."""

from chatdb.layouts.capabilities import Capability
from chatdb.layouts.tables import Catalogue, System


def _recognises(catalogue: Catalogue) -> bool:
    wanted = {
        "organizations": ("id", "key", "name"),
        "conversations": ("id", "orgId", "createdAt", "updatedAt", "messageCount"),
        "messages": ("id", "conversationId", "orgId", "role", "content", "timestamp"),
    }
    conversations = catalogue.get("conversations")
    if conversations is None or not conversations.has_types(
        createdAt="timestamp", messageCount="integer"
    ):
        return False
    return all(
        name in catalogue and catalogue[name].has(*columns) for name, columns in wanted.items()
    )


system = System(
    "helvino",
    "Helvino's database, of any of its migrations",
    _recognises,
    can=frozenset((Capability.TENANTS, Capability.INCREMENTAL, Capability.WRITE_BACK)),
)
