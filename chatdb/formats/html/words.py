"""The words of texts, and an index of them small enough to lie in a page.

The page's script cuts a query in the same way: see `words` in index.js.
"""

import re
import unicodedata
from collections.abc import Iterable

LONGEST_WORD = 32
"""Characters: longer ones are keys, hashes and encoded files."""

_WORD = re.compile(r"\w+")
_ASCII_WORD = re.compile(r"[a-z0-9_]+")
_UNPARTED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+"
)
"""Scripts that write without spaces between words."""
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def words_of(texts: Iterable[str]) -> set[str]:
    """Return the words of texts, in lower case without accents.

    Of scripts without spaces between words, every two letters that follow one another.
    """
    found: set[str] = set()
    for text in texts:
        if text.isascii():
            found.update(_ASCII_WORD.findall(text.lower()))
            continue
        for word in set(_WORD.findall(folded(text))):
            if word.isascii() or _UNPARTED.search(word) is None:
                found.add(word)
            else:
                found.update(_parts(word))
    return {word for word in found if len(word) <= LONGEST_WORD}


def folded(text: str) -> str:
    """Return a text in lower case without accents."""
    if text.isascii():
        return text.lower()
    parted = unicodedata.normalize("NFKD", text)
    return "".join(each for each in parted if unicodedata.category(each)[0] != "M").lower()


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
        self._places: dict[str, bytearray] = {}
        self._last: dict[str, int] = {}
        self.is_full = False

    def add(self, number: int, words: Iterable[str]) -> None:
        """Add the words of a text; numbers ascend."""
        if self.is_full:
            return
        for word in words:
            places = self._places.get(word)
            if places is None:
                places = self._places[word] = bytearray()
                self._size += len(word) + 2
            gap = number - self._last.get(word, -1) - 1
            self._last[word] = number
            before = len(places)
            while gap > 31:
                places.append(ord(_DIGITS[32 + (gap & 31)]))
                gap >>= 5
            places.append(ord(_DIGITS[gap]))
            self._size += len(places) - before
        if self._size > self._limit:
            self.is_full = True
            self._places.clear()
            self._last.clear()

    def text(self) -> str:
        """Return a line of words and a line of what each has: gaps between numbers, in base 32.

        Empty if it is full.
        """
        # As a script compares texts.
        names = sorted(self._places, key=lambda word: word.encode("utf-16-be"))
        return (
            f"{' '.join(names)}\n{' '.join(self._places[name].decode() for name in names)}"
            if names
            else ""
        )
