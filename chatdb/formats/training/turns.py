"""A branch as the messages of a chat in OpenAI's shape, every tool call with its result."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from chatdb.formats.citations import without_marks
from chatdb.formats.message_parts import items
from chatdb.formats.training import left_out
from chatdb.formats.training.ratings import rating_of
from chatdb.formats.training.tools import calls_of, results_of, takes_its_content
from chatdb.primitives.canonical import clean_text
from chatdb.records import Message

Fields = dict[str, Any]


def words_of(message: Message) -> str:
    """Return what a message says: its content, with what a user pasted after it."""
    texts = [message.content]
    if message.attached_text and (message.role == "user" or not message.content.strip()):
        texts.append(message.attached_text)
    said = "\n\n".join(text for text in texts if text.strip())
    return clean_text(without_marks(said))[0]


def count_beside(message: Message, counts: Counter[str]) -> None:
    """Count what stands beside the words of a message and has no place in any training set."""
    counts[left_out.REASONING] += len(items(message.reasoning))
    counts[left_out.ATTACHMENTS] += len(items(message.attachments))


def chat_of(path: Sequence[Message], counts: Counter[str]) -> list[Fields]:
    """Return the messages of a branch, without those that say nothing.

    A call is followed by its results; calls without any and results without a call are left out.
    An answer that was rated down has the weight 0.
    """
    chat = _Chat(counts)
    for message in path:
        chat.add(message)
    chat.close()
    return chat.messages


class _Chat:
    def __init__(self, counts: Counter[str]) -> None:
        self.messages: list[Fields] = []
        self._counts = counts
        self._calls = 0
        self._pending: list[Fields] = []
        self._results: dict[str, str] = {}
        self._given: dict[str, str] = {}

    def add(self, message: Message) -> None:
        count_beside(message, self._counts)
        if message.role == "tool":
            self._take(message)
            return
        calls = calls_of(message) if message.role == "assistant" else []
        if calls:
            self.close()
            self._begin(calls)
        if message.tool_outputs is not None:
            self._take(message)
        if calls and takes_its_content(message):
            return
        words = words_of(message)
        if not words.strip():
            self._counts[left_out.EMPTY] += not calls
            return
        # Words beside a call without its result yet were said before it.
        if calls and len(self._results) < len(self._pending):
            self.messages.append({"role": "assistant", "content": words})
            return
        self.close()
        self._say(message, words)

    def _say(self, message: Message, words: str) -> None:
        said: Fields = {"role": message.role, "content": words}
        if message.role == "assistant" and rating_of(message) < 0:
            said["weight"] = 0
        self.messages.append(said)

    def _begin(self, calls: Sequence[tuple[str | None, Fields]]) -> None:
        """Await the results of calls, each with an id of its own in this chat."""
        self._given = {}
        for given, function in calls:
            self._calls += 1
            identifier = f"call_{self._calls}"
            if given is not None:
                self._given[given] = identifier
            self._pending.append({"id": identifier, "type": "function", "function": function})

    def _take(self, message: Message) -> None:
        for given, text in results_of(message):
            identifier = self._given.get(given or "")
            if identifier is None:
                open_calls = (each["id"] for each in self._pending)
                identifier = next((each for each in open_calls if each not in self._results), None)
            if identifier is None or identifier in self._results:
                self._counts[left_out.UNASKED] += 1
            else:
                self._results[identifier] = clean_text(text)[0]

    def close(self) -> None:
        """Write the calls that have results, with these."""
        answered = [call for call in self._pending if call["id"] in self._results]
        self._counts[left_out.UNANSWERED] += len(self._pending) - len(answered)
        if answered:
            self.messages.append({"role": "assistant", "content": None, "tool_calls": answered})
            self.messages += [
                {
                    "role": "tool",
                    "tool_call_id": call["id"],
                    "content": self._results[call["id"]],
                }
                for call in answered
            ]
        self._pending, self._results, self._given = [], {}, {}


def up_to_last_answer(chat: list[Fields], counts: Counter[str]) -> list[Fields]:
    """Return the messages up to the last words of the assistant; none without a question."""
    last = next(
        (
            place
            for place in range(len(chat) - 1, -1, -1)
            if chat[place]["role"] == "assistant" and chat[place]["content"]
        ),
        -1,
    )
    kept = chat[: last + 1]
    if not any(message["role"] == "user" for message in kept):
        return []
    counts[left_out.AFTER_LAST] += len(chat) - len(kept)
    return kept


def functions_of(chat: Sequence[Fields]) -> list[Fields]:
    """Return the functions that a chat calls, in its order."""
    return [call["function"] for message in chat for call in message.get("tool_calls", ())]
