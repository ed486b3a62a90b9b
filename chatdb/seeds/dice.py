"""Chance that falls the same everywhere: on every machine, Python and day.

Of Python's generator only `seed(int)` and `random()` are promised to stay the same; everything
else is made of them by additions, multiplications and whole numbers, whose results do not
depend on the machine's mathematical library either.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from random import Random
from typing import TypeVar

Item = TypeVar("Item")

_NORMAL = (
    (0.5, 0.0),
    (0.6, 0.253),
    (0.7, 0.524),
    (0.8, 0.842),
    (0.9, 1.282),
    (0.95, 1.645),
    (0.98, 2.054),
    (0.99, 2.326),
    (0.995, 2.576),
    (0.999, 3.09),
    (1.0, 3.7),
)
"""Points of the normal distribution: a share, and below how many deviations it lies."""

_STEPS = 1024


class Dice:
    """A stream of chances that begins anew with `restart`; `random` gives numbers from 0 to 1."""

    __slots__ = ("_source", "random")

    def __init__(self, number: int = 0) -> None:
        self._source = Random(number)  # noqa: S311 - it must be foreseeable
        self.random = self._source.random

    def restart(self, number: int) -> None:
        """Begin the stream that belongs to a whole number."""
        self._source.seed(number)

    def below(self, limit: int) -> int:
        """Return a whole number from 0 to below the limit."""
        return int(self.random() * limit)

    def between(self, lowest: int, highest: int) -> int:
        """Return a whole number from the lowest to the highest, both included."""
        return lowest + int(self.random() * (highest - lowest + 1))

    def chance(self, share: float) -> bool:
        """Tell whether something happens that happens in this share of cases."""
        return self.random() < share

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of the items."""
        return items[int(self.random() * len(items))]

    def shuffled(self, items: Sequence[Item]) -> tuple[Item, ...]:
        """Return the items in another order."""
        mixed = list(items)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.below(last + 1)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return tuple(mixed)

    def weighted(self, sums: Sequence[int]) -> int:
        """Return an index by running sums of weights; the last sum is the total."""
        return bisect_right(sums, int(self.random() * sums[-1]))


def number_of(key: str) -> int:
    """Return a number of 128 bits that belongs to a text."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")


def lognormal(median: float, deviation: float, *, least: int, most: int) -> tuple[int, ...]:
    """Return equally likely whole numbers that are lognormally distributed, in rising order."""
    values = (
        median * _exponential(deviation * _deviations((step + 0.5) / _STEPS))
        for step in range(_STEPS)
    )
    return tuple(min(most, max(least, int(value))) for value in values)


def running_sums(weights: Sequence[int]) -> tuple[int, ...]:
    """Return the sums that `Dice.weighted` asks for."""
    total = 0
    sums = []
    for weight in weights:
        total += weight
        sums.append(total)
    return tuple(sums)


def _deviations(share: float) -> float:
    if share < 0.5:
        return -_deviations(1.0 - share)
    below = _NORMAL[0]
    for above in _NORMAL[1:]:
        if share <= above[0]:
            part = (share - below[0]) / (above[0] - below[0])
            return below[1] + part * (above[1] - below[1])
        below = above
    return below[1]


def _exponential(exponent: float) -> float:
    """Return e to the power of the exponent, near enough, by squaring alone."""
    value = 1.0 + exponent / 65536
    for _ in range(16):
        value *= value
    return value
