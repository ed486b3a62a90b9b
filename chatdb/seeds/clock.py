"""When people chat: over a year that grows, by day more than by night, at weekends otherwise.

Times are whole microseconds since 1970 in UTC; people live by the offset of their own place.
"""

from datetime import UTC, datetime, timedelta

from chatdb.seeds.dice import Dice, lognormal, running_sums

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
DAYS = 365

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEKDAY = (20, 9, 4, 2, 1, 3, 10, 30, 70, 100, 105, 95, 75, 85, 98, 96, 88, 75, 62, 64, 72, 68, 50)
_WEEKDAY_HOURS = running_sums((*_WEEKDAY, 33))
_WEEKEND = (40, 24, 11, 5, 2, 2, 4, 12, 32, 52, 62, 64, 60, 58, 60, 62, 60, 58, 58, 64, 72, 74, 66)
_WEEKEND_HOURS = running_sums((*_WEEKEND, 52))
_NIGHT = range(1, 6)

_TYPING = lognormal(48.0, 1.1, least=3, most=1_500)
_ANSWERING = lognormal(9.0, 0.7, least=1, most=120)


def time_of(moment: int) -> datetime:
    """Return the moment as an aware time."""
    return _EPOCH + timedelta(0, 0, moment)


def moment_of(time: datetime) -> int:
    """Return the microseconds of an aware time."""
    return (time - _EPOCH) // timedelta(microseconds=1)


class Year:
    """The year before a moment: where conversations begin."""

    def __init__(self, ends: datetime) -> None:
        self.ends = moment_of(ends)
        self._starts = self.ends - DAYS * DAY
        weights = []
        for day in range(DAYS - 1):
            weight = 100 + day * 150 // DAYS
            weights.append(weight if _is_workday(self._starts + day * DAY) else weight * 11 // 20)
        self._days = running_sums(weights)

    def beginning(self, dice: Dice, offset: int) -> int:
        """Return when somebody at this offset from UTC, in microseconds, begins to chat."""
        midnight = self._starts + dice.weighted(self._days) * DAY
        return _at_waking_hour(midnight, dice) - offset


class Hours:
    """The time of one conversation, which only goes forward and never reaches the year's end."""

    __slots__ = ("_dice", "_ends", "_offset", "_pauses", "_random", "now")

    def __init__(self, dice: Dice, now: int, *, ends: int, offset: int, messages: int) -> None:
        self._dice = dice
        self._random = dice.random
        self._ends = ends
        self._offset = offset
        self._pauses = min(0.04, 4 / messages)
        self.now = now

    def write(self) -> int:
        """Let the person read and write, sometimes only after a night or some days."""
        random = self._random
        if random() < self._pauses:
            later = self.now + self._offset + int(random() * random() * 9 + 1) * DAY
            moment = _at_waking_hour(later - later % DAY, self._dice) - self._offset
            return self._go_to(max(moment, self.now + HOUR))
        moment = self.now + int((_TYPING[int(random() * 1024)] + random()) * SECOND)
        local = moment + self._offset
        if (local % DAY) // HOUR in _NIGHT and random() < 0.9:
            moment += 8 * HOUR - local % DAY + int(random() * 2 * HOUR)
        return self._go_to(moment)

    def answer(self) -> int:
        """Let the model answer."""
        seconds = _ANSWERING[int(self._random() * 1024)] + self._random()
        return self._go_to(self.now + int(seconds * SECOND))

    def follow(self) -> int:
        """Let a tool, or the same turn, go on."""
        return self._go_to(self.now + int((0.05 + self._random() * 2) * SECOND))

    def _go_to(self, moment: int) -> int:
        if moment >= self._ends:
            moment = self.now + max(1, (self._ends - self.now) // 64)
        self.now = moment
        return moment


def _is_workday(moment: int) -> bool:
    return (moment // DAY + 3) % 7 < 5


def _at_waking_hour(midnight: int, dice: Dice) -> int:
    hours = _WEEKDAY_HOURS if _is_workday(midnight) else _WEEKEND_HOURS
    return midnight + dice.weighted(hours) * HOUR + int(dice.random() * HOUR)
