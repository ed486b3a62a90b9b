"""How much is seeded, and what each conversation is: decided by numbers alone, never by the past.

A conversation is made of the seed, the date, its place in the plan and its number of messages,
and of nothing else. So equal plans give equal conversations, a longer plan begins with the
conversations of a shorter one, and what is there already is recognised by its id.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from chatdb.errors import UsageError
from chatdb.seeds.dice import lognormal, number_of

VERSION = 1
"""Of what the numbers are turned into; a chatdb that makes other conversations raises it."""


class Size(StrEnum):
    """How much is seeded when no numbers are given."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


CONVERSATIONS = {Size.SMALL: 50, Size.MEDIUM: 2_000, Size.LARGE: 8_000}
UNTIL = date(2026, 11, 1)
"""The day before which everything happened, where none is named; it does not follow the clock."""

MESSAGES_EACH = 12.5
_COUNTS = lognormal(7.7, 0.9, least=2, most=300)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedOptions:
    """What to seed: a size, or numbers of conversations and messages; where, and until when.

    Without `organization_key` it goes to the organizations of the demonstration.
    """

    size: Size = Size.SMALL
    conversations: int | None = None
    messages: int | None = None
    seed: int = 42
    until: date = UNTIL
    organization_key: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """One conversation to make: its place, its number of messages, its source's words for it.

    `number` has 128 bits that belong to it alone.
    """

    place: int
    messages: int
    set_name: str
    source_id: str
    number: int

    @property
    def digest(self) -> str:
        """What stands in `source_hash`."""
        return f"{self.number:032x}"


class SeedPlan:
    """The conversations of a run, in order; raises UsageError for numbers that cannot be."""

    def __init__(self, options: SeedOptions) -> None:
        _check(options)
        self.conversations, self._messages = _amounts(options)
        self.ends = datetime(options.until.year, options.until.month, options.until.day, tzinfo=UTC)
        self.set_name = f"seed {options.seed}, version {VERSION}, until {options.until}"

    def planned(self, *, wanted: Callable[[int], bool]) -> Iterator[Planned]:
        """Yield the conversations whose place is wanted, from the first to the last."""
        name = self.set_name
        for place, messages in self._counts(wanted):
            source_id = f"{place}.{messages}"
            yield Planned(place, messages, name, source_id, number_of(f"{name}: {source_id}"))

    def _counts(self, wanted: Callable[[int], bool]) -> Iterator[tuple[int, int]]:
        """Yield places and messages; these are shared out exactly where their sum is given."""
        places = range(self.conversations)
        if self._messages is None:
            yield from ((place, self._weight(place)) for place in places if wanted(place))
            return
        total = sum(map(self._weight, places))
        to_share = self._messages - self.conversations
        before = shared = 0
        for place in places:
            before += self._weight(place)
            upto = to_share * before // total
            if wanted(place):
                yield place, 1 + upto - shared
            shared = upto

    def _weight(self, place: int) -> int:
        number = number_of(f"{self.set_name}: {place}")
        return _COUNTS[number % len(_COUNTS)] + (500 if place % 500 == 77 else 0)


def _check(options: SeedOptions) -> None:
    for name in ("conversations", "messages"):
        amount = getattr(options, name)
        if amount is not None and amount < 1:
            raise UsageError(f"the number of {name} must be at least 1")
    if not 1971 <= options.until.year <= 2999:
        raise UsageError(f"{options.until} is no day to seed until", hint="use 1971 to 2999")


def _amounts(options: SeedOptions) -> tuple[int, int | None]:
    """Return how many conversations and, where it is to be exact, how many messages."""
    if options.conversations is None and options.messages is None:
        return CONVERSATIONS[options.size], None
    if options.conversations is None:
        messages = options.messages or 0
        return max(1, int(messages / MESSAGES_EACH)), messages
    if options.messages is not None and options.messages < options.conversations:
        raise UsageError(
            f"{options.messages} messages are too few for {options.conversations} conversations",
            hint="every conversation has at least one message",
        )
    return options.conversations, options.messages
