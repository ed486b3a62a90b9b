"""Times and ages as options take them, in the words of `chatdb.primitives.time_words`."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

from chatdb.errors import UsageError

if TYPE_CHECKING:
    from chatdb.primitives.time_words import Span


def read_time(text: str, option: str, *, ending: bool = False, zone: tzinfo = UTC) -> datetime:
    """Read a time, in `zone` where it names none; the result is in UTC.

    With `ending` the result is the first time after the one given: a month covers all its days.
    Raises UsageError naming the option and the forms of a time.
    """
    first, after = _read(text, option, zone)
    return after if ending else first


def read_between(
    since: str | None, until: str | None, *, zone: tzinfo
) -> tuple[datetime | None, datetime | None]:
    """Read `--since` and `--until`: the first time meant, and the first one after all of them.

    Raises UsageError, also if the second lies before the first, where nothing could be found.
    """
    start = None if since is None else read_time(since, "--since", zone=zone)
    end = None if until is None else read_time(until, "--until", ending=True, zone=zone)
    if start is not None and end is not None and end <= start:
        raise UsageError(
            f"--until {until} lies before --since {since}", hint="give the earlier time as --since"
        )
    return start, end


def read_age(text: str, option: str, *, zone: tzinfo = UTC) -> timedelta:
    """Read how old something is: `26h`, or the time it is from. Raises UsageError."""
    now = datetime.now(UTC)
    first, _ = _read(text, option, zone, now=now)
    if first > now:
        # Everything would be older than that.
        raise UsageError(f"{option} {text!r} lies in the future", hint=f"for example: {option} 30d")
    return now - first


def _read(text: str, option: str, zone: tzinfo, *, now: datetime | None = None) -> "Span":
    from chatdb.primitives.time_words import FORMS, span_of

    try:
        return span_of(text, now=now or datetime.now(UTC), zone=zone)
    except ValueError as error:
        raise UsageError(
            f"{option} {text!r} is not a valid date or time", hint=f"write it as {FORMS}"
        ) from error
