"""Every form of a time means one span, the same wherever it is typed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from chatdb.cli.times import read_age, read_between, read_time
from chatdb.errors import UsageError
from chatdb.operations.searching.query import parse
from chatdb.primitives.time_words import FORMS, span_of

NOW = datetime(2026, 3, 31, 10, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
MOMENT = timedelta(microseconds=1)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2025", "2025-01-01", "2026-01-01"),
        ("2025-06", "2025-06-01", "2025-07-01"),
        ("2024-2", "2024-02-01", "2024-03-01"),
        ("2025-12", "2025-12-01", "2026-01-01"),
        ("2025-06-30", "2025-06-30", "2025-07-01"),
        ("20250630", "2025-06-30", "2025-07-01"),
        ("2026-W01", "2025-12-29", "2026-01-05"),
        ("today", "2026-03-31", "2026-04-01"),
        (" Yesterday ", "2026-03-30", "2026-03-31"),
        ("9999", "9999-01-01", "9999-12-31T23:59:59.999999"),
    ],
)
def test_days_months_and_years_are_as_long_as_they_are(text: str, start: str, end: str) -> None:
    assert span_of(text, now=NOW) == (utc(start), utc(end))


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("now", "2026-03-31T10:30"),
        ("30d", "2026-03-01T10:30"),
        ("30 days ago", "2026-03-01T10:30"),
        ("2 weeks ago", "2026-03-17T10:30"),
        ("2  Weeks", "2026-03-17T10:30"),
        ("90m", "2026-03-31T09:00"),
        ("26h", "2026-03-30T08:30"),
        ("1 month ago", "2026-02-28T10:30"),
        ("13mo", "2025-02-28T10:30"),
        ("2y", "2024-03-31T10:30"),
        ("2025-06-30T12:00", "2025-06-30T12:00"),
        ("2025-06-30 12:00:01+02:00", "2025-06-30T10:00:01"),
        ("2025-06-30T12:00Z", "2025-06-30T12:00"),
    ],
)
def test_a_time_is_one_moment(text: str, time: str) -> None:
    assert span_of(text, now=NOW) == (utc(time), utc(time) + MOMENT)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "2025-13",
        "2025-02-30",
        "0000",
        "6M",
        "30x",
        "d",
        "-3d",
        "3000y",
        "999999w",
        "1e3",
    ],
)
def test_anything_else_is_an_error_that_names_the_forms(text: str) -> None:
    with pytest.raises(UsageError, match=r"--since .* is not a valid date or time") as caught:
        read_time(text, "--since")

    assert caught.value.hint == f"write it as {FORMS}"


def test_a_day_of_a_time_zone_has_the_hours_it_has() -> None:
    # Summer time began on 29 March 2026.
    assert span_of("2026-03-29", now=NOW, zone=BERLIN) == (
        utc("2026-03-28T23:00"),
        utc("2026-03-29T22:00"),
    )
    assert span_of("today", now=utc("2026-03-31T22:30"), zone=BERLIN)[0] == utc("2026-03-31T22:00")
    assert span_of("2026-03-29T12:00", now=NOW, zone=BERLIN)[0] == utc("2026-03-29T10:00")


def test_until_reaches_to_the_end_and_lies_after_since() -> None:
    assert read_between("2025-06", "2025-06", zone=UTC) == (utc("2025-06-01"), utc("2025-07-01"))
    with pytest.raises(UsageError, match="--until 2024 lies before --since 2025"):
        read_between("2025", "2024", zone=UTC)


def test_an_age_is_never_negative() -> None:
    assert read_age("26h", "--max-age") == timedelta(hours=26)
    assert read_age("2024", "--older-than") > timedelta(days=365)
    with pytest.raises(UsageError, match="lies in the future"):
        read_age("2999", "--older-than")


def test_a_query_takes_the_same_words() -> None:
    query = parse('since:2025-06 until:2025-06 car after:"2 weeks ago"', zone=BERLIN)

    assert query.before == utc("2025-06-30T22:00")
    assert query.after is not None
    assert query.after > utc("2026-01-01")
    assert parse("car before:2025-06").before == utc("2025-06-01")
    for text in ("until:soon car", "-since:2025 car"):
        with pytest.raises(UsageError):
            parse(text)
