"""Whose tables a database has: the only list of systems is the folders beside this file."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from chatdb.db.migrating.foreign_tables import Columns, Origin
from chatdb.layouts.tables import Catalogue, System, Table

_UNREAD: tuple[tuple[str, Mapping[str, tuple[str, ...]]], ...] = (
    ("Letta", {"messages": ("agent_id", "sequence_id"), "agents": ("id",)}),
    ("LobeChat", {"messages": ("topic_id", "session_id"), "topics": ("id",)}),
    ("simonw/llm", {"messages": ("hash", "parent_hash"), "parts": ("message_hash",)}),
    ("simonw/llm", {"conversations": ("model",), "responses": ("prompt", "response")}),
    ("ChatGPT Export Studio", {"messages": ("content_text", "turn_index")}),
    ("Chainlit", {"steps": ("threadId",), "threads": ("userIdentifier",)}),
)
"""Systems without a folder yet: columns that their own migrations create."""


@cache
def systems() -> tuple[System, ...]:
    """Return every system that has a folder, by name."""
    folders = [each.name for each in iter_modules([str(Path(__file__).parent)]) if each.ispkg]
    return tuple(import_module(f"chatdb.layouts.{name}.system").system for name in folders)


def unread_system(catalogue: Catalogue) -> str | None:
    """Name the system of tables that chatdb knows but does not read."""
    for name, shape in _UNREAD:
        if all(each in catalogue and catalogue[each].has(*shape[each]) for each in shape):
            return name
    return None


def whose_tables(columns: Columns) -> Origin | None:
    """Say whose the tables of a schema are, from their columns' types; None if unknown."""
    catalogue = {name: Table("", name, types) for name, types in columns.items()}
    for system in systems():
        if system.recognises(catalogue):
            return Origin(system.title, is_read=True)
    unread = unread_system(catalogue)
    return None if unread is None else Origin(f"{unread}'s database", is_read=False)
