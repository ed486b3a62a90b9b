"""Chance that falls the same everywhere."""

import math
import statistics

import pytest

from chatdb.seeds.dice import Dice, lognormal, number_of, running_sums


def test_the_stream_of_a_number_is_the_same_on_every_machine() -> None:
    dice = Dice(number_of("a key"))

    drawn = [dice.below(1_000_000) for _ in range(5)]

    assert number_of("a key") == 190929409975006123078943699937110179079
    assert drawn == [572723, 74228, 188816, 494913, 266585]


def test_a_restarted_stream_begins_anew() -> None:
    dice = Dice(7)
    first = [dice.random() for _ in range(10)]
    dice.restart(8)
    other = [dice.random() for _ in range(10)]
    dice.restart(7)

    assert [dice.random() for _ in range(10)] == first
    assert other != first


def test_numbers_between_reach_both_ends_and_no_further() -> None:
    dice = Dice(1)

    assert {dice.between(3, 6) for _ in range(500)} == {3, 4, 5, 6}
    assert {dice.below(2) for _ in range(100)} == {0, 1}


def test_weights_are_kept() -> None:
    dice = Dice(2)
    sums = running_sums([1, 0, 3])

    drawn = [dice.weighted(sums) for _ in range(4_000)]

    assert 1 not in drawn
    assert 0.7 < drawn.count(2) / len(drawn) < 0.8


def test_shuffling_loses_nothing() -> None:
    items = tuple(range(100))

    shuffled = Dice(3).shuffled(items)

    assert shuffled != items
    assert sorted(shuffled) == list(items)


@pytest.mark.parametrize(("median", "deviation"), [(560.0, 0.85), (48.0, 1.1), (7.7, 0.9)])
def test_lognormal_numbers_have_their_median_and_mean(median: float, deviation: float) -> None:
    numbers = lognormal(median, deviation, least=0, most=1_000_000)

    assert list(numbers) == sorted(numbers)
    assert statistics.median(numbers) == pytest.approx(median, rel=0.1)
    expected = median * math.exp(deviation**2 / 2)
    assert statistics.mean(numbers) == pytest.approx(expected, rel=0.1)


def test_lognormal_numbers_stay_between_their_bounds() -> None:
    numbers = lognormal(10.0, 2.0, least=5, most=50)

    assert (min(numbers), max(numbers)) == (5, 50)
