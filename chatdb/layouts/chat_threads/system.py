"""Recognises the interview app's chat threads."""

from chatdb.layouts.capabilities import Capability
from chatdb.layouts.tables import Catalogue, System


def _recognises(catalogue: Catalogue) -> bool:
    threads = catalogue.get("chat_threads")
    return (
        threads is not None
        and threads.has("id", "user_id", "title", "created_at", "updated_at")
        and threads.has_types(messages="json")
    )


system = System(
    "chat-threads",
    "FastAPI chat threads of the interview app",
    _recognises,
    can=frozenset((Capability.TENANTS, Capability.INCREMENTAL, Capability.WRITE_BACK)),
)
