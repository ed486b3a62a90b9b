"""The messages of each checkpoint of a thread, also where only their changes are stored."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatdb.formats.langchain.messages import REMOVAL
from chatdb.layouts.langgraph.values import Pool

REMOVE_ALL = "__remove_all__"

List = tuple[int, ...]
Writes = Mapping[str, Iterable[List]]
"""What was written in each checkpoint, in the order in which it counts."""


@dataclass(slots=True)
class GraphCheckpoint:
    """A checkpoint: its parent, its time as it came, and the stored lists of messages."""

    id: str
    parent: str | None
    at: Any
    stored: dict[str, List] = field(default_factory=dict)


def channels_of(checkpoints: Iterable[GraphCheckpoint]) -> list[str]:
    """Return the channels that hold messages, the main one first."""
    found: dict[str, int] = {}
    for checkpoint in checkpoints:
        for channel, messages in checkpoint.stored.items():
            found[channel] = max(found.get(channel, 0), len(messages))
    named = [channel for channel, most in found.items() if most]
    return sorted(named, key=lambda channel: (channel != "messages", -found[channel], channel))


def lists_of(
    channel: str,
    checkpoints: Mapping[str, GraphCheckpoint],
    pool: Pool,
    writes: Callable[[], Writes] | None,
) -> dict[str, List]:
    """Return a channel's messages at each checkpoint.

    `writes` are given for a channel of which most checkpoints store nothing: then the list is that
    of the parent with what was written there. Parents are followed, never the order of ids.
    """
    if writes is None:
        return {
            each.id: each.stored[channel] for each in checkpoints.values() if channel in each.stored
        }
    written = writes()
    lists: dict[str, List] = {}
    for identifier in checkpoints:
        way: list[str] = []
        above: str | None = identifier
        while above is not None and above in checkpoints and above not in lists:
            if above in way:
                break
            way.append(above)
            if channel in checkpoints[above].stored:
                break
            above = checkpoints[above].parent
        for each in reversed(way):
            checkpoint = checkpoints[each]
            if channel in checkpoint.stored:
                lists[each] = checkpoint.stored[channel]
            else:
                parent = checkpoint.parent or ""
                lists[each] = _applied(lists.get(parent, ()), written.get(parent, ()), pool)
    return lists


def _applied(before: List, writes: Iterable[List], pool: Pool) -> List:
    """Return a list after what was written: appended, replaced by id, removed."""
    after = list(before)
    for messages in writes:
        for version in messages:
            identifier = pool.ids[version]
            if pool.versions[version].get("type") == REMOVAL:
                if identifier == REMOVE_ALL:
                    after.clear()
                else:
                    after = [each for each in after if pool.ids[each] != identifier]
                continue
            places = [
                place
                for place, each in enumerate(after)
                if identifier is not None and pool.ids[each] == identifier
            ]
            if places:
                after[places[0]] = version
            else:
                after.append(version)
    return tuple(after)
