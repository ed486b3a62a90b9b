"""Messages as the text of the native format's JSON, made as close to the driver as it goes.

What the fast export of both databases shares. The same bytes come from encoding the records with
`chatdb.formats.native`; a contract test holds the two together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from chatdb import canonical
from chatdb.db.types import parse_time
from chatdb.errors import DatabaseFailedError

Chunk = tuple[str, bytes, int]
"""A conversation's id, some of its messages as JSON objects joined by commas, how many they are."""

CHUNK_ROWS = 300
CHUNK_CHARACTERS = 1 << 20
"""A chunk ends with either: one conversation may be larger than memory."""

_KEPT_TEXTS = 4_096
_KEPT_LENGTH = 512
_SQLITE_LENGTH = len("2026-01-31T12:00:00.000000Z")
_SHORTEST, _LONGEST = len("2026-01-31 12:00:00+00"), len("2026-01-31 12:00:00.000001+00")
NO_METADATA = b"{}"
_encode_time = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Selection:
    """The conversations of a batch by ascending id; `gapless`: there are no others between them.

    `marks_only` leaves out metadata without chatdb's marks: a transcript shows nothing else of it.
    """

    ids: Sequence[str]
    gapless: bool
    marks_only: bool = False


class CanonicalTexts:
    """Turns JSON as a database keeps it into canonical JSON, remembering short texts.

    Metadata repeats itself (a model's name, a reason to stop): most of it is made once.
    """

    def __init__(self, *, left_out: bytes = b"null", wrap: Callable[[bytes], Any] = bytes) -> None:
        self._left_out = (b"null", left_out)
        self._wrap = wrap
        self._kept: dict[bytes | str, Any] = {}

    def of(self, text: bytes | str) -> Any:
        """Return the canonical bytes, wrapped; None for what the records do not write.

        That is JSON's null and what `left_out` says. Raises ValueError for what is no JSON.
        """
        try:
            return self._kept[text]
        except KeyError:
            pass
        encoded = canonical.encode(canonical.decode(text))
        made = None if encoded in self._left_out else self._wrap(encoded)
        if len(text) <= _KEPT_LENGTH:
            if len(self._kept) >= _KEPT_TEXTS:
                self._kept.clear()
            self._kept[text] = made
        return made

    def all_of(self, texts: Sequence[bytes | None]) -> list[Any]:
        """Return what `of` returns for each text, and None for None."""
        made = iter(canonical.normalise_all([text for text in texts if text is not None]))
        left_out, wrap = self._left_out, self._wrap
        return [
            None if text is None or (encoded := next(made)) in left_out else wrap(encoded)
            for text in texts
        ]


def json_time(text: str) -> str:
    """Return any time that a database gives as text in the form of the native format.

    The usual forms are `2026-01-31T12:00:00.500000Z` on SQLite and `2026-01-31 12:00:00.5+00` on
    PostgreSQL; the fraction has six digits or is left out. Raises ValueError for a time outside
    of the years 1 to 9999, such as `infinity`.
    """
    length = len(text)
    mark = text[10:11]
    if length == _SQLITE_LENGTH and mark == "T" and text[26] == "Z":
        return text[:19] + "Z" if text[19:26] == ".000000" else text
    if mark == " " and text[-3:] == "+00" and _SHORTEST <= length <= _LONGEST:
        start = text[:10] + "T" + text[11:-3]
        return (start if length == _SHORTEST else start.ljust(26, "0")) + "Z"
    return _encode_time(parse_time(text)).decode()[1:-1]


def unreadable(what: str, error: ValueError) -> DatabaseFailedError:
    """Return the error for a row that an application wrote and no record can hold."""
    return DatabaseFailedError(
        f"{what} holds what cannot be read: {error}", hint="correct that row in the database"
    )
