"""A branch as the messages of a chat in OpenAI's shape, every tool call with its result."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from chatdb.formats.citations import without_marks
from chatdb.formats.message_parts import items
from chatdb.formats.training import left_out
from chatdb.formats.training.left_out import TrainingTally
from chatdb.formats.training.ratings import rating_of
from chatdb.formats.training.tools import calls_of, results_of, takes_its_content
from chatdb.primitives.canonical import clean_text
from chatdb.records import Message

Fields = dict[str, Any]


class Turn(NamedTuple):
    """A message of such a chat, and the id of the one that it was made of."""

    source: UUID
    fields: Fields

    @property
    def role(self) -> str:
        """Return whose it is."""
        return str(self.fields["role"])


def words_of(message: Message) -> str:
    """Return what a message says: its content, with what a user pasted after it."""
    texts = [message.content]
    if message.attached_text and (message.role == "user" or not message.content.strip()):
        texts.append(message.attached_text)
    said = "\n\n".join(text for text in texts if text.strip())
    return clean_text(without_marks(said))[0]


def count_beside(message: Message, tally: TrainingTally) -> None:
    """Count what stands beside the words of a message and has no place in any training set."""
    tally.leave_out(left_out.REASONING, message.id, len(items(message.reasoning)))
    tally.leave_out(left_out.ATTACHMENTS, message.id, len(items(message.attachments)))


def chat_of(path: Sequence[Message], tally: TrainingTally) -> list[Turn]:
    """Return the messages of a branch, without those that say nothing.

    A call is followed by its results; calls without any and results without a call are left out.
    An answer that was rated down has the weight 0.
    """
    return Chat(tally).extended(path)


class Chat:
    """Messages in OpenAI's shape so far; the calls before have numbers up to `calls`."""

    def __init__(self, tally: TrainingTally, calls: int = 0) -> None:
        self.turns: list[Turn] = []
        self._tally = tally
        self._calls = calls
        self._pending: list[Turn] = []
        self._results: dict[str, Turn] = {}
        self._given: dict[str, str] = {}

    def extended(self, path: Iterable[Message]) -> list[Turn]:
        """Add messages; return all as `chat_of` does."""
        for message in path:
            self._add(message)
        self._close()
        return self.turns

    def continued(self) -> "Chat":
        """Return a chat that goes on from here, without the messages before."""
        return Chat(self._tally, self._calls)

    def _add(self, message: Message) -> None:
        count_beside(message, self._tally)
        if message.role == "tool":
            self._take(message)
            return
        calls = calls_of(message) if message.role == "assistant" else []
        if calls:
            self._close()
            self._begin(message, calls)
        if message.tool_outputs is not None:
            self._take(message)
        if calls and takes_its_content(message):
            return
        words = words_of(message)
        if not words.strip():
            self._tally.leave_out(left_out.EMPTY, message.id, not calls)
            return
        # Words beside a call without its result yet were said before it.
        if calls and len(self._results) < len(self._pending):
            self._say(message, {"role": "assistant", "content": words})
            return
        self._close()
        said: Fields = {"role": message.role, "content": words}
        if message.role == "assistant" and rating_of(message) < 0:
            said["weight"] = 0
        self._say(message, said)

    def _say(self, message: Message, fields: Fields) -> None:
        self.turns.append(Turn(message.id, fields))

    def _begin(self, message: Message, calls: Sequence[tuple[str | None, Fields]]) -> None:
        """Await the results of calls, each with an id of its own in this chat."""
        self._given = {}
        for given, function in calls:
            self._calls += 1
            identifier = f"call_{self._calls}"
            if given is not None:
                self._given[given] = identifier
            call = {"id": identifier, "type": "function", "function": function}
            self._pending.append(Turn(message.id, call))

    def _take(self, message: Message) -> None:
        for place, (given, text) in enumerate(results_of(message)):
            identifier = self._given.get(given or "")
            if identifier is None:
                open_calls = (each.fields["id"] for each in self._pending)
                identifier = next((each for each in open_calls if each not in self._results), None)
            if identifier is None or identifier in self._results:
                self._tally.leave_out(left_out.UNASKED, (message.id, place))
            else:
                content = clean_text(text)[0]
                result = {"role": "tool", "tool_call_id": identifier, "content": content}
                self._results[identifier] = Turn(message.id, result)

    def _close(self) -> None:
        """Write the calls that have results, with these."""
        answered = []
        for place, call in enumerate(self._pending):
            if call.fields["id"] in self._results:
                answered.append(call)
            else:
                self._tally.leave_out(left_out.UNANSWERED, (call.source, place))
        if answered:
            calls = [call.fields for call in answered]
            asked: Fields = {"role": "assistant", "content": None, "tool_calls": calls}
            self.turns.append(Turn(answered[0].source, asked))
            self.turns += [self._results[call["id"]] for call in calls]
        self._pending, self._results, self._given = [], {}, {}


def up_to_last_answer(chat: list[Turn], tally: TrainingTally) -> list[Turn]:
    """Return the messages up to the last words of the assistant; none without a question."""
    last = next(
        (
            place
            for place in range(len(chat) - 1, -1, -1)
            if chat[place].role == "assistant" and chat[place].fields["content"]
        ),
        -1,
    )
    kept = chat[: last + 1]
    if not any(turn.role == "user" for turn in kept):
        return []
    for turn in chat[last + 1 :]:
        tally.leave_out(left_out.AFTER_LAST, turn.source)
    return kept


def functions_of(chat: Iterable[Turn]) -> list[Fields]:
    """Return the functions that a chat calls, in its order."""
    return [call["function"] for turn in chat for call in turn.fields.get("tool_calls", ())]
