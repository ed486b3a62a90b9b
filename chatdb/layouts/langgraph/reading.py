"""LangGraph's checkpoints: each thread is a conversation, its forks are branches.

`docs/sources/langgraph.md` describes the tables and how lists of messages are found in them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from chatdb.formats.cleaning import add_fields, mark
from chatdb.formats.fields import kept
from chatdb.formats.identity import MessageIds, conversation_id
from chatdb.formats.langchain.messages import record_of
from chatdb.formats.times import EPOCH, parse_time
from chatdb.formats.trees import newest_leaf, tree_of
from chatdb.layouts.base import Context, Found, WithoutTenants
from chatdb.layouts.foreign import ForeignDatabase
from chatdb.layouts.langgraph.branches import Branches, branches_of
from chatdb.layouts.langgraph.lists import Entry
from chatdb.layouts.langgraph.states import GraphCheckpoint, channels_of, lists_of
from chatdb.layouts.langgraph.system import system
from chatdb.layouts.langgraph.threads import (
    GraphThread,
    Threads,
    unread_of,
    values_apart,
    writes_in,
)
from chatdb.layouts.tables import Catalogue, Table
from chatdb.primitives import canonical
from chatdb.records import Conversation, Message

REMOVED = "messages removed there: kept off the active branch"
REPLACED = "earlier texts of messages that were replaced there: kept off the active branch"
REBUILT = "lists of messages rebuilt from their changes"
CUT = "lists of changes whose beginning is missing: made from what is left"
SUBGRAPHS = "parts of threads that a sub-graph kept: conversations of their own, marked"
NO_MESSAGES = "threads without messages: left out"

_USERS = ("user_id", "langgraph_auth_user_id")
_LEFT = frozenset(
    ("writes", "parents", "counters_since_delta_snapshot", "delta_writes_versioned", "step")
)
"""Metadata of a checkpoint that says nothing of the conversation."""


class LanggraphLayout(WithoutTenants):
    """Reads `checkpoints`, the values apart from them, and what was written in them."""

    system = system
    version = 1

    def tables(self, catalogue: Catalogue) -> Sequence[Table]:
        found = (catalogue["checkpoints"], values_apart(catalogue), writes_in(catalogue))
        return [each for each in found if each is not None]

    def read(
        self, foreign: ForeignDatabase, catalogue: Catalogue, context: Context
    ) -> Iterator[Found]:
        apart = values_apart(catalogue) is not None
        context.tally.versions["values apart" if apart else "values in checkpoints"] += 1
        threads = Threads(foreign, catalogue, context)
        for thread in threads:
            yield from _conversations(thread, threads, context)
            yield from unread_of(thread, context)
            context.tally.lossy.update(thread.pool.lossy)


layout = LanggraphLayout()


def _conversations(thread: GraphThread, threads: Threads, context: Context) -> Iterator[Found]:
    """Yield a conversation for each channel of messages, the main one under the thread's id."""
    channels = channels_of(thread.checkpoints.values(), thread.lists)
    channels += sorted(thread.deltas.difference(channels), key=lambda name: name != "messages")
    found = 0
    for channel in channels:
        writes = partial(threads.writes, thread, channel) if channel in thread.deltas else None
        if writes is not None:
            context.tally.lossy[REBUILT] += 1
            if any(_is_cut(each, channel, thread) for each in thread.checkpoints.values()):
                context.tally.lossy[CUT] += 1
        heads = lists_of(channel, thread.checkpoints, thread.lists, writes)
        branches = branches_of(thread.checkpoints, heads, thread.lists)
        if branches.entries:
            name = None if found == 0 else channel
            yield Found(_conversation(thread, name, branches, context))
            found += 1
    if not found and not thread.unread:
        context.tally.lossy[NO_MESSAGES] += 1


def _is_cut(checkpoint: GraphCheckpoint, channel: str, thread: GraphThread) -> bool:
    """Tell whether a checkpoint has neither a list nor the parent that it continues."""
    is_alone = checkpoint.parent is not None and checkpoint.parent not in thread.checkpoints
    return is_alone and channel not in checkpoint.stored


def _conversation(
    thread: GraphThread, channel: str | None, branches: Branches, context: Context
) -> Conversation:
    source_id = "#".join(each for each in (thread.id, thread.namespace, channel) if each)
    identifier = conversation_id(context.layout.system.name, context.source_name, source_id)
    times = {name: parse_time(each.at).at for name, each in thread.checkpoints.items()}
    known = [at for at in times.values() if at is not None]
    created = min(known, default=EPOCH)
    users = (thread.metadata.get(name) for name in _USERS)
    record = Conversation(
        id=identifier,
        user_id=next((str(each) for each in users if each), None),
        created_at=created,
        updated_at=max(known, default=created),
        source_id=source_id,
    )
    ids = MessageIds(identifier)
    made: dict[int, Message] = {}
    for node, checkpoint in branches.first.items():
        at = times.get(checkpoint) or created
        made[node] = _message(branches.entries[node], thread, ids, at, context)
    _arrange(record, made, branches)
    _mark_gone(made, branches, thread, context)
    current = branches.current
    record.current_message_id = (
        newest_leaf(record.messages) if current is None else made[current].id
    )
    add_fields(record, _metadata(thread))
    if thread.namespace:
        mark(record, "subgraph", thread.namespace)
        context.tally.lossy[SUBGRAPHS] += 1
    if channel:
        mark(record, "channel", channel)
    return context.finished(record)


def _message(
    entry: Entry, thread: GraphThread, ids: MessageIds, at: datetime, context: Context
) -> Message:
    version, number = entry
    fields = canonical.copied(thread.pool.versions[version])
    source_id = thread.pool.ids[version]
    if source_id is not None:
        identifier, _ = ids.of(source_id)
    else:
        text = f"{fields.get('content')}" + (f"#{number}" if number else "")
        identifier = ids.without_source_id(str(fields.get("type")), text)
    message = record_of(fields, identifier, at, context.tally)
    message.source_id = source_id
    return message


def _arrange(record: Conversation, made: dict[int, Message], branches: Branches) -> None:
    """Give the messages their parents, and put them in the tree's order."""
    parents = {
        str(node): None if above is None else str(above)
        for node, above in enumerate(branches.parents)
    }
    for node, above in enumerate(branches.parents):
        made[node].parent_id = None if above is None else made[above].id
    record.messages = [made[int(name)] for name in tree_of(parents, {}).order]


def _mark_gone(
    made: dict[int, Message], branches: Branches, thread: GraphThread, context: Context
) -> None:
    ids = [thread.pool.ids[version] for version, _ in branches.entries]
    there = {each for node, each in enumerate(ids) if node not in branches.gone}
    for node in sorted(branches.gone):
        is_replaced = ids[node] is not None and ids[node] in there
        mark(made[node], "replaced" if is_replaced else "removed", value=True)
        context.tally.lossy[REPLACED if is_replaced else REMOVED] += 1


def _metadata(thread: GraphThread) -> dict[str, Any]:
    fields = {name: value for name, value in thread.metadata.items() if name not in _LEFT}
    return kept({name: value for name, value in fields.items() if name not in _USERS})
