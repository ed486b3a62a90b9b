"""Which letters no font has: the compiler draws a box for each and says nothing."""

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from chatdb.formats.base import MissingLetters
from chatdb.formats.pdf.packages import package_of, script_of

Face = tuple[str, str | None, int, int]
"""Family, file (None inside the compiler), place in the file, weight."""

_VISIBLE_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
"""Signs that Unicode calls formats, but that are drawn."""
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0\u2800")
_SHOWN = 8
"""Letters that are named of each script."""


class Letters:
    """Counts the letters of documents, and knows which of them a set of fonts has."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, text: str) -> None:
        """Count the letters of a text beyond ASCII, which every font has."""
        if not text.isascii():
            # Composed: a font may have é and no accent by itself.
            composed = unicodedata.normalize("NFC", text)
            self._counts.update(each for each in composed if each > "\x7f")

    @property
    def are_special(self) -> bool:
        """Tell whether there are letters that a font may lack."""
        return bool(self._counts)

    def missing(self, faces: Sequence[Face]) -> tuple[MissingLetters, ...]:
        """Return what no font has, by script."""
        wanted = {each for each in self._counts if _is_drawn(each)}
        missing = _Fonts(faces).without(wanted) if wanted else set()
        scripts: dict[tuple[str, str | None], list[str]] = {}
        for letter in sorted(missing, key=lambda each: (-self._counts[each], each)):
            script = script_of(letter)
            scripts.setdefault((script, package_of(letter, script)), []).append(letter)
        return tuple(
            MissingLetters(
                script=script,
                examples="".join(letters[:_SHOWN]),
                letters=len(letters),
                times=sum(self._counts[each] for each in letters),
                package=package,
            )
            for (script, package), letters in scripts.items()
        )


def _is_drawn(letter: str) -> bool:
    """Tell whether a letter without a glyph is a box, and not simply nothing."""
    kind = unicodedata.category(letter)
    if kind == "Cf":
        return letter in _VISIBLE_FORMATS
    if kind in ("Cc", "Zs", "Zl", "Zp") or letter in _INVISIBLE:
        return False
    return not ("\ufe00" <= letter <= "\ufe0f" or "\u180b" <= letter <= "\u180f") and not (
        "\U000e0000" <= letter <= "\U000e0fff"
    )


class _Fonts:
    """The letters of fonts, whose tables are read one after another until all are found."""

    def __init__(self, faces: Sequence[Face]) -> None:
        self._faces = faces

    def without(self, wanted: set[str]) -> set[str]:
        """Return the letters that no font has."""
        has = _embedded() if any(path is None for _, path, _, _ in self._faces) else frozenset()
        missing = {each for each in wanted if ord(each) not in has}
        for found in self._tables():
            if not missing:
                break
            missing = {
                each for each in missing if ord(each) not in found and not _parts_in(each, found)
            }
        return missing

    def _tables(self) -> Iterator[frozenset[int]]:
        """Yield the letters of each family, of its face nearest to the usual weight."""
        best: dict[str, Face] = {}
        for face in self._faces:
            family, path, _, weight = face
            known = best.get(family)
            if path is not None and (known is None or abs(weight - 400) < abs(known[3] - 400)):
                best[family] = face
        for _, path, index, _ in best.values():
            if path is not None:
                yield _table(path, index)


def _parts_in(letter: str, found: frozenset[int]) -> bool:
    """Tell whether a font makes a letter of its parts: é of e and an accent."""
    parts = unicodedata.normalize("NFD", letter)
    return len(parts) > 1 and all(ord(each) in found for each in parts)


@cache
def _table(path: str, index: int) -> frozenset[int]:
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(path, fontNumber=index, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    # A font that is broken in a way of its own: the compiler cannot use it either.
    except (OSError, TTLibError, ValueError, KeyError, AssertionError, IndexError):
        return frozenset()


@cache
def _embedded() -> frozenset[int]:
    """Return the letters of the fonts inside the compiler: Libertinus, DejaVu Sans Mono ..."""
    found: set[int] = set()
    for part in Path(__file__).with_name("embedded.txt").read_text("ascii").split():
        first, _, last = part.partition("-")
        found.update(range(int(first, 16), int(last or first, 16) + 1))
    return frozenset(found)
