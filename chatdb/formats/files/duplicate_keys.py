"""Repeated keys in one object of a source: decoding keeps the last value only."""

import json
import re
from dataclasses import dataclass
from typing import Any

import msgspec

TWICE = "a key that stands twice in one object: the last value taken"
"""What readers count as lossy."""
MOST_NAMED = 20
"""Listed for one conversation; a file may consist of nothing else."""
_SHOWN = 60
_ESCAPED = re.compile(rb"\\u00(?:22|6[eEcC]|75)")
"""Quotes, and letters of null, that are escapes before decoding and plain afterwards."""
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Dropped:
    """A value that another with the same key replaced."""

    key: str
    value: Any

    @property
    def what(self) -> str:
        """What it is, for a place."""
        return f"{self.key[:_SHOWN]!r} twice in one object"

    @property
    def reason(self) -> str:
        """What happened to it, with its beginning."""
        shown = self.value if isinstance(self.value, str) else json.dumps(self.value)
        more = " ..." if len(shown) > _SHOWN else ""
        return f"the last one was taken, this one left out: {shown[:_SHOWN]!r}{more}"


def dropped_values(data: bytes, decoded: Any) -> list[Dropped]:
    """Return the values that decoding a JSON value dropped because their keys were repeated.

    Equal values are not reported. As many quotes after decoding as before it prove that there are
    none; parsing again, ten times as slow, is only for the others.
    """
    try:
        if _ESCAPED.search(data) is None and _quotes(data) == _quotes(_encode(decoded)):
            return []
    except (UnicodeEncodeError, ValueError, TypeError, RecursionError):
        pass  # A lone surrogate, for example: nothing is proved.
    found: list[Dropped] = []

    def read(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) < len(pairs):
            for key, value in pairs:
                if value != result[key]:
                    found.append(Dropped(key, value))
        return result

    try:
        json.loads(data, object_pairs_hook=read, strict=False)
    except (ValueError, RecursionError):
        return []
    return found


def _quotes(data: bytes) -> int:
    """Count quotes except those of keys whose value is null, which shapes omit or add."""
    return data.count(b'"') - 2 * data.count(b"null")
