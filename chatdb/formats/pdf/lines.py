"""What a page needs to know of a text: which way it runs, and where its lines may end."""

import re
import unicodedata
from functools import lru_cache

from chatdb.formats.markdown_reading import visible

_WIDE = "\u1100-\u11ff\u2e80-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00020000-\U0003ffff"
"""Scripts whose lines end anywhere."""
_JOINED = re.compile("[\u0300-\u036f\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")
_SEPARATORS = re.compile("[\u2028\u2029]")
_AS_EMOJI = re.compile("\\S\ufe0f\u20e3?(?:\u200d\\S\ufe0f?)*")
_STEP = 8
"""Letters that stay together in a word that is too long, at most."""
_BREAK = "\u200b"


def shown(text: str) -> str:
    """Return a text as it may stand on a page: without control characters, its lines parted alike.

    Typst takes a line separator for an order to fill the line.
    """
    text = visible(text)
    return text if text.isascii() else _SEPARATORS.sub("\n", text)


def with_emoji(text: str) -> list[tuple[str, bool]]:
    """Return the pieces of a text, with True those that ask to be drawn as emoji."""
    if "\ufe0f" not in text:
        return [(text, False)] if text else []
    pieces, end = [], 0
    for found in _AS_EMOJI.finditer(text):
        pieces += [(text[end : found.start()], False), (found[0], True)]
        end = found.end()
    return [each for each in (*pieces, (text[end:], False)) if each[0]]


def runs_right_to_left(text: str) -> bool:
    """Tell whether the first letter that has a direction is one of Arabic, Hebrew ..."""
    if text.isascii():
        return False
    for letter in text:
        direction = unicodedata.bidirectional(letter)
        if direction in ("R", "AL"):
            return True
        if direction == "L":
            return False
    return False


def breakable(text: str, longest: int) -> str:
    """Return a text in which words longer than so many letters have places to end a line."""
    if len(text) <= longest:
        return text
    step = max(1, min(_STEP, longest // 2))
    return _too_long(longest).sub(lambda found: _broken(found[0], step), text)


@lru_cache(maxsize=64)
def _too_long(longest: int) -> re.Pattern[str]:
    return re.compile(f"[^\\s{_WIDE}]{{{longest + 1},}}")


def _broken(word: str, step: int) -> str:
    pieces, start = [], 0
    for end in range(step, len(word), step):
        # Neither a mark nor the members of a family may be parted from what they belong to.
        if _JOINED.search(word[end - 1 : end + 1]) is None:
            pieces.append(word[start:end])
            start = end
    return _BREAK.join((*pieces, word[start:]))
