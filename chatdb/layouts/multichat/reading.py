"""Multichat's database, SQLite or PostgreSQL, as its document describes it.

Its SQLite columns contain times and JSON of mixed types, ids may be NULL, and messages of deleted
conversations remain. `docs/layouts.md` describes each column.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from chatdb.formats.cleaning import add_fields
from chatdb.formats.identity import conversation_id
from chatdb.formats.linear import Chain
from chatdb.formats.times import EPOCH, parse_time
from chatdb.formats.trees import newest_leaf
from chatdb.layouts.base import (
    NONE,
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
from chatdb.layouts.foreign import ForeignDatabase, Row
from chatdb.layouts.multichat.system import system
from chatdb.layouts.tables import Catalogue, Table
from chatdb.records import Conversation, Message


class MultichatLayout(WithoutTenants):
    """Reads `conversations` and `messages`."""

    system = system
    version = 2

    def tables(self, catalogue: Catalogue) -> Sequence[Table]:
        return [catalogue["conversations"], catalogue["messages"]]

    def read(
        self, foreign: ForeignDatabase, catalogue: Catalogue, context: Context
    ) -> Iterator[Found]:
        conversations, messages = self.tables(catalogue)
        on, order = ("conversation_id", "id"), ("timestamp", "created_at")
        own = joined(foreign, messages, conversations, on=on, order=order)
        parents = ordered(foreign, conversations, by="id")
        for row, (rows,) in gathered(parents, "id", (own, "conversation_id")):
            yield from _conversation(row, rows, context)
        yield from without_key(foreign, conversations, context)
        for row in without_parent(foreign, messages, conversations, on=on):
            named = row["conversation_id"]
            reason = f"its conversation {named} does not exist" if named else "no conversation"
            yield context.skip("messages", row["id"], reason)


layout = MultichatLayout()


def _conversation(row: Row, rows: list[Row], context: Context) -> Iterator[Found]:
    context.count("conversations", "imported")
    source_id = str(row.pop("id"))
    identifier = conversation_id(context.layout.system.name, context.source_name, source_id)
    came: dict[str, Any] = {}
    made, changed = (taken_time(row, name, came).at for name in ("created_at", "updated_at"))
    if row["title"] == "":
        came["title"] = ""
    created, updated = span(made, changed, rows, "timestamp")
    counted = row.pop("message_count")
    if counted is not None and counted != len(rows):
        context.tally.lossy["message_count that was not the number of messages: counted anew"] += 1
    without_id = [each for each in rows if each["id"] is None]
    # SQL sorts numbers before texts, and this column has times as both.
    rows = sorted((each for each in rows if each["id"] is not None), key=_order)
    record = Conversation(
        id=identifier,
        title=row.pop("title") or None,
        created_at=created,
        updated_at=updated,
        source_id=source_id,
        metadata=left_over(row, context, NONE, "conversations"),
        messages=_messages(rows, identifier, created, context),
    )
    set_as_it_came(record, came)
    record.current_message_id = newest_leaf(record.messages)
    yield Found(context.finished(record))
    for each in without_id:
        content = str(each["content"])[:40]
        reason = f"its id is NULL (in conversation {source_id}: {content!r})"
        yield context.skip("messages", None, reason)


def _order(row: Row) -> tuple[datetime, datetime]:
    """Return the position of a message by its times: a column may mix text and numbers."""
    made = parse_time(row.get("created_at")).at
    said = parse_time(row["timestamp"]).at
    return said or made or EPOCH, made or EPOCH


def _messages(
    rows: list[Row], conversation: UUID, started: datetime, context: Context
) -> list[Message]:
    chain = Chain(context.tally, conversation, started)
    for row in rows:
        context.count("messages", "imported")
        del row["conversation_id"]
        came: dict[str, Any] = {}
        said, made = (taken_time(row, name, came) for name in ("timestamp", "created_at"))
        message = chain.add(str(row.pop("id")), said if said.at else made, row.pop("content"))
        chain.set_role(message, row.pop("role"))
        raw = row.pop("meta")
        meta = context.json(raw, "messages.meta")
        if raw is not None and (not meta or not isinstance(meta, dict)):
            came["meta"] = raw
        fields = meta if isinstance(meta, dict) else {} if meta is None else {"meta": meta}
        _take_model(message, fields)
        if made.at is not None and made.at != message.created_at:
            row["created_at"] = made.at.isoformat()
        rest = left_over(row, context, frozenset(("created_at",)), "messages")
        add_fields(message, rest)
        add_fields(message, fields)
        set_as_it_came(message, came)
    return chain.messages


def _take_model(message: Message, fields: dict[str, Any]) -> None:
    """Take the model out of the meta data of an assistant's message."""
    model = fields.get("model")
    if message.role == "assistant" and isinstance(model, str) and model:
        message.model = fields.pop("model")
