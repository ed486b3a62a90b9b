"""Which backups stay: what each rule keeps, and what no rule may take away."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.backups.retention import (
    BackupState,
    RetentionDecision,
    RetentionPolicy,
    plan_retention,
)

NOW = datetime(2026, 11, 25, 2, 30, tzinfo=UTC)


def nightly(count: int, **fields: object) -> list[BackupState]:
    """Return a backup of each of the last nights, the newest first."""
    return [
        BackupState(
            name=f"night-{number}",
            series="chat",
            created_at=NOW - timedelta(days=number),
            **fields,  # type: ignore[arg-type]
        )
        for number in range(count)
    ]


def kept(decisions: list[RetentionDecision]) -> list[str]:
    """Return the names of what stays by a rule."""
    return [each.backup.name for each in decisions if each.action == "keep"]


def removed(decisions: list[RetentionDecision]) -> set[str]:
    """Return the names of what goes."""
    return {each.backup.name for each in decisions if each.action == "remove"}


STATES = st.lists(
    st.builds(
        BackupState,
        name=st.uuids().map(str),
        series=st.sampled_from(["chat", "chat schema-only", "other"]),
        created_at=st.integers(0, 400 * 24).map(lambda hours: NOW - timedelta(hours=hours)),
        verified=st.booleans(),
        unusable=st.sampled_from([None, None, None, "damaged"]),
    ),
    max_size=40,
    unique_by=lambda state: state.name,
)
POLICIES = st.builds(
    RetentionPolicy,
    last=st.integers(0, 5),
    daily=st.integers(0, 5),
    weekly=st.integers(0, 5),
    monthly=st.integers(0, 5),
)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (RetentionPolicy(last=3), [0, 1, 2]),
        (RetentionPolicy(daily=2), [0, 1]),
        (RetentionPolicy(weekly=3), [0, 3, 10]),
        (RetentionPolicy(monthly=3), [0, 25, 56]),
        (RetentionPolicy(last=1, daily=2, weekly=2, monthly=2), [0, 1, 3, 25]),
        (RetentionPolicy(), [0]),
    ],
    ids=["last", "daily", "weekly: the sundays", "monthly: the last days", "all", "no rule"],
)
def test_each_rule_keeps_the_newest_of_its_periods(
    policy: RetentionPolicy, expected: list[int]
) -> None:
    assert kept(plan_retention(nightly(90), policy)) == [f"night-{n}" for n in expected]


def test_a_day_without_a_backup_takes_no_place() -> None:
    states = [state for state in nightly(30) if state.name in ("night-9", "night-20", "night-29")]

    assert kept(plan_retention(states, RetentionPolicy(daily=2))) == ["night-9", "night-20"]


def test_of_several_on_one_day_the_last_stays() -> None:
    states = [
        BackupState(name=f"at-{hour}", series="chat", created_at=NOW.replace(hour=hour))
        for hour in (3, 23, 11)
    ]

    assert kept(plan_retention(states, RetentionPolicy(daily=5))) == ["at-23"]


def test_the_weeks_of_a_new_year_are_not_those_of_the_old() -> None:
    days = [datetime(2025, 12, 31, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]
    states = [BackupState(name=f"{day:%d}", series="chat", created_at=day) for day in days]

    assert kept(plan_retention(states, RetentionPolicy(weekly=5))) == ["01"]
    assert kept(plan_retention(states, RetentionPolicy(monthly=5))) == ["01", "31"]


def test_a_broken_backup_takes_no_place_and_is_left_for_a_person() -> None:
    broken, *whole = nightly(4)
    broken = BackupState(
        name=broken.name, series="chat", created_at=broken.created_at, unusable="damaged"
    )

    decisions = plan_retention([broken, *whole], RetentionPolicy(last=2))

    assert kept(decisions) == ["night-1", "night-2"]
    assert [each.reasons for each in decisions if each.action == "leave"] == [("damaged",)]
    assert removed(decisions) == {"night-3"}


def test_the_only_verified_one_stays_however_old() -> None:
    *newer, old = nightly(50)
    old = BackupState(name=old.name, series="chat", created_at=old.created_at, verified=True)

    decisions = plan_retention([*newer, old], RetentionPolicy(last=1))

    assert kept(decisions) == ["night-0", "night-49"]
    assert decisions[-1].reasons == ("the newest verified one",)


@given(states=STATES, policy=POLICIES)
def test_nothing_precious_goes(states: list[BackupState], policy: RetentionPolicy) -> None:
    decisions = plan_retention(states, policy)
    gone = removed(decisions)

    assert sorted(each.backup.name for each in decisions) == sorted(each.name for each in states)
    assert all(each.reasons for each in decisions)
    for series in {state.series for state in states}:
        usable = [each for each in states if each.series == series and each.unusable is None]
        usable.sort(key=lambda each: (each.created_at, each.name))
        verified = [each for each in usable if each.verified]
        assert all(each[-1].name not in gone for each in (usable, verified) if each)
        assert not gone & {each.name for each in states if each.unusable}


@given(states=STATES, policy=POLICIES)
def test_what_stays_is_no_more_than_the_rules_allow(
    states: list[BackupState], policy: RetentionPolicy
) -> None:
    names: dict[str, list[str]] = {state.series: [] for state in states}
    for each in plan_retention(states, policy):
        if each.action == "keep":
            names[each.backup.series].append(each.backup.name)

    most = policy.last + policy.daily + policy.weekly + policy.monthly
    assert all(len(kept_ones) <= most + 2 for kept_ones in names.values())


@given(states=STATES, policy=POLICIES)
def test_pruning_again_removes_nothing(states: list[BackupState], policy: RetentionPolicy) -> None:
    gone = removed(plan_retention(states, policy))
    left = [state for state in states if state.name not in gone]

    assert removed(plan_retention(left, policy)) == set()


@given(states=STATES, policy=POLICIES, more=POLICIES)
def test_a_larger_number_keeps_no_less(
    states: list[BackupState], policy: RetentionPolicy, more: RetentionPolicy
) -> None:
    larger = RetentionPolicy(
        last=policy.last + more.last,
        daily=policy.daily + more.daily,
        weekly=policy.weekly + more.weekly,
        monthly=policy.monthly + more.monthly,
    )

    assert removed(plan_retention(states, larger)) <= removed(plan_retention(states, policy))


@given(states=STATES, policy=POLICIES)
def test_one_series_does_not_touch_another(
    states: list[BackupState], policy: RetentionPolicy
) -> None:
    alone = [state for state in states if state.series == "chat"]

    together = (
        [each for each in plan_retention(states, policy) if each.backup.series == alone[0].series]
        if alone
        else []
    )

    assert together == plan_retention(alone, policy)
