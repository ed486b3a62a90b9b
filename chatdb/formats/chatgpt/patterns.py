"""The patterns by which a canvas is updated, as far as they can be applied without risk.

They are regular expressions from a file: one that Python's `re` runs may take hours. What models
write is nearly always `.*`, for the whole text, or words with gaps between them; only that is read,
in time linear to the text.
"""

import re
from collections.abc import Iterator
from typing import Any

_WHOLE = frozenset(
    (".*", ".+", "^.*$", "^.+$", "(?s).*", "(?s)^.*$", "[\\s\\S]*", "[\\s\\S]+", "^[\\s\\S]*$")
)
_TOKEN = re.compile(
    r"(?P<gap>(?:\.|\[\\s\\S\]|\[\\S\\s\])\*(?P<lazy>\??))|\\(?P<escaped>.)|(?P<plain>[^\\])",
    re.DOTALL,
)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_SPECIAL = frozenset(".^$*+?{}[]|()")
_REFERENCE = re.compile(r"\\(.)", re.DOTALL)


def is_whole(pattern: Any) -> bool:
    """Tell whether a pattern means the whole text."""
    return isinstance(pattern, str) and pattern in _WHOLE


def substituted(text: str, pattern: str, replacement: str, *, every: bool, most: int) -> str | None:
    """Return the text with the first match replaced, or `every` one.

    None if the pattern is of another kind, matches nowhere, or the text would be longer than
    `most`.
    """
    found, put = _pieces(pattern.removeprefix("(?s)")), _expanded(replacement)
    if found is None or put is None or len(text) > most:
        return None
    pieces, greedy = found
    made: list[str] = []
    size, end = 0, 0
    for start, stop in _matches(text, pieces, greedy=greedy):
        made += (text[end:start], put)
        size += start - end + len(put)
        end = stop
        if size > most:
            return None
        if not every:
            break
    return "".join([*made, text[end:]]) if made and size + len(text) - end <= most else None


def _pieces(pattern: str) -> tuple[list[str], bool] | None:
    """Return the words between the gaps of a pattern, and whether the gap is greedy."""
    pieces = [""]
    greedy: set[bool] = set()
    for token in _TOKEN.finditer(pattern):
        if token["gap"] is not None:
            greedy.add(not token["lazy"])
            pieces.append("")
        elif token["escaped"] is not None:
            letter = token["escaped"]
            if letter.isalnum() and letter not in _ESCAPED:
                return None
            pieces[-1] += _ESCAPED.get(letter, letter)
        elif token["plain"] in _SPECIAL:
            return None
        else:
            pieces[-1] += token["plain"]
    # Several greedy gaps mean the last place of each: there is no cheap way to find them.
    if len(greedy) > 1 or (greedy == {True} and len(pieces) > 2) or not pieces[0]:
        return None
    return pieces, True in greedy


def _matches(text: str, pieces: list[str], *, greedy: bool) -> Iterator[tuple[int, int]]:
    first, *others = pieces
    place = 0
    while (start := text.find(first, place)) >= 0:
        place = start + len(first)
        for piece in others:
            if greedy:
                found = text.rfind(piece, place)
            elif piece:
                found = text.find(piece, place)
            else:
                found = place
            if found < 0:
                return
            place = found + len(piece)
        yield start, place


def _expanded(replacement: str) -> str | None:
    """Return a replacement with its escapes resolved; None if it refers to groups."""
    if "\\" not in replacement:
        return replacement
    if any(each[1].isdigit() or each[1] == "g" for each in _REFERENCE.finditer(replacement)):
        return None
    return _REFERENCE.sub(lambda each: _ESCAPED.get(each[1], _unescaped(each[1])), replacement)


def _unescaped(letter: str) -> str:
    return "\\" if letter == "\\" else f"\\{letter}"
