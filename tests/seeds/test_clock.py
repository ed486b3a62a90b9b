"""Times of seeded chats."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from chatdb.seeds.clock import HOUR, Hours, Year, moment_of, time_of
from chatdb.seeds.dice import Dice

ENDS = datetime(2026, 11, 1, tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)))
def test_a_moment_is_a_time_to_the_microsecond(time: datetime) -> None:
    assert time_of(moment_of(time)) == time
    assert time_of(moment_of(time)).tzinfo is UTC


@given(st.integers(0, 2**64), st.integers(-12, 14))
def test_chats_begin_within_the_year(number: int, hours: int) -> None:
    begins = time_of(Year(ENDS).beginning(Dice(number), hours * HOUR))

    assert ENDS - timedelta(days=366) < begins < ENDS - timedelta(hours=11)


@given(st.integers(0, 2**64), st.integers(0, 5 * 24 * 60))
def test_time_goes_forward_and_never_reaches_the_end(number: int, minutes: int) -> None:
    begins = moment_of(ENDS - timedelta(hours=1, minutes=minutes))
    hours = Hours(Dice(number), begins, ends=moment_of(ENDS), offset=0, messages=40)

    times = [begins]
    for _ in range(20):
        times += [hours.write(), hours.answer(), hours.follow()]

    assert times == sorted(set(times))
    assert time_of(times[-1]) < ENDS


def test_nobody_who_chats_late_writes_through_the_night() -> None:
    zone = timezone(timedelta(hours=9))
    begins = moment_of(datetime(2026, 3, 4, 23, 50, tzinfo=zone))
    late = 0
    for number in range(200):
        hours = Hours(Dice(number), begins, ends=moment_of(ENDS), offset=9 * HOUR, messages=60)
        times = [time_of(hours.write()).astimezone(zone) for _ in range(30)]
        late += sum(1 <= time.hour < 6 for time in times)

    assert late < 0.05 * 200 * 30
