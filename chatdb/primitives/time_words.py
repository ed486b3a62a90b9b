"""The one way in which a time is typed: dates, ISO 8601 times, `30d`, `2 weeks ago`, `yesterday`.

Every text means a span: a day, month or year is as long as it is, a time is a microsecond. What
begins at a text begins with its span, what ends at it ends after the span.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

from chatdb.errors import UsageError

FORMS = "2025, 2025-06, 2025-06-30, 2025-06-30T12:00, 30d, '2 weeks ago', yesterday or today"
"""The forms that an error names; a zone may follow an ISO time."""

Span = tuple[datetime, datetime]
"""The first moment of a time and the first one after it, both in UTC."""

_MOMENT = timedelta(microseconds=1)
"""Stored times have microseconds: none lies between a time and the next."""
_YEAR_OR_MONTH = re.compile(r"(\d{4})(?:-(\d{1,2})(?:-(\d{1,2}))?)?")
_ISO_WEEK = re.compile(r"\d{4}-?W\d{2}")
_AGO = re.compile(r"(\d{1,6})\s*([a-zA-Z]+)(?:\s+ago)?")
_FIXED = {
    "minutes": ("m", "min", "mins", "minute"),
    "hours": ("h", "hr", "hrs", "hour"),
    "days": ("d", "day"),
    "weeks": ("w", "wk", "wks", "week"),
}
_MONTHS = {1: ("mo", "mos", "month", "months"), 12: ("y", "yr", "yrs", "year", "years")}
_UNITS = {name: unit for unit, names in _FIXED.items() for name in (unit, *names)}
_IN_MONTHS = {name: months for months, names in _MONTHS.items() for name in names}


def zone_of(name: str) -> tzinfo:
    """Return the time zone of this name; raises UsageError."""
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UsageError(
            f"unknown time zone {name!r}", hint="write it as in Europe/Berlin, or UTC"
        ) from error


def span_of(text: str, *, now: datetime, zone: tzinfo = UTC) -> Span:
    """Return the span that a text means, in `zone` where it names none.

    `now` has a zone. Raises ValueError for anything else than the forms above.
    """
    text = " ".join(text.split())
    try:
        return _day_word(text, now, zone) or _ago(text, now, zone) or _calendar(text, zone)
    except OverflowError as error:
        raise ValueError(text) from error


def _day_word(text: str, now: datetime, zone: tzinfo) -> Span | None:
    word = text.lower()
    if word == "now":
        return _instant(now)
    if word not in ("today", "yesterday"):
        return None
    today = now.astimezone(zone).date()
    return _days(today if word == "today" else today - timedelta(days=1), 1, zone)


def _ago(text: str, now: datetime, zone: tzinfo) -> Span | None:
    """Read `30d`, `2 weeks`, `2 weeks ago`; `m` is a minute, and `M` nothing."""
    match = _AGO.fullmatch(text)
    if match is None:
        return None
    amount, name = int(match[1]), match[2]
    name = name.lower() if len(name) > 1 else name
    if name in _IN_MONTHS:
        return _instant(_months_before(now.astimezone(zone), amount * _IN_MONTHS[name]))
    if name not in _UNITS:
        return None
    return _instant(now - timedelta(**{_UNITS[name]: amount}))


def _months_before(time: datetime, months: int) -> datetime:
    """Return the same day and hour of an earlier month, or its last day if it is shorter."""
    year, month = divmod(time.year * 12 + time.month - 1 - months, 12)
    if year < 1:
        raise OverflowError(months)
    day = min(time.day, _days_of(date(year, month + 1, 1)))
    return time.replace(year=year, month=month + 1, day=day)


def _days_of(first: date) -> int:
    """Return the number of days of the month that begins with a day."""
    return ((first + timedelta(days=31)).replace(day=1) - first).days if first.month < 12 else 31


def _calendar(text: str, zone: tzinfo) -> Span:
    match = _YEAR_OR_MONTH.fullmatch(text)
    if match is not None:
        year, month, day = (int(part) if part else None for part in match.groups())
        first = date(year or 0, month or 1, day or 1)
        days = 1 if day else _days_of(first)
        if month is None:
            days = (date(first.year, 12, 31) - first).days + 1
        return _days(first, days, zone)
    if _ISO_WEEK.fullmatch(text):
        return _days(date.fromisoformat(text), 7, zone)
    try:
        return _days(date.fromisoformat(text), 1, zone)
    except ValueError:
        time = datetime.fromisoformat(text)
    return _instant(time.replace(tzinfo=time.tzinfo or zone))


def _days(first: date, days: int, zone: tzinfo) -> Span:
    """Return whole days of the zone, of which some have 23 or 25 hours."""
    start = datetime(first.year, first.month, first.day, tzinfo=zone).astimezone(UTC)
    try:
        after = first + timedelta(days=days)
        end = datetime(after.year, after.month, after.day, tzinfo=zone).astimezone(UTC)
    except OverflowError:
        # The end of the year 9999.
        end = datetime.max.replace(tzinfo=UTC)
    return start, end


def _instant(time: datetime) -> Span:
    time = time.astimezone(UTC)
    return time, time + _MOMENT
