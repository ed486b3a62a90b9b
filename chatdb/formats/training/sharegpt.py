"""ShareGPT: one JSON list of `{id, conversations: [{from, value}], system, tools}`.

As trainers want it: `human` and `observation` take turns with `gpt` and `function_call`, the first
is `human` and the last `gpt`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from chatdb.formats.base import WriteOptions
from chatdb.formats.training import left_out
from chatdb.formats.training.tools import definitions
from chatdb.formats.training.training_writer import TrainingWriter
from chatdb.formats.training.turns import Fields, chat_of, functions_of, up_to_last_answer
from chatdb.primitives import canonical
from chatdb.records import Conversation

_NAMES = {"user": "human", "assistant": "gpt", "tool": "observation"}
_ASKING = ("human", "observation")


class ShareGptWriter(TrainingWriter):
    """Writes a branch an element of the list."""

    name = "sharegpt"
    extension = ".json"

    def begin(self) -> bytes:
        return b"["

    def end(self) -> bytes:
        return b"\n]\n"

    def _line(self, example: Any) -> bytes:
        start = b",\n" if self.tally.examples else b"\n"
        return start + super()._line(example)[:-1]

    def examples(self, record: Conversation) -> Iterator[Any]:
        counts = self.tally.left_out
        for number, path in enumerate(self.paths(record)):
            chat = up_to_last_answer(chat_of(path, counts), counts)
            first = next((n for n, each in enumerate(chat) if each["role"] == "user"), None)
            if first is None:
                counts[left_out.NO_ANSWER] += 1
                continue
            system = [each["content"] for each in chat[:first] if each["role"] == "system"]
            counts[left_out.BEFORE_FIRST] += first - len(system)
            turns = self._turns(chat[first:])
            example = {"id": f"{record.id}_{number}" if number else str(record.id)}
            yield example | {"conversations": turns} | _beside(system, chat[first:])

    def _turns(self, chat: Sequence[Fields]) -> list[dict[str, str]]:
        turns: list[dict[str, str]] = []
        for message in chat:
            if message["role"] == "system":
                self.tally.left_out[left_out.LATE_SYSTEM] += 1
                continue
            turn = _turn(message)
            above = turns[-1]["from"] if turns else None
            if above == turn["from"]:
                turns[-1]["value"] += "\n\n" + turn["value"]
            elif above is not None and (above in _ASKING) == (turn["from"] in _ASKING):
                self._in_place_of_last(turns, turn)
            else:
                turns.append(turn)
        return turns

    def _in_place_of_last(self, turns: list[dict[str, str]], turn: dict[str, str]) -> None:
        """Put a turn where one of the same side already is: it has one place for both.

        A call replaces the words before it; a question follows a result in its turn.
        """
        if turn["from"] == "function_call":
            self.tally.left_out[left_out.BEFORE_CALL] += 1
            turns[-1] = turn
        else:
            turns[-1]["value"] += "\n\n" + turn["value"]


def _beside(system: Sequence[str], chat: Sequence[Fields]) -> dict[str, str]:
    """Return what stands beside the turns."""
    tools = [each["function"] for each in definitions(functions_of(chat))]
    beside = {"system": "\n\n".join(system)} if system else {}
    return beside | ({"tools": canonical.encode_text(tools)} if tools else {})


def _turn(message: Fields) -> dict[str, str]:
    calls = message.get("tool_calls")
    if not calls:
        return {"from": _NAMES[message["role"]], "value": message["content"]}
    functions = [
        {**call["function"], "arguments": canonical.decode(call["function"]["arguments"])}
        for call in calls
    ]
    value = functions[0] if len(functions) == 1 else functions
    return {"from": "function_call", "value": canonical.encode_text(value)}


def make_writer(options: WriteOptions) -> ShareGptWriter:
    """Return a writer."""
    return ShareGptWriter(options)
