"""Excerpts and relevance of a hit's text: the same on both databases."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from chatdb.operations.searching.words import Matcher, Span

WIDTH = 200
"""Characters of an excerpt."""
_BEFORE = 50
_MOST_SPANS = 300
_RANKED_CHARACTERS = 20_000
_SATURATION, _LENGTH_WEIGHT = 1.2, 0.75
"""k1 and b of BM25, at their usual values."""
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """An excerpt of a text on one line; `highlights` are (start, end) positions in it.

    `offsets` are those in the whole text, ascending and apart.
    """

    text: str
    highlights: tuple[tuple[int, int], ...]
    offsets: tuple[tuple[int, int], ...]


def excerpt(text: str, matcher: Matcher) -> Excerpt:
    """Cut out the part with most of the searched terms."""
    spans = matcher.spans(text)[:_MOST_SPANS]
    start = max(0, _best_start(spans) - _BEFORE)
    if start:
        blank = _SPACES.search(text, start, start + _BEFORE)
        start = blank.end() if blank else start
    end = min(len(text), start + WIDTH)
    if end < len(text):
        blank_before = max(text.rfind(" ", start, end), text.rfind("\n", start, end))
        end = blank_before if blank_before > start + WIDTH // 2 else end
    line = "…" if text[:start].strip() else ""
    highlights: list[tuple[int, int]] = []
    place = start
    for first, last, _ in spans:
        first, last = max(first, place), min(last, end)
        if first >= last:
            continue
        line = _joined(line, text[place:first])
        shown = _joined(line, text[first:last])
        highlights.append((len(line), len(shown)))
        line, place = shown, last
    line = _joined(line, text[place:end]).rstrip()
    line += "…" if text[end : end + WIDTH].strip() else ""
    return Excerpt(line, tuple(highlights), _apart(spans))


def readable(text: str) -> str:
    """Return the text without the marks of its citations, of which an excerpt has no room."""
    if "\ue200" not in text:
        return text
    # Its patterns take 10 ms to compile, and few texts have a citation.
    from chatdb.formats.citations import without_marks

    return without_marks(text)


def _apart(spans: Sequence[Span]) -> tuple[tuple[int, int], ...]:
    """Return where spans are, those that overlap as one."""
    found: list[tuple[int, int]] = []
    for start, end, _ in spans:
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return tuple(found)


def _joined(line: str, more: str) -> str:
    more = _SPACES.sub(" ", more)
    return line + (more.lstrip() if not line or line[-1] in " …" else more)


def _best_start(spans: Sequence[Span]) -> int:
    best, most = 0, 0
    for index, (start, _, _) in enumerate(spans):
        together = set()
        for _, end, number in spans[index:]:
            if end > start + WIDTH - _BEFORE:
                break
            together.add(number)
        if len(together) > most or not index:
            best, most = start, len(together)
    return best


def scores(texts: Sequence[str], matcher: Matcher) -> list[float]:
    """Return the relevance of each text (BM25 among these texts): more is better."""
    found = [matcher.counts(text[:_RANKED_CHARACTERS]) for text in texts]
    average = max(1.0, sum(length for _, length in found) / max(1, len(found)))
    having: dict[int, int] = {}
    for counts, _ in found:
        for number, count in counts.items():
            having[number] = having.get(number, 0) + (count > 0)
    total = len(texts)

    def score(counts: dict[int, int], length: int) -> float:
        norm = _SATURATION * (1 - _LENGTH_WEIGHT + _LENGTH_WEIGHT * length / average)
        return sum(
            math.log(1 + (total - having[number] + 0.5) / (having[number] + 0.5))
            * count
            * (_SATURATION + 1)
            / (count + norm)
            for number, count in counts.items()
        )

    return [round(score(counts, length), 4) for counts, length in found]
