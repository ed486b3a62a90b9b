"""Write seeded native JSONL: conversations of about ten messages averaging 600 characters.

The vocabulary is Zipf-distributed over 60,000 words, about 4 % of them not ASCII; lengths are
lognormal; there are line ends, tabs, quotes and backslashes, and metadata on assistant messages.

    python -m benchmarks.generate_native messages.jsonl --messages 100000
"""

import argparse
import random
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from uuid import UUID

from chatdb.formats.native import conversation_line, header_line
from chatdb.records import Conversation, Message, Role

WORDS = 60_000
SENTENCES = 40_000
MEAN_CHARACTERS = 600
_ONSETS: tuple[str, ...] = (
    "b",
    "br",
    "c",
    "ch",
    "d",
    "dr",
    "f",
    "g",
    "gr",
    "h",
    "k",
    "l",
    "m",
    "n",
    "p",
    "pl",
    "r",
)
_ONSETS += ("s", "st", "t", "tr", "v", "w", "z", "")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "ou")
_ENDS = ("", "", "n", "r", "s", "t", "l", "nd", "ck")
_FOREIGN = ("é", "ü", "ñ", "å", "ж", "д", "и", "й", "λ", "ω")
_MARKS = (". ", ". ", ", ", ".\n", ".\n\n", "\t", '" ', ' "', "? ", " \\ ", " `x = 1` ", ": ")


class Text:
    """Texts from one seed, put together from a pool of sentences."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        words = [self._word() for _ in range(WORDS)]
        weights = list(accumulate(1 / (rank + 2.7) for rank in range(WORDS)))
        total = weights[-1]
        draw = self.random.random

        def sentence() -> str:
            chosen = [words[bisect_right(weights, draw() * total)] for _ in range(11)]
            return " ".join(chosen) + self.random.choice(_MARKS)

        self._sentences = [sentence() for _ in range(SENTENCES)]
        self._mean = sum(map(len, self._sentences)) / SENTENCES

    def _word(self) -> str:
        choice = self.random.choice
        count = self.random.choices((1, 2, 3, 4), (3, 5, 3, 1))[0]
        word = "".join(choice(_ONSETS) + choice(_VOWELS) for _ in range(count)) + choice(_ENDS)
        if self.random.random() < 0.04:
            word += choice(_FOREIGN)
        return word

    def make(self, mean: float) -> str:
        """Return a text of a lognormal length around the mean, in characters."""
        length = max(8, int(self.random.lognormvariate(-0.405, 0.9) * mean))
        wanted = int(length / self._mean) + 2
        return "".join(self.random.choices(self._sentences, k=wanted))[:length]


class Generator:
    """Conversations in time order; the same seed gives the same bytes."""

    def __init__(self, seed: int = 1) -> None:
        self.text = Text(seed)
        self.random = random.Random(seed)
        self.clock = datetime(2024, 1, 1, tzinfo=UTC)

    def identifier(self) -> UUID:
        """Return a UUIDv7 at the clock's time."""
        milliseconds = int(self.clock.timestamp() * 1000)
        bits = milliseconds << 80 | 7 << 76 | self.random.getrandbits(12) << 64
        return UUID(int=bits | 2 << 62 | self.random.getrandbits(62))

    def conversation(self, count: int) -> Conversation:
        """Return a conversation of so many messages."""
        self.clock += timedelta(seconds=self.random.uniform(1, 60))
        record = Conversation(
            id=self.identifier(),
            user_id=f"user-{self.random.randrange(500)}",
            title=self.text.make(40).replace("\n", " "),
            created_at=self.clock,
            updated_at=self.clock,
            source="generated",
            metadata={"workspace": self.random.randrange(50)},
        )
        record.messages = messages = []
        parent = None
        for number in range(count):
            role: Role = "assistant" if number % 2 else "user"
            message = self.message(role, parent)
            parent = message.id
            messages.append(message)
        record.current_message_id = parent
        record.updated_at = self.clock
        return record

    def message(self, role: Role, parent: UUID | None) -> Message:
        """Return one message; answers have a model and metadata."""
        self.clock += timedelta(milliseconds=self.random.randrange(500, 40_000))
        identifier = self.identifier()
        message = Message(
            id=identifier,
            parent_id=parent,
            role=role,
            content=self.text.make(MEAN_CHARACTERS),
            source_id=str(identifier),
            created_at=self.clock,
        )
        if role == "assistant":
            message.model = self.random.choice(("gpt-4o", "gpt-5", "claude-opus-4"))
            message.metadata = {
                "finish_reason": "stop",
                "tokens": {"prompt": self.random.randrange(4000), "completion": 312},
                "temperature": round(self.random.random(), 3),
            }
        return message


def write(path: Path, *, messages: int, seed: int = 1) -> int:
    """Write the file and return its number of conversations."""
    generator = Generator(seed)
    count = written = 0
    with path.open("wb") as stream:
        stream.write(header_line(created=datetime(2026, 1, 1, tzinfo=UTC), source="generated"))
        while written < messages:
            size = min(generator.random.randrange(2, 19), messages - written)
            stream.write(conversation_line(generator.conversation(size)))
            written += size
            count += 1
    return count


def main() -> None:
    """Write a file as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    count = write(options.path, messages=options.messages, seed=options.seed)
    print(f"{options.path}: {count} conversations, {options.path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
