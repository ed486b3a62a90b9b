"""Reads the times of sources: seconds, milliseconds, ISO text, and invalid ones."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of a conversation without any time: the same at every import."""

GUESSED = "interpolated"
"""The mark `time` of a record whose source does not contain its time."""

LATEST = datetime(2100, 1, 1, tzinfo=UTC)
"""Later times are mistakes. A fixed limit, not the clock: a file must be read the same every
day."""

_LATEST_SECONDS = LATEST.timestamp()
_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
"""Numbers above the first are nano-, micro- and milliseconds: as seconds they would be after
5138."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of a source: `at` in UTC, None if invalid; `odd`: the raw value is kept."""

    at: datetime | None
    odd: bool = False


MISSING = Moment(None)


def is_known(time: datetime) -> bool:
    """Tell whether a time is known; a missing one is `EPOCH`."""
    return time != EPOCH


def parse_time(value: Any) -> Moment:
    """Read a time of any usual kind.

    Numbers are seconds since 1970, or milli-, micro- or nanoseconds if they are too large for that;
    text is ISO 8601 (without a zone: UTC) or such a number. Zero, negative and impossible values
    are invalid. Everything but seconds and ISO text with a zone is odd.
    """
    if value is None or value == "":
        return MISSING
    # A bool is an int in Python: true would be the first second of 1970.
    if isinstance(value, bool):
        return Moment(None, odd=True)
    if isinstance(value, int | float):
        return _from_number(value)
    if isinstance(value, str):
        return _from_text(value)
    return Moment(None, odd=True)


def _from_number(value: float) -> Moment:
    # Programs write 0 or -1 where they know no time.
    if not math.isfinite(value) or value <= 0:
        return Moment(None, odd=True)
    for bound, unit in _UNITS:
        if value > bound:
            return Moment(_from_seconds(value / unit), odd=True)
    at = _from_seconds(value)
    return Moment(at, odd=at is None)


def _from_seconds(seconds: float) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds < _LATEST_SECONDS else None


def _from_text(value: str) -> Moment:
    try:
        at = datetime.fromisoformat(value.strip())
    except ValueError:
        try:
            return Moment(_from_number(float(value)).at, odd=True)
        except (ValueError, OverflowError):
            return Moment(None, odd=True)
    naive = at.tzinfo is None
    try:
        at = at.replace(tzinfo=UTC) if naive else at.astimezone(UTC)
    except (OverflowError, ValueError):
        return Moment(None, odd=True)
    if not EPOCH < at < LATEST:
        return Moment(None, odd=True)
    return Moment(at, odd=naive)
