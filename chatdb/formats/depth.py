"""The limit of depth on records: a reader's whole result must be within it."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from chatdb.formats.base import Skipped, Tally
from chatdb.primitives.nesting import TOO_DEEP, is_too_deep, may_be_too_deep
from chatdb.records import Conversation
from chatdb.store.columns import JSON, OBJECT, fields_of

_CONVERSATION = fields_of("conversations", JSON, OBJECT)
_of_message = attrgetter(*fields_of("messages", JSON, OBJECT))


def within_depth(item: Conversation | Skipped, tally: Tally) -> Conversation | Skipped:
    """Return what a reader yielded, or a `Skipped` for a conversation that is nested too deeply."""
    if not may_be_too_deep() or isinstance(item, Skipped) or not any(map(is_too_deep, _of(item))):
        return item
    tally.conversations -= 1
    tally.messages -= len(item.messages)
    tally.skipped += 1
    title = f" {item.title[:80]!r}" if item.title else ""
    place = f"conversation {item.source_id or item.id}{title}"
    return Skipped(place, TOO_DEEP, item.source_id or str(item.id))


def _of(record: Conversation) -> Iterator[Any]:
    """Yield the JSON values of a record."""
    yield from (getattr(record, name) for name in _CONVERSATION)
    yield from (each.state for each in record.snapshots)
    for message in record.messages:
        yield from _of_message(message)
