"""What the versions of Open WebUI have in their tables: the only place that tells them apart."""

from collections.abc import Mapping

from chatdb.layouts.foreign import ForeignDatabase
from chatdb.layouts.tables import Catalogue, Table

COLUMNS: Mapping[str, str] = {
    "parent_id": "parentId",
    "model_id": "model",
    "status_history": "statusHistory",
    "context_summary": "contextSummary",
    "created_at": "timestamp",
}
"""Columns of a message's row that the chat's JSON calls differently."""

JSON_OF_MESSAGES = frozenset(
    (
        *("content", "output", "files", "sources", "embeds", "meta"),
        *("status_history", "error", "usage"),
    )
)
JSON_OF_CHATS = frozenset(("chat", "meta", "variables", "tasks"))
TRUTHS_OF_CHATS = frozenset(("archived", "pinned"))

_SEEN = {
    "0bd252b206fb": "0.12.4",
    "42e2978c7933": "June 2026",
    "8452d01d26d7": "February 2026",
}
"""Revisions of its own migrations that chatdb was tried with."""

_OTHERS = (
    ("message", "messages in channels of a team"),
    ("feedback", "ratings (the chats have them too)"),
    ("memory", "memories"),
    ("note", "notes"),
)


def generation(foreign: ForeignDatabase, catalogue: Catalogue) -> str:
    """Say of which generation the tables are, and of which revision if they tell it."""
    chat, rows = catalogue["chat"], catalogue.get("chat_message")
    if rows is None:
        shape = "chats as JSON"
    elif chat.has("current_message_id"):
        shape = "chats as JSON and rows, with the current message"
    else:
        shape = "chats as JSON and rows"
    versions = catalogue.get("alembic_version")
    if versions is None or not versions.has("version_num"):
        return shape
    found = next(foreign.rows(f"SELECT version_num FROM {foreign.place(versions)}"), None)
    revision = "" if found is None else str(found["version_num"])
    return f"{shape} ({_SEEN.get(revision, f'revision {revision}')})"


def rows_of_messages(catalogue: Catalogue) -> Table | None:
    """Return the table with a row for each message; versions before February 2026 lack it."""
    found = catalogue.get("chat_message")
    return found if found is not None and found.has("id", "chat_id", "role", "content") else None


def shared_copies(catalogue: Catalogue) -> Table | None:
    """Return the table of shared copies; before April 2026 they stand among the chats."""
    found = catalogue.get("shared_chat")
    return found if found is not None and found.has("id", "chat_id", "chat") else None


def left_alone(foreign: ForeignDatabase, catalogue: Catalogue) -> Mapping[str, int]:
    """Count the rows of tables that are no chats with a model, each with what they are."""
    found = {}
    for name, what in _OTHERS:
        table = catalogue.get(name)
        if table is not None and not table.closed and (count := foreign.count(table)):
            found[f"{what} (the table {name}) are no chats: not read"] = count
    return found
