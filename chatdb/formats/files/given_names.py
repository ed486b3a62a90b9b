"""Names that people gave their files, made safe for any file system, and no two alike."""

import re
import unicodedata

_LONGEST = 120
"""Bytes of UTF-8 of a name: with a number it stays far below the 255 that file systems allow."""
_LONGEST_SUFFIX = 16
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"|?*\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


def safe_name(name: str | None) -> str:
    """Return the last part of a name without what leads elsewhere, hides, or some system forbids.

    `attachment` if nothing is left.
    """
    base = re.split(r"[/\\]", name or "")[-1]
    text = _UNSAFE.sub("", unicodedata.normalize("NFC", base))
    text = "".join(each for each in text if not unicodedata.category(each).startswith("C"))
    # A leading point hides a file, a leading hyphen makes an option of it.
    text = text.strip(" .").lstrip("-~ .")
    stem, suffix = _parts(text)
    stem = stem.encode()[: _LONGEST - len(suffix.encode())].decode(errors="ignore").rstrip(" .")
    text = (stem + suffix) or "attachment"
    return f"_{text}" if _RESERVED.fullmatch(text) else text


def numbered(name: str, number: int) -> str:
    """Return the name for the file of this number with it: `a.png`, `a (2).png` ..."""
    if number == 1:
        return name
    stem, suffix = _parts(name)
    return f"{stem} ({number}){suffix}"


def _parts(name: str) -> tuple[str, str]:
    """Split a name before its extension."""
    stem, point, suffix = name.rpartition(".")
    if not stem or len(suffix) > _LONGEST_SUFFIX:
        return name, ""
    return stem, point + suffix
