"""The interview app's `chat_threads`: a row a conversation, its messages in one JSON array.

The array has neither ids nor times. `docs/layouts.md` tells where each field goes.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from chatdb.formats.fields import kept
from chatdb.formats.identity import conversation_id
from chatdb.formats.times import EPOCH
from chatdb.formats.trees import newest_leaf
from chatdb.layouts.base import (
    NONE,
    Chain,
    Context,
    Found,
    WithoutTenants,
    left_over,
    ordered,
    taken_time,
)
from chatdb.layouts.catalogue import Catalogue, Table
from chatdb.layouts.foreign import ForeignDatabase, Row
from chatdb.records import Conversation

TABLE = "chat_threads"


class ChatThreadsLayout(WithoutTenants):
    """Reads `chat_threads`; a table `messages` in the same database belongs to interviews."""

    name = "chat-threads"
    title = "The interview app's chat threads (FastAPI)"
    version = 1

    def recognises(self, catalogue: Catalogue) -> bool:
        threads = catalogue.get(TABLE)
        return threads is not None and threads.has(
            "id", "user_id", "title", "messages", "created_at", "updated_at"
        )

    def tables(self, catalogue: Catalogue) -> Sequence[Table]:
        return [catalogue[TABLE]]

    def read(
        self, foreign: ForeignDatabase, catalogue: Catalogue, context: Context
    ) -> Iterator[Found]:
        for row in ordered(foreign, catalogue[TABLE], by="id"):
            messages = context.json(row.pop("messages"), f"{TABLE}.messages")
            if not isinstance(messages, list):
                kind = "null" if messages is None else type(messages).__name__
                yield context.skip(TABLE, row["id"], f"its messages are no list but {kind}")
                continue
            yield Found(_conversation(row, messages, context))


layout = ChatThreadsLayout()


def _conversation(row: Row, entries: list[Any], context: Context) -> Conversation:
    context.read(TABLE, "imported")
    source_id = str(row.pop("id"))
    identifier = conversation_id(context.layout.name, context.source_name, source_id)
    made, changed = taken_time(row, "created_at").at, taken_time(row, "updated_at").at
    created = made or changed or EPOCH
    updated = max(changed or created, created)
    user = row.pop("user_id")
    title = row.pop("title") or None
    record = Conversation(
        id=identifier,
        user_id=None if user is None else str(user),
        title=title,
        created_at=created,
        updated_at=updated,
        source_id=source_id,
        metadata=left_over(row, context, NONE, TABLE),
    )
    chain = Chain(context, identifier, created)
    for number, entry in enumerate(entries):
        at = _between(created, updated, number, len(entries))
        if isinstance(entry, dict):
            _add(chain, number, at, entry, context)
        else:
            context.tally.lossy["a message that is no object kept in metadata"] += 1
            record.metadata.setdefault("messages", {})[str(number)] = entry
    record.messages = chain.messages
    record.current_message_id = newest_leaf(record.messages)
    return context.finished(record)


def _add(chain: Chain, number: int, at: datetime, entry: dict[str, Any], context: Context) -> None:
    role, content = entry.pop("role", None), entry.pop("content", None)
    message = chain.add_without_id(str(number), at, str(role), content)
    context.set_role(message, role)
    if content is not None and not isinstance(content, str):
        entry["content"] = content
        context.tally.lossy["content that is no text kept in metadata"] += 1
    context.tally.content_types["text" if isinstance(content, str) else "none"] += 1
    message.metadata = {**message.metadata, **kept(entry)}


def _between(created: datetime, updated: datetime, number: int, count: int) -> datetime:
    """Return a time for one of `count` messages: the first was written first, the last at last."""
    return created if count < 2 else created + (updated - created) * number / (count - 1)
