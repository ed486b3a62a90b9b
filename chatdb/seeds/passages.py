"""What people and models write: questions, answers in Markdown, very long pastes."""

from chatdb.seeds.blocks import blocks
from chatdb.seeds.dice import Dice, lognormal
from chatdb.seeds.phrases import phrases
from chatdb.seeds.snippets import LOG_LINES, PASTES

EMOJI = ("👩‍💻", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🧑🏿‍🚀", "❤️‍🔥", "👍🏽", "🇧🇷", "🙈", "🎉", "🤷🏻‍♀️", "✅", "1️⃣")
"""With joiners, skin tones, flags and keycaps: what cuts of a text go wrong on."""

_CHARACTERS = lognormal(560.0, 0.85, least=12, most=12_000)
_SENTENCES = lognormal(0.7, 0.9, least=0, most=11)
_STRIDES = (61, 67, 71, 73, 79, 83, 89, 97)
"""How far it is from one block to the next: primes, so that an answer repeats none."""


class PassageWriter:
    """Writes what belongs to one conversation; begin another with `restart`."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._random = dice.random

    def restart(self, language: str, topic: int, *, emoji: bool) -> None:
        """Write about something else from now on."""
        self._phrases = phrases(language, topic)
        self._blocks = blocks(language, topic)
        self._emoji = emoji

    def title(self) -> str:
        """Return a title."""
        return self._dice.pick(self._phrases.titles)

    def question(self, turn: int) -> str:
        """Return what the person writes: the question, then what follows from the answers."""
        random = self._random
        words = self._phrases
        pool = words.followups if turn else words.questions
        text = pool[int(random() * len(pool))]
        more = _SENTENCES[int(random() * 1024)]
        if more:
            text += words.space + words.space.join(self._some(words.background, more))
        if self._emoji and not turn:
            text += " " + "".join(EMOJI)
        elif random() < 0.05:
            text += " " + EMOJI[int(random() * len(EMOJI))]
        if random() < 0.05:
            text += "\n\n" + self._paste()
        return text

    def thanks(self) -> str:
        """Return the end of a conversation."""
        return self._dice.pick(self._phrases.thanks)

    def answer(self) -> str:
        """Return an answer of a lognormal length: paragraphs, and at times lists, tables, code."""
        random = self._random
        pool = self._blocks.paragraphs
        text = pool[int(random() * len(pool))]
        missing = _CHARACTERS[int(random() * 1024)] - len(text)
        if missing > 0:
            pool = self._blocks.mixed
            size = len(pool)
            at = int(random() * size)
            stride = _STRIDES[int(random() * len(_STRIDES))]
            parts = [text]
            while missing > 0:
                part = pool[at % size]
                at += stride
                parts.append(part)
                missing -= len(part)
            text = "\n\n".join(parts)
        if random() < 0.2:
            text += f"\n\n(Ref. {int(random() * 1_000_000):06})"
        return text

    def thoughts(self) -> str:
        """Return what a model tells itself before it answers."""
        return self._phrases.space.join(self._some(self._phrases.reasoning, 3))

    def sentences(self, count: int) -> str:
        """Return some sentences of an answer."""
        return self._phrases.space.join(self._some(self._phrases.statements, count))

    def search_words(self) -> str:
        """Return what is asked of a search."""
        return f"{self._phrases.topic} {self._dice.below(100)}"

    def log(self, size: int) -> str:
        """Return a paste of at least so many characters."""
        lines = []
        written = 0
        random = self._random
        second = int(random() * 80_000)
        while written < size:
            second += int(random() * 4)
            line = LOG_LINES[int(random() * len(LOG_LINES))]
            clock = f"{second // 3600 % 24:02}:{second // 60 % 60:02}:{second % 60:02}"
            lines.append(f"{clock} {line}{int(random() * 1_000_000)}")
            written += len(lines[-1])
        return "\n".join(lines)

    def _some(self, pool: tuple[str, ...], count: int) -> tuple[str, ...]:
        """Return so many of the pool's texts, different ones, or all when there are fewer."""
        at = int(self._random() * (len(pool) - count + 1))
        return pool[at : at + count] if at > 0 else pool[:count]

    def _paste(self) -> str:
        if self._random() < 0.3:
            return self.log(200 + self._dice.below(4_000))
        return self._dice.pick(PASTES).replace("NUMBER", str(self._dice.between(2, 99_999)))
