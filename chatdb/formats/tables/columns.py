"""The columns of conversations and messages as tables: CSV and Parquet have the same.

A message names its conversation, and has that one's title, source and kind beside it.
"""

from dataclasses import dataclass
from typing import Literal

from chatdb.store.columns import FLAGS, JSON, OBJECT, PLACE, TIME, Kind, columns_of

CellType = Literal["text", "json", "time", "number", "truth"]
"""`json` is canonical JSON as text, `number` a whole one, `truth` is true or false."""

_OF_KINDS: tuple[tuple[Kind, CellType], ...] = (
    (JSON, "json"),
    (OBJECT, "json"),
    (TIME, "time"),
    (PLACE, "number"),
)


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of such a table."""

    name: str
    type: CellType


def _typed(table: str, made: dict[str, CellType], names: str) -> tuple[TableColumn, ...]:
    kinds = {column.name: column.kind for column in columns_of(table)}
    known = dict(_OF_KINDS)
    return tuple(
        TableColumn(name, made.get(name) or known.get(kinds.get(name, JSON), "text"))
        for name in names.split()
    )


MESSAGES = _typed(
    "messages",
    {
        "organization": "text",
        "title": "text",
        "source": "text",
        "kind": "text",
        "message_id": "text",
        "on_active_branch": "truth",
        "hidden": "truth",
    },
    "organization conversation_id title source kind message_id parent_id position on_active_branch"
    " hidden role author model user_id created_at edited_at content reasoning tool_calls"
    " tool_outputs attachments attached_text source_id metadata",
)
"""A row a message: `position` is its place in the conversation, from 0."""

CONVERSATIONS = _typed(
    "conversations",
    {
        "organization": "text",
        "organization_name": "text",
        "conversation_id": "text",
        "messages": "number",
    },
    "organization organization_name conversation_id title kind user_id source source_name source_id"
    f" source_hash created_at updated_at last_accessed_at {' '.join(FLAGS.values())} edited_at"
    " missing_since current_message_id messages metadata",
)
"""A row a conversation: `messages` is how many of its messages are in the other table."""
