"""What the writers of training sets share: examples one after another, and what is left out."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

import msgspec

from chatdb.formats.base import WriteOptions, Writer
from chatdb.formats.branches import active_path
from chatdb.formats.training.left_out import HIDDEN, NO_CHAT, OTHER_BRANCHES, TrainingTally
from chatdb.primitives.nesting import roomy
from chatdb.records import Conversation, Message, is_hidden

_encode = roomy(msgspec.json.Encoder().encode)


class TrainingWriter(Writer):
    """Writes a conversation as no example, one or several: JSON Lines."""

    name: str
    extension = ".jsonl"

    def __init__(self, options: WriteOptions) -> None:
        self.options = options
        self.tally = TrainingTally()

    @abstractmethod
    def examples(self, record: Conversation) -> Iterable[Any]:
        """Yield the examples of a chat, ready for JSON; count what is left out."""

    def conversation(self, record: Conversation) -> bytes:
        if record.kind != "chat":
            self.tally.left_out[NO_CHAT] += 1
            return b""
        return b"".join(map(self._line, self.examples(record)))

    def _line(self, example: Any) -> bytes:
        self.tally.examples += 1
        return _encode(example) + b"\n"

    def paths(self, record: Conversation) -> Iterator[Sequence[Message]]:
        """Yield the active branch, or every branch, without hidden messages unless requested."""
        active = active_path(record)
        if self.options.all_branches:
            paths = all_paths(record, active)
        else:
            paths = iter((active,))
            self.tally.left_out[OTHER_BRANCHES] += len(record.messages) - len(active)
        self.count_hidden(record)
        for path in paths:
            yield [each for each in path if self.options.include_hidden or not is_hidden(each)]

    def count_hidden(self, record: Conversation) -> None:
        """Count the hidden messages, unless they are requested."""
        if not self.options.include_hidden:
            self.tally.left_out[HIDDEN] += sum(map(is_hidden, record.messages))


def all_paths(record: Conversation, active: list[Message]) -> Iterator[list[Message]]:
    """Yield every branch from its root to its leaf; the active one if there is only one."""
    by_id = {message.id: message for message in record.messages}
    parents = {message.parent_id for message in record.messages}
    leaves = [message for message in record.messages if message.id not in parents]
    if len(leaves) < 2 or not by_id.keys() & parents:
        yield active
        return
    for leaf in leaves:
        yield path_to(leaf, by_id)


def path_to(leaf: Message, by_id: dict[UUID, Message]) -> list[Message]:
    """Return the messages from the root to one."""
    path: list[Message] = []
    seen = set()
    step: Message | None = leaf
    while step is not None and step.id not in seen:
        seen.add(step.id)
        path.append(step)
        step = None if step.parent_id is None else by_id.get(step.parent_id)
    return path[::-1]
