"""Days, weeks, months and years without messages, to be drawn between those with some."""

from collections.abc import Iterator
from datetime import date, timedelta

from chatdb.cli.text import counted

TIMES = ("day", "week", "month", "year")
_MOST_DRAWN = 7
"""A longer gap is one line: a year between two talks would be 365."""


def gap(by: str, before: str, after: str) -> Iterator[str]:
    """Yield the keys of the periods between two keys, or one that tells how many there are."""
    periods = _between(by, before, after)
    if periods > _MOST_DRAWN:
        yield f"… {counted(periods, by)}"
        return
    for number in range(1, periods + 1):
        yield _later(by, before, number)


def _between(by: str, before: str, after: str) -> int:
    if by == "year":
        return int(after) - int(before) - 1
    if by == "month":
        return _month(after) - _month(before) - 1
    days = (date.fromisoformat(after) - date.fromisoformat(before)).days
    return days // (7 if by == "week" else 1) - 1


def _later(by: str, key: str, number: int) -> str:
    if by == "year":
        return f"{int(key) + number:04}"
    if by == "month":
        year, month = divmod(_month(key) + number, 12)
        return f"{year:04}-{month + 1:02}"
    return (
        date.fromisoformat(key) + timedelta(days=number * (7 if by == "week" else 1))
    ).isoformat()


def _month(key: str) -> int:
    year, month = key.split("-")
    return int(year) * 12 + int(month) - 1
