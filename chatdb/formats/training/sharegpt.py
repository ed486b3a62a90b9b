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
from chatdb.formats.training.turns import Fields, Turn, chat_of, functions_of, up_to_last_answer
from chatdb.primitives import canonical
from chatdb.records import Conversation

_NAMES = {"user": "human", "assistant": "gpt", "tool": "observation"}


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
        for number, path in enumerate(self.paths(record)):
            chat = up_to_last_answer(chat_of(path, self.tally), self.tally)
            first = next((n for n, turn in enumerate(chat) if turn.role == "user"), None)
            if first is None:
                self.tally.left_out[left_out.NO_ANSWER] += 1
                continue
            system = [turn.fields["content"] for turn in chat[:first] if turn.role == "system"]
            for turn in chat[:first]:
                if turn.role != "system":
                    self.tally.leave_out(left_out.BEFORE_FIRST, turn.source)
            kept = self._taking_turns(chat[first:])
            example = {"id": f"{record.id}_{number}" if number else str(record.id)}
            yield example | {"conversations": self._turns(kept)} | _beside(system, kept)

    def _taking_turns(self, chat: Sequence[Turn]) -> list[Turn]:
        """Return the messages without those that have no turn.

        A question's turn is the one of a result, too: calls that no answer follows are left out.
        """
        kept: list[Turn] = []
        for turn in chat:
            if turn.role == "system":
                self.tally.leave_out(left_out.LATE_SYSTEM, turn.source)
                continue
            while turn.role == "user" and kept and _is_of_tools(kept[-1]):
                unused = kept.pop()
                calls = len(functions_of([unused]))
                self.tally.leave_out(left_out.NOT_FOLLOWED, unused.source, calls)
            kept.append(turn)
        return kept

    def _turns(self, chat: Sequence[Turn]) -> list[dict[str, str]]:
        turns: list[dict[str, str]] = []
        for message in chat:
            turn = _turn(message.fields)
            above = turns[-1]["from"] if turns else None
            if above == turn["from"]:
                turns[-1]["value"] += "\n\n" + turn["value"]
            elif (above, turn["from"]) == ("gpt", "function_call"):
                # One place for both.
                self.tally.leave_out(left_out.BEFORE_CALL, message.source)
                turns[-1] = turn
            else:
                turns.append(turn)
        return turns


def _is_of_tools(turn: Turn) -> bool:
    return turn.role == "tool" or "tool_calls" in turn.fields


def _beside(system: Sequence[str], chat: Sequence[Turn]) -> dict[str, str]:
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
