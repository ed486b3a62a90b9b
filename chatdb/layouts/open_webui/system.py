"""Recognises Open WebUI's tables, of any version since 0.5."""

from chatdb.layouts.capabilities import Capability
from chatdb.layouts.tables import Catalogue, System


def _recognises(catalogue: Catalogue) -> bool:
    chat = catalogue.get("chat")
    return chat is not None and chat.has(
        *("id", "user_id", "title", "chat", "share_id", "archived", "created_at", "updated_at")
    )


system = System(
    name="open-webui",
    title="Open WebUI's database, 0.5 to 0.12",
    recognises=_recognises,
    writes=False,
    group="wide",
    verified=("0.12.4", "June 2026"),
    can=frozenset(
        (
            Capability.BRANCHES,
            Capability.TOOLS,
            Capability.REASONING,
            Capability.TENANTS,
            Capability.INCREMENTAL,
            Capability.WRITE_BACK,
        )
    ),
)
