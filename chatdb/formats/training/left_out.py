"""What a training set leaves out, counted by its reason."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class TrainingTally:
    """The examples written, and how many of what was left out."""

    examples: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """By a sentence's end, in the plural: `conversations without an answer`."""


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
LATE_SYSTEM = "system messages after the first question"
SYSTEM = "system messages"
SAME_ROLE = "messages of another branch that parts within an answer"
TOO_DEEP = "messages below the 200th reply to one another"
ONE_ANSWER = "conversations without a question that was answered several times"
NO_PREFERENCE = "pairs of answers of which neither is preferred"
NO_WORDS = "pairs of answers of which one, or the question, has no words"
ALIKE = "pairs of answers with the same words"
