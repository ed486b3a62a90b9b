"""Whose conversations are that name an organization, in whatever order they come."""

from collections.abc import Iterable
from dataclasses import replace
from uuid import UUID

import pytest

from chatdb.formats.base import Skipped
from chatdb.formats.unread import Unread
from chatdb.operations.importing.organizations import SET_ASIDE, ByOrganization, NamedOrganizations
from chatdb.operations.importing.report import FileReport
from chatdb.records import Conversation, Organization, organization_id_of
from chatdb.store.batches import MAX_SIZE, Arrival
from tests.operations.importing import START


def record(number: int, key: str | None, name: str | None = None) -> Conversation:
    return Conversation(
        id=UUID(int=number),
        organization=key,
        organization_name=name,
        created_at=START,
        updated_at=START,
    )


def arrival(number: int, key: str | None) -> Arrival:
    if key is None:
        return Arrival(record(number, None))
    organization = Organization(id=organization_id_of(key), key=key, name=key, created_at=START)
    return Arrival(record(number, None), organization=organization)


def runs(arrivals: Iterable[Arrival]) -> list[tuple[str | None, list[int]]]:
    """Return the runs: whose each is, and the numbers of its conversations."""
    by = ByOrganization(iter(arrivals))
    found = []
    for organization, own in by.runs():
        numbers = [
            each.record.id.int if isinstance(each.record, Conversation) else -1 for each in own
        ]
        found.append((None if organization is None else organization.key, numbers))
    assert by.is_over
    return found


def test_a_few_that_are_mixed_make_one_run_for_each_organization() -> None:
    keys = ["a", "b", None, "a", "c", "b", None, "a"]

    found = runs(arrival(number, key) for number, key in enumerate(keys))

    assert found == [("a", [0, 3, 7]), ("b", [1, 5]), (None, [2, 6]), ("c", [4])]


def test_many_that_stand_in_order_make_one_run_for_each_organization() -> None:
    amount = 3 * SET_ASIDE
    found = runs(arrival(number, "ab"[number // amount]) for number in range(2 * amount))

    assert [(key, len(numbers)) for key, numbers in found] == [("a", amount), ("b", amount)]


def test_many_that_are_mixed_keep_their_order_and_do_not_pile_up() -> None:
    amount = 5 * SET_ASIDE
    waiting = 0

    def arrivals() -> Iterable[Arrival]:
        nonlocal waiting
        for number in range(amount):
            waiting = max(waiting, number - taken)
            yield arrival(number, "abc"[number % 3])

    taken = 0
    by = ByOrganization(iter(arrivals()))
    seen: dict[str | None, list[int]] = {}
    for organization, own in by.runs():
        for each in own:
            taken += 1
            assert isinstance(each.record, Conversation)
            key = None if organization is None else organization.key
            seen.setdefault(key, []).append(each.record.id.int)
    assert seen == {key: list(range(place, amount, 3)) for place, key in enumerate("abc")}
    assert waiting <= SET_ASIDE


def test_large_ones_that_are_not_decoded_do_not_pile_up_either() -> None:
    taken = waiting = 0
    large = bytes(MAX_SIZE // 4)

    def arrivals() -> Iterable[Arrival]:
        nonlocal waiting
        for number in range(40):
            waiting = max(waiting, number - taken)
            unread = Unread(UUID(int=number), None, large, None, lambda _: [])
            yield replace(arrival(number, "ab"[number % 2]), record=unread)

    for _, own in ByOrganization(iter(arrivals())).runs():
        for _ in own:
            taken += 1

    assert taken == 40
    assert waiting <= 8


def test_what_could_not_be_read_goes_with_what_came_before_it() -> None:
    bad = Arrival(Skipped("line 2", "not JSON"))

    assert runs([arrival(1, "a"), bad, arrival(2, "b")]) == [("a", [1, -1]), ("b", [2])]
    assert runs([bad]) == [(None, [-1])]
    assert runs([]) == [(None, [])]


def test_a_record_goes_to_the_organization_that_it_names() -> None:
    named = NamedOrganizations(keep=True)
    report = FileReport(path="x")

    first = named.arrival(record(1, "acme", "Acme Ltd."), 0, report, hashed=False)
    second = named.arrival(record(2, None), 0, report, hashed=False)

    assert first.organization is not None
    assert (first.organization.key, first.organization.name) == ("acme", "Acme Ltd.")
    assert first.organization.id == organization_id_of("acme")
    assert isinstance(first.record, Conversation)
    assert (first.record.organization, first.record.organization_name) == (None, None)
    assert second.organization is None
    assert report.organizations == {"acme": 1}


@pytest.mark.parametrize("key", ["", " x", "a\nb", "x" * 201])
def test_a_key_that_none_can_have_is_skipped_and_named(key: str) -> None:
    for keep in (True, False):
        named = NamedOrganizations(keep=keep)
        found = named.arrival(record(1, key), 0, FileReport(path="x"), hashed=False)

        assert isinstance(found.record, Skipped)
        assert "organization" in found.record.reason or "characters" in found.record.reason


def test_two_organizations_conversations_of_one_id_are_not_mixed_in_one() -> None:
    named = NamedOrganizations(keep=False)
    report = FileReport(path="x")

    found = [
        named.arrival(record(number, key), 0, report, hashed=False).record
        for number, key in [(1, "a"), (2, "a"), (1, "a"), (3, "b"), (2, "b"), (3, "b"), (3, "a")]
    ]

    assert [isinstance(each, Skipped) for each in found] == [
        *(False, False, False, False, True, False, True)
    ]
    assert report.organizations == {"a": 4, "b": 3}


def test_ids_that_are_alike_are_not_taken_for_one() -> None:
    named = NamedOrganizations(keep=False)
    report = FileReport(path="x")
    alike = [n << 64 for n in range(500)] + [(0x70 << 120) + n for n in range(500)]

    found = [
        named.arrival(record(number, "ab"[place % 2]), 0, report, hashed=False).record
        for place, number in enumerate(alike)
    ]

    assert not any(isinstance(each, Skipped) for each in found)
