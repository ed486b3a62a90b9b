"""Names of files for conversations: safe on every file system, stable, readable."""

import re
import unicodedata

from chatdb.formats.times import is_known
from chatdb.records import Conversation, organization_id_of

UNDATED = "undated"
"""What the name of a conversation without any time begins with."""

LONGEST_SLUG = 80
"""Bytes of UTF-8: a name stays far below the 255 that file systems allow."""
_PLAIN = re.compile(
    r"(?!(?:con|prn|aux|nul|com[0-9]|lpt[0-9])$)[a-z0-9](?:[a-z0-9-]{0,78}[a-z0-9])?"
)
"""No name that Windows reserves for a device, and no unusual first or last character."""
SHORT_ID = 12
"""Digits from the end of the id: the beginning of a UUIDv7 is the time, alike for neighbours."""

_BETWEEN_WORDS = re.compile(r"[\x00-\x2f\x3a-\x60\x7b-\x7f]+")
"""ASCII characters except letters and digits; titles are in lower case by then."""


def file_name(record: Conversation, extension: str, *, whole_id: bool = False) -> str:
    """Return `2026-01-31_slug-of-the-title_0123456789ab.md`.

    Its beginning is a day or `undated`, so it is no reserved name and no option, and it holds only
    letters and digits in lower case beside `-`, `_` and the extension. `whole_id` is for a
    conversation whose short id another one has.
    """
    identifier = record.id.hex if whole_id else record.id.hex[-SHORT_ID:]
    time = record.created_at
    day = time.date().isoformat() if is_known(time) else UNDATED
    return f"{day}_{slug(record.title or '')}_{identifier}{extension}"


def folder_name(key: str) -> str:
    """Return the name of a folder for an organization: its key if that is a plain word.

    Any other key gets the end of the organization's id, so that no two share a folder, even on file
    systems that ignore case.
    """
    if _PLAIN.fullmatch(key):
        return key
    return f"{slug(key)}_{organization_id_of(key).hex[-SHORT_ID:]}"


def slug(title: str) -> str:
    """Return the words of a title, joined by hyphens; `untitled` if there are none."""
    # One Unicode form: the same title gives the same name, however it was composed.
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFKC", title[:400]).casefold())
    if not text.isascii():
        text = "".join(each if _belongs_to_word(each) else "-" for each in text)
    words = _BETWEEN_WORDS.sub("-", text).strip("-")
    # Cut as bytes, a character may be halved: that half is dropped.
    short = words.encode()[:LONGEST_SLUG].decode(errors="ignore")
    if len(short) < len(words) and "-" in short[20:]:
        short = short[: short.rindex("-")]
    return short.strip("-") or "untitled"


def _belongs_to_word(character: str) -> bool:
    """Letters, digits, and the marks that Indic and other scripts write letters with."""
    return unicodedata.category(character)[0] in "LNM"
