"""A title for a conversation that has none: the beginning of its first user message."""

import re
import unicodedata

LONGEST_TITLE = 60
"""Characters as people see them."""

_SPACES = re.compile(r"\s+")
# A message may be megabytes; a title is in its first lines.
_LOOKED_AT = 2_000
_JOINER = "\u200d"


def title_of(text: str) -> str | None:
    """Return the first line of the text with visible words, cut after a word; None for none.

    A visible character (an emoji of several code points, a letter with its accents) is never cut.
    """
    lines = (_readable(line) for line in text[:_LOOKED_AT].splitlines())
    line = next((line for line in lines if any(map(str.isalnum, line))), "")
    if not line:
        line = _readable(text[:_LOOKED_AT])
    return cut(line, LONGEST_TITLE) or None


def cut(line: str, longest: int) -> str:
    """Return the line cut to `longest` visible characters, with an ellipsis, best after a word."""
    starts = _starts(line, longest + 1)
    if len(starts) <= longest:
        return line
    kept = line[: starts[longest - 1]]
    word = kept if line[len(kept)] == " " else kept.rpartition(" ")[0]
    # Text without spaces, such as Chinese, has no word to cut after.
    return (word if len(word) > len(kept) // 2 else kept).rstrip() + "…"


def _readable(line: str) -> str:
    """Return a line of Markdown without its leading marks and control characters."""
    shown = "".join(
        character
        for character in _SPACES.sub(" ", line)
        if unicodedata.category(character) not in ("Cc", "Cs") and character not in _DIRECTIONS
    )
    return shown.lstrip("#>*- ").strip()


_DIRECTIONS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""A direction that is set, with its end cut off, would turn the text behind it."""


def _starts(line: str, most: int) -> list[int]:
    """Return where the first visible characters begin; `most` limits how many are looked for."""
    starts: list[int] = []
    flags = 0
    for index, character in enumerate(line):
        before = line[index - 1] if index else ""
        is_flag = "\U0001f1e6" <= character <= "\U0001f1ff"
        flags = flags + 1 if is_flag else 0
        goes_on = _extends(character) or before == _JOINER or (is_flag and flags % 2 == 0)
        if index == 0 or not (goes_on or _is_syllable_part(before, character)):
            if len(starts) == most:
                break
            starts.append(index)
    return starts


def _extends(character: str) -> bool:
    """Tell whether a character belongs to the one before: marks, joiners, skin tones, tags."""
    return (
        character == _JOINER
        or unicodedata.category(character) in ("Mn", "Mc", "Me")
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
    )


def _is_syllable_part(before: str, character: str) -> bool:
    """Tell whether two Korean letters written separately form one syllable."""
    return "\u1100" <= before <= "\u11ff" and "\u1160" <= character <= "\u11ff"
