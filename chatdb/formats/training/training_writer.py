"""What the writers of training sets share: examples one after another, and what is left out."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from chatdb.formats.base import WriteOptions, Writer
from chatdb.formats.branches import active_path, every_branch
from chatdb.formats.training.left_out import HIDDEN, NO_CHAT, OTHER_BRANCHES, TrainingTally
from chatdb.primitives.nesting import roomy
from chatdb.records import Conversation, Message, is_hidden

if TYPE_CHECKING:
    from chatdb.formats.files.writing import Written

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
        return b"".join(self.pieces(record))

    def pieces(self, record: Conversation) -> Iterator[bytes]:
        """Yield the examples one by one."""
        self.tally.begin_conversation()
        if record.kind == "chat":
            yield from map(self._line, self.examples(record))
        else:
            self.tally.left_out[NO_CHAT] += 1

    def report(self, written: "Written") -> None:
        """Tell how many examples there are, and what is left out."""
        written.examples, written.left_out = self.tally.examples, +self.tally.left_out

    def _line(self, example: Any) -> bytes:
        self.tally.examples += 1
        return _encode(example) + b"\n"

    def paths(self, record: Conversation) -> Iterator[Sequence[Message]]:
        """Yield the active branch, or every branch, without hidden messages unless requested."""
        if self.options.all_branches:
            paths = every_branch(record)
            self.count_hidden(record.messages)
        else:
            active = active_path(record)
            paths = iter((active,))
            self.tally.left_out[OTHER_BRANCHES] += len(record.messages) - len(active)
            self.count_hidden(active)
        for path in paths:
            yield [each for each in path if self.options.include_hidden or not is_hidden(each)]

    def count_hidden(self, messages: Iterable[Message]) -> None:
        """Count the hidden ones, unless they are requested."""
        if not self.options.include_hidden:
            self.tally.left_out[HIDDEN] += sum(map(is_hidden, messages))
