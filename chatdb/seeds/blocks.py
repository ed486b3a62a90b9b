"""Paragraphs, lists, tables and programs about a topic: what answers are put together from."""

from dataclasses import dataclass
from functools import cache

from chatdb.seeds.dice import Dice, number_of
from chatdb.seeds.phrases import Phrases, phrases
from chatdb.seeds.snippets import ANSWERS

_PARAGRAPHS = 160
_BLOCKS = 240


@dataclass(frozen=True, slots=True)
class SeedBlocks:
    """Pieces of Markdown about one topic, to be parted by an empty line."""

    paragraphs: tuple[str, ...]
    mixed: tuple[str, ...]


@cache
def blocks(code: str, topic: int) -> SeedBlocks:
    """Return the pieces for a topic, by the language's code and the topic's place in its file."""
    maker = _Maker(phrases(code, topic))
    return SeedBlocks(
        paragraphs=tuple(maker.paragraph() for _ in range(_PARAGRAPHS)),
        mixed=tuple(maker.block() for _ in range(_BLOCKS)),
    )


class _Maker:
    def __init__(self, words: Phrases) -> None:
        self._words = words
        self._dice = Dice(number_of(f"blocks about {words.topic}"))

    def block(self) -> str:
        kind = self._dice.random()
        if kind < 0.66:
            return self.paragraph()
        if kind < 0.78:
            return self._list()
        if kind < 0.81:
            return self._table()
        if kind < 0.86 or not self._words.code:
            return f"## {self._dice.pick(self._words.headings)}\n\n{self.paragraph()}"
        return self._dice.pick(ANSWERS).replace("NUMBER", str(self._dice.between(2, 9_999)))

    def paragraph(self) -> str:
        sentences = self._some(self._words.statements, most=5)
        if self._dice.chance(0.08):
            sentences[0] = f"**{sentences[0]}**"
        return self._words.space.join(sentences)

    def _list(self) -> str:
        steps = self._some(self._words.steps, most=6)
        if self._dice.chance(0.5):
            return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
        return "\n".join(f"- {step}" for step in steps)

    def _table(self) -> str:
        steps = self._some(self._words.steps, most=6)
        rows = [f"| {step} | {self._dice.below(100)} % |" for step in steps]
        return "\n".join([f"| {self._words.topic} | % |", "|---|---:|", *rows])

    def _some(self, pool: tuple[str, ...], *, most: int) -> list[str]:
        """Return up to so many of the pool's texts, none of them twice."""
        chosen = [self._dice.pick(pool) for _ in range(self._dice.between(1, most))]
        return list(dict.fromkeys(chosen))
