"""OpenAI's fine-tuning: a line an example, `messages` and, where tools are called, `tools`."""

from collections.abc import Iterator
from typing import Any

from chatdb.formats.base import WriteOptions
from chatdb.formats.training.left_out import NO_ANSWER, ONLY_BAD
from chatdb.formats.training.tools import definitions
from chatdb.formats.training.training_writer import TrainingWriter
from chatdb.formats.training.turns import chat_of, functions_of, up_to_last_answer
from chatdb.records import Conversation


class OpenaiFinetuneWriter(TrainingWriter):
    """Writes a branch an example; answers that were rated down are not learned (`weight` 0)."""

    name = "openai-finetune"

    def examples(self, record: Conversation) -> Iterator[Any]:
        counts = self.tally.left_out
        for path in self.paths(record):
            turns = up_to_last_answer(chat_of(path, self.tally), self.tally)
            chat = [turn.fields for turn in turns]
            if not chat:
                counts[NO_ANSWER] += 1
            elif all("weight" in each for each in chat if each["role"] == "assistant"):
                counts[ONLY_BAD] += 1
            else:
                example: dict[str, Any] = {"messages": chat}
                if tools := definitions(functions_of(turns)):
                    example["tools"] = tools
                yield example


def make_writer(options: WriteOptions) -> OpenaiFinetuneWriter:
    """Return a writer."""
    return OpenaiFinetuneWriter(options)
