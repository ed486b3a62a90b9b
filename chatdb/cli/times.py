"""Dates and times as options take them."""

import re
from datetime import UTC, datetime, timedelta, tzinfo

from chatdb.errors import UsageError

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_time(text: str, option: str, *, ending: bool = False, zone: tzinfo = UTC) -> datetime:
    """Read a date or an ISO 8601 time, in `zone` where it names none; the result is in UTC.

    With `ending` the result is the first time after the one given: a date covers its whole day.
    Raises UsageError naming the option.
    """
    try:
        time = datetime.fromisoformat(text)
        time = time.replace(tzinfo=time.tzinfo or zone).astimezone(UTC)
        if ending:
            # Stored times have microseconds: none lies between a time and the next.
            whole_day = _DATE.fullmatch(text) is not None
            time += timedelta(days=1) if whole_day else timedelta(microseconds=1)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{option} {text!r} is not a valid date or time",
            hint=f"write {option} 2026-01-31 or {option} 2026-01-31T12:00:00+01:00",
        ) from error
    return time
