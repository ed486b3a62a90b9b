"""How much is seeded: sizes, exact numbers, plans that grow."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.errors import UsageError
from chatdb.seeds.plan import Planned, SeedOptions, SeedPlan, Size


def planned(**options: object) -> list[Planned]:
    """Return the whole plan."""
    plan = SeedPlan(SeedOptions(**options))  # type: ignore[arg-type]
    return list(plan.planned(wanted=lambda _: True))


@pytest.mark.parametrize(
    ("size", "conversations", "messages"),
    [(Size.SMALL, 50, 600), (Size.MEDIUM, 2_000, 25_000), (Size.LARGE, 8_000, 100_000)],
)
def test_a_size_is_what_the_help_says(size: Size, conversations: int, messages: int) -> None:
    plan = planned(size=size)

    assert len(plan) == conversations
    assert sum(each.messages for each in plan) == pytest.approx(messages, rel=0.1)


@pytest.mark.parametrize("seed", [0, 1, -3, 10**30])
def test_large_has_a_hundred_thousand_messages_whatever_the_seed(seed: int) -> None:
    plan = planned(size=Size.LARGE, seed=seed)

    assert sum(each.messages for each in plan) == pytest.approx(100_000, rel=0.03)


def test_a_longer_plan_begins_with_the_shorter_one() -> None:
    assert planned(conversations=300)[:50] == planned(size=Size.SMALL)


@given(st.data(), st.integers(1, 400))
def test_messages_are_shared_out_exactly(data: st.DataObject, conversations: int) -> None:
    messages = data.draw(st.integers(conversations, 50 * conversations))

    plan = planned(conversations=conversations, messages=messages)

    assert [each.place for each in plan] == list(range(conversations))
    assert sum(each.messages for each in plan) == messages
    assert min(each.messages for each in plan) >= 1


def test_messages_alone_bring_as_many_conversations_as_usual() -> None:
    plan = planned(messages=1_000)

    assert len(plan) == 80
    assert sum(each.messages for each in plan) == 1_000


@given(st.integers(1, 60), st.integers(60, 900))
def test_a_share_of_the_plan_is_the_same_as_in_the_whole(count: int, messages: int) -> None:
    options = SeedOptions(conversations=count, messages=messages)
    whole = list(SeedPlan(options).planned(wanted=lambda _: True))

    share = list(SeedPlan(options).planned(wanted=lambda place: place % 3 == 1))

    assert share == whole[1::3]


def test_another_seed_day_or_length_makes_other_conversations() -> None:
    plans = [
        planned(conversations=20),
        planned(conversations=20, seed=43),
        planned(conversations=20, until=date(2026, 11, 2)),
    ]

    numbers = {each.number for plan in plans for each in plan}

    assert len(numbers) == 60


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"conversations": 0}, "conversations must be at least 1"),
        ({"messages": -1}, "messages must be at least 1"),
        ({"conversations": 5, "messages": 4}, "4 messages are too few for 5"),
        ({"until": date(1970, 5, 1)}, "no day to seed until"),
        ({"until": date(9999, 12, 31)}, "no day to seed until"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(options: dict[str, object], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        SeedPlan(SeedOptions(**options))  # type: ignore[arg-type]
