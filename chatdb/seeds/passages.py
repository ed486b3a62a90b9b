"""What people and models write: questions, answers in Markdown with code, very long pastes."""

from chatdb.seeds.dice import Dice, lognormal
from chatdb.seeds.phrases import Phrases
from chatdb.seeds.snippets import ANSWERS, LOG_LINES, PASTES

EMOJI = ("👩‍💻", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🧑🏿‍🚀", "❤️‍🔥", "👍🏽", "🇧🇷", "🙈", "🎉", "🤷🏻‍♀️", "✅", "1️⃣")
"""With joiners, skin tones, flags and keycaps: what cuts of a text go wrong on."""

_ANSWERS = lognormal(560.0, 0.85, least=12, most=12_000)
_QUESTIONS = lognormal(1.2, 0.6, least=1, most=9)


class Writer:
    """Writes what belongs to one conversation; `restart` it with another's phrases."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._random = dice.random

    def restart(self, phrases: Phrases, *, emoji: bool) -> None:
        """Write about something else from now on."""
        self._phrases = phrases
        self._emoji = 0.25 if emoji else 0.04

    def title(self) -> str:
        """Return a title."""
        return self._dice.pick(self._phrases.titles)

    def question(self, turn: int) -> str:
        """Return what the person writes: the question, then what follows from the answers."""
        random = self._random
        pool = self._phrases.followups if turn else self._phrases.questions
        text = pool[int(random() * len(pool))]
        for _ in range(_QUESTIONS[int(random() * 1024)] - 1):
            text += self._phrases.space + self._sentence()
        if random() < self._emoji:
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
        length = _ANSWERS[int(random() * 1024)]
        parts = [self._paragraph()]
        written = len(parts[0])
        while written < length:
            kind = random()
            if kind < 0.68:
                part = self._paragraph()
            elif kind < 0.80:
                part = self._list()
            elif kind < 0.86 or not self._phrases.code:
                part = f"## {self._dice.pick(self._phrases.headings)}\n\n{self._paragraph()}"
            else:
                part = self._snippet()
            parts.append(part)
            written += len(part)
        if random() < 0.06:
            parts.append(self._table())
        return "\n\n".join(parts)

    def thoughts(self) -> str:
        """Return what a model tells itself before it answers."""
        pool = self._phrases.reasoning
        return self._phrases.space.join(self._dice.pick(pool) for _ in range(3))

    def sentence(self) -> str:
        """Return one sentence of an answer."""
        return self._sentence()

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
            lines.append(f"{clock} {line} {int(random() * 1_000_000)}")
            written += len(lines[-1])
        return "\n".join(lines)

    def _sentence(self) -> str:
        pool = self._phrases.statements
        return pool[int(self._random() * len(pool))]

    def _paragraph(self) -> str:
        random = self._random
        pool = self._phrases.statements
        size = len(pool)
        sentences = [pool[int(random() * size)] for _ in range(1 + int(random() * 5))]
        if random() < 0.08:
            sentences.append(f"(Ref. {int(random() * 100_000):05}.)")
        elif random() < 0.1:
            sentences[0] = f"**{sentences[0]}**"
        return self._phrases.space.join(sentences)

    def _list(self) -> str:
        random = self._random
        pool = self._phrases.steps
        steps = [pool[int(random() * len(pool))] for _ in range(2 + int(random() * 5))]
        if random() < 0.5:
            return "\n".join(f"{number}. {step}" for number, step in enumerate(steps, 1))
        return "\n".join(f"- {step}" for step in steps)

    def _table(self) -> str:
        rows = [
            f"| {self._dice.pick(self._phrases.steps)} | {self._dice.below(100)} % |"
            for _ in range(self._dice.between(2, 6))
        ]
        return "\n".join([f"| {self._phrases.topic} | % |", "|---|---:|", *rows])

    def _snippet(self) -> str:
        text = self._dice.pick(ANSWERS)
        return text.replace("NUMBER", str(self._dice.between(2, 9_999)))

    def _paste(self) -> str:
        if self._random() < 0.3:
            return self.log(200 + self._dice.below(4_000))
        return self._dice.pick(PASTES).replace("NUMBER", str(self._dice.between(2, 99_999)))
