"""The words of texts, and an index of them small enough to lie in a page.

The page's script cuts a query in the same way: see `words` in index.js.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import cache

LONGEST_WORD = 32
"""Characters: longer ones are keys, hashes and encoded files."""

_WORD = re.compile(r"\w+")
_UNPARTED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+"
)
"""Scripts that write without spaces between words."""
_DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_BASE = 32


def words_of(texts: Iterable[str]) -> set[str]:
    """Return the words of texts, in lower case without accents.

    Of scripts without spaces between words, every two letters that follow one another.
    """
    # Most of a text is words it had before: each is looked at once.
    parted: set[str] = set()
    for text in texts:
        parted.update(text.split())
    found: set[str] = set()
    for word in set(_WORD.findall(folded(" ".join(parted)))):
        if word.isascii() or _UNPARTED.search(word) is None:
            found.add(word)
        else:
            found.update(_parts(word))
    return {word for word in found if len(word) <= LONGEST_WORD}


def folded(text: str) -> str:
    """Return a text in lower case without accents."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKD", text).translate(_marks()).lower()


@cache
def _marks() -> dict[int, None]:
    """Return all marks that stand on, below or after a letter, for `translate` to leave out."""
    planes = (range(0x300, 0x20000), range(0xE0100, 0xE01F0))
    codes = (code for plane in planes for code in plane)
    return {code: None for code in codes if unicodedata.category(chr(code))[0] == "M"}


def _parts(word: str) -> Iterable[str]:
    end = 0
    for run in _UNPARTED.finditer(word):
        yield from filter(None, (word[end : run.start()],))
        pairs = [run[0][at : at + 2] for at in range(len(run[0]) - 1)]
        yield from pairs or (run[0],)
        end = run.end()
    yield from filter(None, (word[end:],))


class WordIndex:
    """Which numbered texts have which words; `is_full` once it is larger than `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self.places: dict[str, bytearray] = {}
        self.last: dict[str, int] = {}
        self.is_full = False

    def add(self, number: int, words: Collection[str]) -> None:
        """Add the words of a text; numbers ascend."""
        if self.is_full:
            return
        last, places = self.last, self.places
        self._size += len(words)
        for word in words:
            gap = number - last.get(word, -1) - 1
            last[word] = number
            if word not in places:
                places[word] = bytearray()
                self._size += len(word) + 2
            if gap < _BASE:
                places[word].append(_DIGITS[gap])
            else:
                self._size += _add_gap(places[word], gap)
        self._check()

    def extend(self, other: "WordIndex", start: int) -> None:
        """Add all of another index, whose numbers begin here at `start`."""
        if self.is_full or other.is_full:
            self._check(is_full=True)
            return
        for word, places in other.places.items():
            first, end = _first_gap(places)
            gap = start + first - self.last.get(word, -1) - 1
            self.last[word] = start + other.last[word]
            mine = self.places.get(word)
            if mine is None:
                mine = self.places[word] = bytearray()
                self._size += len(word) + 2
            self._size += 1 + _add_gap(mine, gap) + len(places) - end
            mine += places[end:]
        self._check()

    def _check(self, *, is_full: bool = False) -> None:
        if is_full or self._size > self._limit:
            self.is_full = True
            self.places.clear()
            self.last.clear()

    def text(self) -> str:
        """Return a line of words and a line of what each has: gaps between numbers, in base 32.

        Empty if it is full.
        """
        # As a script compares texts.
        names = sorted(self.places, key=lambda word: word.encode("utf-16-be"))
        return (
            f"{' '.join(names)}\n{' '.join(self.places[name].decode() for name in names)}"
            if names
            else ""
        )


def _add_gap(places: bytearray, gap: int) -> int:
    """Write a gap, its lower digits first and marked; return how many more than one it takes."""
    before = len(places)
    while gap >= _BASE:
        places.append(_DIGITS[_BASE + gap % _BASE])
        gap //= _BASE
    places.append(_DIGITS[gap])
    return len(places) - before - 1


def _first_gap(places: bytearray) -> tuple[int, int]:
    """Return the first gap, and where the next one begins."""
    gap = 0
    for at, digit in enumerate(places):
        value = _DIGITS.index(digit)
        gap += value % _BASE * _BASE**at
        if value < _BASE:
            return gap, at + 1
    return gap, len(places)
