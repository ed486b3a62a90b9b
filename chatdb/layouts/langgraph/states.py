"""The messages of each checkpoint of a thread, also where only their changes are stored."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatdb.layouts.langgraph.lists import EMPTY, Lists

Writes = Mapping[str, Iterable[tuple[int, ...]]]
"""What was written in each checkpoint, in the order in which it counts."""


@dataclass(slots=True)
class GraphCheckpoint:
    """A checkpoint: its parent, its time as it came, and the stored lists of messages."""

    id: str
    parent: str | None
    at: Any
    stored: dict[str, int] = field(default_factory=dict)


def channels_of(checkpoints: Iterable[GraphCheckpoint], lists: Lists) -> list[str]:
    """Return the channels that hold messages, the main one first."""
    found: dict[str, int] = {}
    for checkpoint in checkpoints:
        for channel, number in checkpoint.stored.items():
            found[channel] = max(found.get(channel, 0), lists.lengths[number])
    named = [channel for channel, most in found.items() if most]
    return sorted(named, key=lambda channel: (channel != "messages", -found[channel], channel))


def lists_of(
    channel: str,
    checkpoints: Mapping[str, GraphCheckpoint],
    lists: Lists,
    writes: Callable[[], Writes] | None,
) -> dict[str, int]:
    """Return a channel's messages at each checkpoint.

    `writes` are given for a channel of which most checkpoints store nothing: then the list is that
    of the parent with what was written there. Parents are followed, never the order of ids.
    """
    if writes is None:
        return {
            each.id: each.stored[channel] for each in checkpoints.values() if channel in each.stored
        }
    written = writes()
    found: dict[str, int] = {}
    for identifier in checkpoints:
        way: dict[str, None] = {}
        above: str | None = identifier
        while above is not None and above in checkpoints and above not in found:
            if above in way:
                break
            way[above] = None
            if channel in checkpoints[above].stored:
                break
            above = checkpoints[above].parent
        for each in reversed(way):
            checkpoint = checkpoints[each]
            if channel in checkpoint.stored:
                found[each] = checkpoint.stored[channel]
            else:
                parent = checkpoint.parent or ""
                number = found.get(parent, EMPTY)
                for versions in written.get(parent, ()):
                    number = lists.changed(number, versions)
                found[each] = number
    return found
