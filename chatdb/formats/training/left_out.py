"""What a training set leaves out, counted by its reason."""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass, field


@dataclass(slots=True)
class TrainingTally:
    """The examples written, and how many of what was left out.

    A message that is left out of several examples of a conversation counts once.
    """

    examples: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """By a sentence's end, in the plural: `conversations without an answer`."""
    _counted: set[tuple[str, Hashable]] = field(default_factory=set)

    def begin_conversation(self) -> None:
        """Forget what was counted of the messages of the one before."""
        self._counted.clear()

    def leave_out(self, reason: str, of: Hashable, count: int = 1) -> None:
        """Count what is left out of a message, `of` its id and, of several there, a number."""
        if count and (reason, of) not in self._counted:
            self._counted.add((reason, of))
            self.left_out[reason] += count


OTHER_BRANCHES = "messages of other branches"
HIDDEN = "hidden messages"
NO_CHAT = "documents, memories and canvases"
NO_ANSWER = "conversations without a question and its answer"
ONLY_BAD = "conversations whose answers are all rated down"
AFTER_LAST = "messages after the last answer"
BEFORE_FIRST = "messages before the first question"
EMPTY = "messages without text"
ATTACHMENTS = "attachments"
REASONING = "blocks of reasoning"
UNANSWERED = "tool calls without a result"
UNASKED = "tool results without a call"
NO_PLACE = "tool calls and results"
BEFORE_CALL = "texts before a tool call"
NOT_FOLLOWED = "tool calls whose results no answer follows"
LATE_SYSTEM = "system messages after the first question"
SYSTEM = "system messages"
SAME_ROLE = "messages of another branch that parts within an answer"
TOO_DEEP = "messages below the 200th reply to one another"
ONE_ANSWER = "conversations without a question that was answered several times"
NO_PREFERENCE = "pairs of answers of which neither is preferred"
NO_WORDS = "pairs of answers of which one, or the question, has no words"
ALIKE = "pairs of answers with the same words"
