"""ChatMCP's database in all three existing schemas, which differ in their columns' names.

The first migration writes camelCase without quotes, which folds to lower case; the compose file and
Supabase's script write snake_case. `docs/layouts.md` describes each column.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import msgspec

from chatdb.formats.cleaning import add_fields
from chatdb.formats.identity import conversation_id
from chatdb.formats.linear import Chain
from chatdb.formats.trees import newest_leaf
from chatdb.layouts.base import (
    Context,
    Found,
    WithoutTenants,
    gathered,
    joined,
    left_over,
    ordered,
    set_as_it_came,
    span,
    taken_time,
    without_key,
    without_parent,
)
from chatdb.layouts.chatmcp.system import FOLDED, Names, names_in, system
from chatdb.layouts.foreign import ForeignDatabase, Row
from chatdb.layouts.tables import Catalogue, Table
from chatdb.primitives import canonical
from chatdb.records import (
    WHOLE_CONVERSATION,
    Conversation,
    Embedding,
    Message,
    sorted_embeddings,
)

_numbers = msgspec.json.Decoder(list[float]).decode
_as_numbers = partial(msgspec.convert, type=list[float])

_EMBEDDING = frozenset(("embedding",))

UNKNOWN_MODEL = "unknown"
"""The model of an embedding: none of the schemas contains it, but a column may be added."""


class ChatMcpLayout(WithoutTenants):
    """Reads `conversations` and `messages`."""

    system = system
    version = 3

    def tables(self, catalogue: Catalogue) -> Sequence[Table]:
        return [catalogue["conversations"], catalogue["messages"]]

    def read(
        self, foreign: ForeignDatabase, catalogue: Catalogue, context: Context
    ) -> Iterator[Found]:
        names = names_in(catalogue)
        if names is None:
            raise TypeError("not ChatMCP's tables")
        conversations, messages = self.tables(catalogue)
        context.tally.versions["folded" if names is FOLDED else "snake_case"] += 1
        on = (names["conversation"], "id")
        own = joined(foreign, messages, conversations, on=on, order=[names["created"]])
        whole = gathered(ordered(foreign, conversations, by="id"), "id", (own, on[0]))
        for row, (rows,) in whole:
            yield Found(_conversation(row, rows, names, context))
        yield from without_key(foreign, conversations, context)
        for row in without_parent(foreign, messages, conversations, on=on):
            named = row[on[0]]
            reason = f"its conversation {named} does not exist" if named else "no conversation"
            yield context.skip("messages", row["id"], reason)


layout = ChatMcpLayout()


def _conversation(row: Row, rows: list[Row], names: Names, context: Context) -> Conversation:
    context.count("conversations", "imported")
    source_id = str(row.pop("id"))
    identifier = conversation_id(context.layout.system.name, context.source_name, source_id)
    came: dict[str, Any] = {}
    made = taken_time(row, names["created"], came).at
    changed = taken_time(row, names["updated"], came).at
    created, updated = span(made, changed, rows, names["created"])
    user = row.pop(names["user"])
    if user == "":
        came[names["user"]] = user
    embeddings = _embeddings(row, WHOLE_CONVERSATION, context, "conversations")
    record = Conversation(
        id=identifier,
        user_id=user or None,
        title=row.pop("title") or None,
        created_at=created,
        updated_at=updated,
        source_id=source_id,
        metadata=left_over(row, context, _EMBEDDING, "conversations"),
    )
    set_as_it_came(record, came)
    record.messages, more = _messages(rows, identifier, created, names, context)
    record.embeddings = sorted_embeddings([*embeddings, *more])
    record.current_message_id = newest_leaf(record.messages)
    return context.finished(record)


def _messages(
    rows: list[Row], conversation: UUID, started: datetime, names: Names, context: Context
) -> tuple[list[Message], list[Embedding]]:
    chain = Chain(context.tally, conversation, started, [row["id"] for row in rows])
    embeddings: list[Embedding] = []
    for row in rows:
        context.count("messages", "imported")
        del row[names["conversation"]]
        came: dict[str, Any] = {}
        at = taken_time(row, names["created"], came)
        message = chain.add(str(row.pop("id")), at, row.pop("content"))
        chain.set_role(message, row.pop("role"))
        message.reasoning = _json(row, "reasoning", context, came)
        message.tool_calls = _json(row, names["calls"], context, came)
        message.tool_outputs = _json(row, names["outputs"], context, came)
        embeddings += _embeddings(row, message.id, context, "messages")
        add_fields(message, left_over(row, context, _EMBEDDING, "messages"))
        set_as_it_came(message, came)
    return chain.messages, embeddings


def _embeddings(row: Row, of: UUID, context: Context, table: str) -> list[Embedding]:
    """Take the embedding out of a row; an invalid vector stays in it."""
    embedding = row.pop("embedding", None)
    if embedding is None:
        return []
    try:
        read = _numbers if isinstance(embedding, str) else _as_numbers
        vector = canonical.vector(read(embedding))
    except ValueError:
        row["embedding"] = context.json(embedding, f"{table}.embedding")
        context.tally.lossy[f"{table}.embedding that is no vector kept in metadata"] += 1
        return []
    model = row.get("embedding_model")
    known = model if isinstance(model, str) and model else UNKNOWN_MODEL
    return [Embedding(message_id=of, model=known, vector=vector)]


def _json(row: Row, column: str, context: Context, came: dict[str, Any]) -> Any:
    """Take a JSON value; an empty one is none, and is written back unchanged."""
    raw = row.pop(column)
    value = context.json(raw, f"messages.{column}")
    if value not in (None, [], {}):
        return value
    if raw is not None:
        came[column] = raw
    return None
