"""The script of a letter by its Unicode name, and the Debian package with fonts for it."""

import unicodedata

_CJK = (
    *("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH"),
    *("KANGXI", "CIRCLED"),
)
_CALLED = {
    "CJK": "Chinese, Japanese, Korean",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
}
_CJK_PACKAGE = "fonts-noto-cjk"
_EMOJI_PACKAGE = "fonts-noto-color-emoji"
_OTHER_PACKAGE = "fonts-noto-core"
PRIVATE = "private use"
UNASSIGNED = "unassigned"
EMOJI = "emoji"
SYMBOLS = "symbols"


def script_of(letter: str) -> str:
    """Return the script as people say it: `Thai`, `emoji`, `symbols`, `private use`."""
    kind = unicodedata.category(letter)
    if kind == "Co":
        return PRIVATE
    name = unicodedata.name(letter, "")
    if not name:
        return EMOJI if _is_emoji(letter) else UNASSIGNED
    if kind[0] in "SP" or kind == "No":
        if _is_emoji(letter):
            return EMOJI
        if name.split()[0] not in _CJK:
            return SYMBOLS
    first = name.split()[0].partition("-")[0]
    return _CALLED.get(first, first.capitalize())


def package_of(letter: str, script: str) -> str | None:
    """Return the package that has a font for a letter; None where nobody knows its shape."""
    if script in (PRIVATE, UNASSIGNED):
        return None
    if script == EMOJI:
        return _EMOJI_PACKAGE
    name = unicodedata.name(letter, "").partition(" ")[0].partition("-")[0]
    return _CJK_PACKAGE if name in _CJK else _OTHER_PACKAGE


def _is_emoji(letter: str) -> bool:
    return "\U0001f000" <= letter <= "\U0001faff"
