"""Preferences in the conversational form of TRL: `prompt`, `chosen` and `rejected`.

A question that was answered several times gives pairs: what is preferred is told by ratings, and
where these are equal by the active branch.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from chatdb.formats.base import WriteOptions
from chatdb.formats.branches import active_path, path_to
from chatdb.formats.training import left_out
from chatdb.formats.training.left_out import TrainingTally
from chatdb.formats.training.ratings import Score, rating_of
from chatdb.formats.training.tools import definitions
from chatdb.formats.training.training_writer import TrainingWriter
from chatdb.formats.training.turns import (
    Chat,
    Fields,
    Turn,
    functions_of,
    up_to_last_answer,
)
from chatdb.records import Conversation, Message, is_hidden

if TYPE_CHECKING:
    from uuid import UUID


class DpoWriter(TrainingWriter):
    """Writes a pair of answers to one question an example."""

    name = "dpo"

    def examples(self, record: Conversation) -> Iterator[Any]:
        tree = _Answers(record, self.tally, include_hidden=self.options.include_hidden)
        self.count_hidden(record.messages)
        several = list(tree.questions())
        self.tally.left_out[left_out.ONE_ANSWER] += not several
        for question, answers in several:
            prompt = tree.chat_to(question)
            asked = prompt.turns[-1:]
            found = []
            for answer in answers:
                score, turn = tree.turn(answer)
                chat = [*asked, *prompt.continued().extended(turn)]
                found.append(_Answer(score, up_to_last_answer(chat, self.tally)[len(asked) :]))
            yield from self._pairs(prompt.turns, found)

    def _pairs(self, prompt: list[Turn], answers: Sequence["_Answer"]) -> Iterator[Any]:
        counts = self.tally.left_out
        for one, other in combinations(answers, 2):
            best, worst = (one, other) if one.score > other.score else (other, one)
            if best.score == worst.score or best.score[0] < 0:
                counts[left_out.NO_PREFERENCE] += 1
            elif not (best.chat and worst.chat and prompt and prompt[-1].role == "user"):
                counts[left_out.NO_WORDS] += 1
            elif _plain(best.chat) == _plain(worst.chat):
                counts[left_out.ALIKE] += 1
            else:
                parts = {"prompt": prompt, "chosen": best.chat, "rejected": worst.chat}
                example: dict[str, Any] = {name: _plain(chat) for name, chat in parts.items()}
                if tools := definitions(functions_of([*prompt, *best.chat, *worst.chat])):
                    example["tools"] = tools
                yield example


@dataclass(frozen=True, slots=True)
class _Answer:
    score: Score
    chat: list[Turn]


def _plain(chat: Sequence[Turn]) -> list[Fields]:
    return [{key: turn.fields[key] for key in turn.fields if key != "weight"} for turn in chat]


class _Answers:
    """The questions of a conversation with several answers."""

    def __init__(self, record: Conversation, tally: TrainingTally, *, include_hidden: bool) -> None:
        self._active = {message.id for message in active_path(record)}
        self._by_id = {message.id: message for message in record.messages}
        self._include_hidden = include_hidden
        self._tally, self._chat = tally, Chat(tally)
        self._reached: UUID | None = None
        self._children: dict[UUID, list[Message]] = defaultdict(list)
        for message in record.messages:
            if message.parent_id is not None:
                self._children[message.parent_id].append(message)

    def questions(self) -> Iterator[tuple[Message, list[Message]]]:
        """Yield each message of a user that the assistant answered several times."""
        for identifier, children in self._children.items():
            question = self._by_id.get(identifier)
            answers = [each for each in children if each.role == "assistant" and self._shown(each)]
            if question is not None and question.role == "user" and len(answers) > 1:
                yield question, answers

    def turn(self, answer: Message) -> tuple[Score, list[Message]]:
        """Return the messages of an answer up to the next question, and its score.

        Where it parts again, the active branch is followed, else the last one. The rating of any of
        its messages counts, the last one's most.
        """
        turn: list[Message] = []
        rating, seen = 0, set()
        step: Message | None = answer
        while step is not None and step.role in ("assistant", "tool"):
            turn.append(step)
            seen.add(step.id)
            rating = rating_of(step) or rating
            below = [each for each in self._children.get(step.id, ()) if each.id not in seen]
            active = (each for each in below if each.id in self._active)
            step = next(active, below[-1] if below else None)
        is_active = answer.id in self._active
        return (rating, is_active), [each for each in turn if self._shown(each)]

    def chat_to(self, question: Message) -> Chat:
        """Return the chat up to a question, which goes on from the question before if it can."""
        path = path_to(self._by_id, question.id, below=self._reached)
        if path[0].parent_id != self._reached:
            self._chat = Chat(self._tally)
        self._reached = question.id
        self._chat.extended(filter(self._shown, path))
        return self._chat

    def _shown(self, message: Message) -> bool:
        return self._include_hidden or not is_hidden(message)


def make_writer(options: WriteOptions) -> DpoWriter:
    """Return a writer."""
    return DpoWriter(options)
