"""Relay's database: chats about a repository, messages of many types, snapshots of the state.

As its Sequelize migrations create it. `docs/layouts.md` describes each column.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from chatdb.formats.base import Skipped
from chatdb.formats.cleaning import add_fields, mark
from chatdb.formats.identity import conversation_id, message_id
from chatdb.formats.linear import Chain
from chatdb.formats.times import parse_time
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
from chatdb.layouts.relay.snapshots import talk_of
from chatdb.layouts.relay.system import system
from chatdb.layouts.tables import Catalogue, Table
from chatdb.records import Conversation, Message, Role, Snapshot

_CHAT_COLUMNS = frozenset(
    (
        *("repository_name", "repository_full_name", "active_issue_number"),
        *("active_issue_title", "active_issue_url", "quiet_mode"),
    )
)
STATE_COLUMNS = (
    *("transcriptions", "function_results", "claude_streaming_texts"),
    *("claude_todo_writes", "repository_issues", "claude_session_id"),
)
TYPES: dict[str, tuple[Role, str | None]] = {
    "user": ("user", None),
    "openai": ("assistant", "openai"),
    "claude": ("assistant", "claude"),
    "claude_streaming": ("assistant", "claude"),
    "claude_todowrite": ("tool", "claude"),
    "function_result": ("tool", None),
    "system": ("system", None),
    "error": ("system", None),
}
"""Each type of message: its role, and the provider who wrote it."""
_PLAIN = frozenset(("user", "system"))


class RelayLayout(WithoutTenants):
    """Reads `chats`, `messages` and `chat_snapshots`."""

    system = system
    version = 2

    def tables(self, catalogue: Catalogue) -> Sequence[Table]:
        names = ("chats", "messages", "chat_snapshots")
        return [catalogue[name] for name in names if name in catalogue]

    def read(
        self, foreign: ForeignDatabase, catalogue: Catalogue, context: Context
    ) -> Iterator[Found]:
        chats, on = catalogue["chats"], ("chat_id", "id")
        children = [table for table in self.tables(catalogue) if table is not chats]
        streams = [
            (joined(foreign, table, chats, on=on, order=["created_at"]), "chat_id")
            for table in children
        ]
        for chat, (messages, *snapshots) in gathered(
            ordered(foreign, chats, by="id"), "id", *streams
        ):
            yield Found(_conversation(chat, messages, [*chain(*snapshots)], context))
        yield from without_key(foreign, chats, context)
        for table in children:
            for row in without_parent(foreign, table, chats, on=on):
                reason = f"its chat {row['chat_id']} does not exist"
                yield context.skip(table.name, row["id"], reason)


layout = RelayLayout()


def _conversation(
    chat: Row, messages: list[Row], snapshots: list[Row], context: Context
) -> Conversation | Skipped:
    source_id = str(chat.pop("id"))
    identifier = conversation_id(context.layout.system.name, context.source_name, source_id)
    came: dict[str, Any] = {}
    made, changed = (taken_time(chat, name, came).at for name in ("created_at", "updated_at"))
    accessed = taken_time(chat, "last_accessed_at", came).at
    created, updated = span(made, changed, messages, "created_at")
    record = Conversation(
        id=identifier,
        title=chat.pop("title", None) or None,
        created_at=created,
        updated_at=updated,
        last_accessed_at=accessed,
        source_id=source_id,
        metadata=left_over(chat, context, _CHAT_COLUMNS, "chats"),
        messages=_messages(messages, identifier, created, context),
    )
    set_as_it_came(record, came)
    context.count("chats", "imported")
    record.snapshots = [_snapshot(row, identifier, created, context) for row in snapshots]
    if not record.messages:
        record.messages = talk_of(record, context.tally)
    record.current_message_id = newest_leaf(record.messages)
    return context.finished(record)


def _messages(
    rows: list[Row], conversation: UUID, started: datetime, context: Context
) -> list[Message]:
    chain = Chain(context.tally, conversation, started, [row["id"] for row in rows])
    for row in rows:
        context.count("messages", "imported")
        del row["chat_id"]
        came: dict[str, Any] = {}
        at = taken_time(row, "created_at", came)
        message = chain.add(str(row.pop("id")), at, row.pop("content"))
        _set_type(chain, message, row, context, came)
        add_fields(message, left_over(row, context, NONE, "messages"))
        set_as_it_came(message, came)
    return chain.messages


def _set_type(
    chain: Chain, message: Message, row: Row, context: Context, came: dict[str, Any]
) -> None:
    """Set what the message's type implies; the type itself stays in the metadata."""
    kind, metadata = row.pop("type"), row.pop("metadata", None)
    context.tally.content_types[str(kind)] += 1
    known = TYPES.get(kind)
    value = context.json(metadata, "messages.metadata")
    own = value if isinstance(value, dict) else {} if value is None else {"metadata": value}
    if metadata is not None and (not value or own is not value):
        came["metadata"] = metadata
    add_fields(message, own)
    if known is None:
        chain.set_role(message, kind)
        return
    message.role, message.author = known
    # The role has fewer words than the type: without the mark it could not be written back.
    if kind not in _PLAIN:
        mark(message, "role", kind)
    if kind == "error":
        mark(message, "error", value=True)
    if kind == "function_result":
        name = own.get("name")
        message.author = name if isinstance(name, str) else None
        output = context.json(message.content, "the content of a function_result")
        message.tool_outputs = [{"name": message.author, "output": output}]


def _snapshot(row: Row, conversation: UUID, started: datetime, context: Context) -> Snapshot:
    context.count("chat_snapshots", "imported")
    source_id = str(row["id"])
    state = {
        name: context.json(row.pop(name), f"chat_snapshots.{name}")
        if name != "claude_session_id"
        else row.pop(name)
        for name in STATE_COLUMNS
        if row.get(name) is not None
    }
    known = frozenset((*STATE_COLUMNS, "id", "chat_id", "created_at"))
    left = {name: value for name, value in row.items() if name not in known}
    state |= left_over(left, context, NONE, "chat_snapshots")
    return Snapshot(
        id=message_id(conversation, source_id),
        state=state,
        created_at=parse_time(row.get("created_at")).at or started,
    )
