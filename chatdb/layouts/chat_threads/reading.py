"""The interview app's `chat_threads`: one row per conversation, its messages in a JSON array.

The array has neither ids nor times. `docs/layouts.md` describes each field.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from chatdb.formats.fields import kind_of
from chatdb.formats.identity import conversation_id
from chatdb.formats.linear import add_entries
from chatdb.formats.times import EPOCH
from chatdb.layouts.base import (
    NONE,
    Context,
    Found,
    WithoutTenants,
    left_over,
    ordered,
    set_as_it_came,
    taken_time,
    without_key,
)
from chatdb.layouts.chat_threads.system import system
from chatdb.layouts.foreign import ForeignDatabase, Row
from chatdb.layouts.tables import Catalogue, Table
from chatdb.records import Conversation

TABLE = "chat_threads"


class ChatThreadsLayout(WithoutTenants):
    """Reads `chat_threads`; a table `messages` in the same database belongs to interviews."""

    system = system
    version = 2

    def tables(self, catalogue: Catalogue) -> Sequence[Table]:
        return [catalogue[TABLE]]

    def read(
        self, foreign: ForeignDatabase, catalogue: Catalogue, context: Context
    ) -> Iterator[Found]:
        for row in ordered(foreign, catalogue[TABLE], by="id"):
            messages = context.json(row.pop("messages"), f"{TABLE}.messages")
            if not isinstance(messages, list):
                reason = f"its messages are no list but {kind_of(messages)}"
                yield context.skip(TABLE, row["id"], reason)
                continue
            yield Found(_conversation(row, messages, context))
        yield from without_key(foreign, catalogue[TABLE], context)


layout = ChatThreadsLayout()


def _conversation(row: Row, entries: list[Any], context: Context) -> Conversation:
    context.count(TABLE, "imported")
    source_id = str(row.pop("id"))
    came: dict[str, Any] = {}
    made, changed = (taken_time(row, name, came).at for name in ("created_at", "updated_at"))
    created = made or changed or EPOCH
    updated = max(changed or created, created)
    user = row.pop("user_id")
    title = row.pop("title") or None
    record = Conversation(
        id=conversation_id(context.layout.system.name, context.source_name, source_id),
        user_id=None if user is None else str(user),
        title=title,
        created_at=created,
        updated_at=updated,
        source_id=source_id,
        metadata=left_over(row, context, NONE, TABLE),
    )
    # Before add_entries: it fills in what an entry lacks.
    odd = [_as_it_came(entry) for entry in entries if isinstance(entry, dict)]
    add_entries(record, entries, context.tally, keep_contents=True)
    for message, columns in zip(record.messages, odd, strict=True):
        set_as_it_came(message, columns)
    set_as_it_came(record, came)
    return context.finished(record)


def _as_it_came(entry: dict[str, Any]) -> dict[str, Any]:
    """Return the wordless parts of an entry: a null content, and the names it lacks."""
    columns: dict[str, Any] = {} if entry.get("content", "") is not None else {"content": None}
    absent = [name for name in ("role", "content") if name not in entry]
    return columns | ({"absent": absent} if absent else {})
