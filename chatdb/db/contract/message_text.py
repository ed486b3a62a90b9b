"""Messages as the native format's JSON text, produced as close to the driver as possible.

Shared by the fast export of both databases. Encoding the records with `chatdb.formats.native` gives
the same bytes; a contract test compares the two.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from chatdb.db.types import parse_time
from chatdb.errors import DatabaseFailedError
from chatdb.primitives import canonical
from chatdb.primitives.row_spans import RowSpan
from chatdb.records import Message

Chunk = tuple[str, bytes, int]
"""A conversation's id, some of its messages as JSON objects joined by commas, their number."""

Records = tuple[str, list[Message]]
"""The same as records."""

Rows = tuple[str, RowSpan]
"""The same as rows: fields in the order of the record, text as str or as UTF-8, JSON in its
canonical form as bytes, times as ISO 8601 in UTC; None for no value."""

CHUNK_ROWS = 300
CHUNK_CHARACTERS = 1 << 20
"""Either ends a chunk: a single conversation may be larger than memory."""

_KEPT_TEXTS = 4_096
_KEPT_LENGTH = 512
_SQLITE_LENGTH = len("2026-01-31T12:00:00.000000Z")
_SHORTEST, _LONGEST = len("2026-01-31 12:00:00+00"), len("2026-01-31 12:00:00.000001+00")
NO_METADATA = b"{}"
_encode_time = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Selection:
    """The conversations of a batch by ascending id; `gapless`: there are no others in between.

    `marks_only` leaves out metadata without chatdb's marks and citations: a transcript shows no
    other.
    """

    ids: Sequence[str]
    gapless: bool
    marks_only: bool = False


class CanonicalTexts:
    """Turns JSON as stored into canonical JSON, with a cache for short texts.

    Metadata is repetitive (a model's name, a stop reason): most of it is converted once.
    """

    def __init__(self, *, left_out: bytes = b"null", wrap: Callable[[bytes], Any] = bytes) -> None:
        self._left_out = (b"null", left_out)
        self._wrap = wrap
        self._kept: dict[bytes | str, Any] = {}

    def of(self, text: bytes | str) -> Any:
        """Return the canonical bytes, wrapped; None for values that records do not contain.

        These are JSON's null and `left_out`. Raises ValueError for invalid JSON.
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
        """Return the result of `of` for each text, and None for None."""
        made = iter(canonical.normalise_all([text for text in texts if text is not None]))
        left_out, wrap = self._left_out, self._wrap
        return [
            None if text is None or (encoded := next(made)) in left_out else wrap(encoded)
            for text in texts
        ]


def json_time(text: str) -> str:
    """Return a time in the form of the native format, from any text that a database gives.

    The usual forms are `2026-01-31T12:00:00.500000Z` on SQLite and `2026-01-31 12:00:00.5+00` on
    PostgreSQL; the fraction has six digits or is left out. Raises ValueError for a time outside the
    years 1 to 9999, such as `infinity`.
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
    """Return the error for a row written by an application that no record can represent."""
    return DatabaseFailedError(
        f"{what} contains an unreadable value: {error}", hint="correct that row in the database"
    )
