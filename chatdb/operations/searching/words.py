"""Words as both databases' full-text indexes see them, and searching for them in a text.

A word is a run of letters, digits and their marks in any script; all other characters separate
words. Case and the accents of Latin letters do not matter (FTS5's `unicode61 remove_diacritics 2`).
Scripts without spaces and symbols are found as pieces of text instead.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence

from chatdb.db.contract.search import Term

SEARCHED_CHARACTERS = 100_000
"""How much of a message the indexes contain."""

_WORD = re.compile(r"(?:[^\W_][\u0300-\u036f]*)+")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3005-\u3007\u3021-\u3029"
    "\u3040-\u312f\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
    "\U00020000-\U0003ffff]"
)
"""Thai, Lao, Tibetan, Burmese, Khmer, Chinese, Japanese: a run of them is one token to indexes."""
_MARKS = re.compile("[\u0300-\u036f]")
_JOINERS = "\u200c\u200d"
_DISPUTED = ("No", "Nl", "Co")
"""Superscripts, fractions and the like are letters to FTS5 but not to PostgreSQL."""

Span = tuple[int, int, int]
"""Start and end in the text, and the number of the term found there."""


def term_of(text: str, *, prefix: bool = False) -> Term | None:
    """Return what to ask the indexes for, None for text without a letter, digit or symbol.

    A text with inner punctuation, and a quoted one, is a phrase: its words in sequence.
    """
    text = text.strip()
    if _UNSPACED.search(text):
        return Term(contains=text)
    categories = {unicodedata.category(character) for character in text}
    if not any(category[0] == "L" or category == "Nd" for category in categories):
        odd = any(not c.isascii() and unicodedata.category(c)[0] in "SNMC" for c in text)
        return Term(contains=text) if odd and not text.isspace() else None
    disputed = not categories.isdisjoint(_DISPUTED)
    return Term(pieces=tuple(_pieces(text)), prefix=prefix, contains=text if disputed else None)


def _pieces(text: str) -> Iterator[str]:
    run = ""
    for character in text:
        category = unicodedata.category(character)
        if category[0] in "LMN" or category == "Co" or character in _JOINERS:
            run += character
        elif run:
            yield from _wordlike(run)
            run = ""
    yield from _wordlike(run)


def _wordlike(run: str) -> Iterator[str]:
    """Keep a run that both databases treat as a word."""
    if any(c.isalpha() or c.isdecimal() for c in run):
        yield run


def fold(word: str) -> str:
    """Return the word in the form it is compared: lower case without accents."""
    word = word.lower()
    return word if word.isascii() else _MARKS.sub("", unicodedata.normalize("NFD", word))


class Matcher:
    """Finds the terms of a query in texts, as the indexes would."""

    def __init__(self, all_of: Sequence[Sequence[Term]], none_of: Sequence[Term] = ()) -> None:
        self._wanted = [_Needle(term) for group in all_of for term in group]
        self._none_of = [_Needle(term) for term in none_of]
        self._groups: list[range] = []
        for group in all_of:
            start = self._groups[-1].stop if self._groups else 0
            self._groups.append(range(start, start + len(group)))

    def matches(self, text: str) -> bool:
        """Tell whether the text has a term of every group and none of the excluded ones."""
        text = text[:SEARCHED_CHARACTERS]
        words = _words(text)
        found = {number for number, needle in enumerate(self._wanted) if needle.is_in(text, words)}
        if not all(any(number in found for number in group) for group in self._groups):
            return False
        return not any(needle.is_in(text, words) for needle in self._none_of)

    def spans(self, text: str) -> list[Span]:
        """Return where the searched terms are, in the order of the text."""
        text = text[:SEARCHED_CHARACTERS]
        words = _words(text)
        found = [
            (start, end, number)
            for number, needle in enumerate(self._wanted)
            for start, end in needle.places(text, words)
        ]
        return sorted(found)

    def counts(self, text: str) -> tuple[Counter[int], int]:
        """Return how often each term occurs in the text, and how many words the text has."""
        words = _words(text)
        found = Counter(
            {
                number: sum(1 for _ in needle.places(text, words))
                for number, needle in enumerate(self._wanted)
            }
        )
        return found, len(words)


Words = list[tuple[str, int, int]]


def _words(text: str) -> Words:
    return [(fold(found[0]), found.start(), found.end()) for found in _WORD.finditer(text)]


class _Needle:
    def __init__(self, term: Term) -> None:
        self._words = [fold(word) for piece in term.pieces for word in _WORD.findall(piece)]
        self._prefix = term.prefix
        self._contains = (
            re.compile(re.escape(term.contains), re.IGNORECASE) if term.contains else None
        )

    def is_in(self, text: str, words: Words) -> bool:
        if self._contains is not None and self._contains.search(text) is None:
            return False
        return not self._words or any(True for _ in self.places(text, words))

    def places(self, text: str, words: Words) -> Iterator[tuple[int, int]]:
        if not self._words:
            if self._contains is not None:
                for found in self._contains.finditer(text):
                    yield found.start(), found.end()
            return
        *first, last = self._words
        length = len(self._words)
        for index in range(len(words) - length + 1):
            end = words[index + length - 1]
            if end[0] != last and not (self._prefix and end[0].startswith(last)):
                continue
            if all(words[index + place][0] == word for place, word in enumerate(first)):
                yield words[index][1], end[2]
