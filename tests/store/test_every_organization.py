"""Lists, searches, names and exports of every organization at once, alike on both databases."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from chatdb.db.database import Database
from chatdb.errors import NotFoundError, UsageError
from chatdb.operations.conversations import lists as conversations
from chatdb.operations.conversations.lists import SORTS, Sort
from chatdb.operations.exporting.exports import (
    find_within,
    read_conversations,
)
from chatdb.operations.organizations import users
from chatdb.operations.searching import search
from chatdb.operations.searching.search import SearchOptions
from chatdb.records import organization_id_of
from chatdb.store import every_organization
from chatdb.store.every_organization import EVERY, Holder
from chatdb.store.lines import native_lines, whole_lines
from chatdb.store.naming import find_conversation
from chatdb.store.selecting import ConversationFilter, count_conversations
from tests.operations.conversation_rows import START, add_conversation, add_organization

KEYS = ("acme", "globex", "initech")
TWIN = UUID(int=0x77 << 120)
"""A conversation that two organizations have, with one id and one time."""

Owned = tuple[str, UUID]


@pytest.fixture
def filled(database: Database) -> Database:
    """Three organizations and the empty default one; times lie between one another's."""
    for place, key in enumerate(KEYS):
        add_organization(database, key)
        for number in range(1, 5):
            add_conversation(
                database,
                [f"needle {key} {number}", "needle again"],
                number=10 * number + place,
                organization=key,
                title=f"{'cab'[number % 3]} title {number}",
                user_id=f"user{number % 2}",
                last_accessed_at=START + timedelta(days=number) if number % 2 else None,
            )
    for key in KEYS[:2]:
        add_conversation(database, ["needle of twins"], number=25, organization=key, id=TWIN)
    return database


def pages(
    read: Callable[[str | None], Any], items: str, next_name: str
) -> Iterator[tuple[str, Any]]:
    """Yield what the pages hold, each with its organization."""
    cursor: str | None = None
    for _ in range(100):
        page = read(cursor)
        yield from zip(page.organizations, getattr(page, items), strict=True)
        cursor = getattr(page, next_name)
        if cursor is None:
            return
    raise AssertionError("the list has no end")


def of_each(database: Database, sort: Sort) -> set[Owned]:
    return {
        (key, item.id)
        for key in KEYS
        for item in conversations.list_page(database, organization_key=key, sort=sort).items
    }


@pytest.mark.large
@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("limit", [1, 3, 50])
def test_a_list_of_all_has_everything_once_in_one_order(
    filled: Database, sort: Sort, limit: int
) -> None:
    def read(cursor: str | None) -> Any:
        return conversations.list_page(
            filled, organization_key=EVERY, limit=limit, after=cursor, sort=sort
        )

    found = list(pages(read, "items", "next_cursor"))

    owned = [(key, item.id) for key, item in found]
    assert len(owned) == len(set(owned))
    assert set(owned) == of_each(filled, sort)
    if sort in ("updated", "created"):
        times = [(getattr(item, f"{sort}_at"), item.id) for _, item in found]
        assert times == sorted(times, reverse=True)
    if sort == "title":
        titles = [(item.title or "").lower() for _, item in found]
        assert titles == sorted(titles)


def test_a_list_of_all_keeps_to_its_conditions(filled: Database) -> None:
    wanted = ConversationFilter(user_id="user1", since=START + timedelta(days=20))

    page = conversations.list_page(filled, organization_key=EVERY, wanted=wanted)

    assert {item.user_id for item in page.items} == {"user1"}
    assert page.organizations is not None
    assert sorted(page.organizations) == list(KEYS)


def test_the_cursor_of_one_list_is_none_of_the_other(filled: Database) -> None:
    own = conversations.list_page(filled, organization_key="acme", limit=1).next_cursor
    every = conversations.list_page(filled, organization_key=EVERY, limit=1).next_cursor

    assert own is not None
    assert every is not None
    with pytest.raises(UsageError, match="not a cursor of this list"):
        conversations.list_page(filled, organization_key=EVERY, after=own)
    with pytest.raises(UsageError, match="not a cursor of this list"):
        conversations.list_page(filled, organization_key="acme", after=every)


@pytest.mark.large
@pytest.mark.parametrize("words", ["needle", "in:title title", "needle -again user:user1"])
@pytest.mark.parametrize("limit", [1, 4, 100])
def test_a_search_of_all_finds_what_searches_of_each_find(
    filled: Database, words: str, limit: int
) -> None:
    def read(cursor: str | None) -> Any:
        options = SearchOptions(limit=limit, after=cursor)
        return search.search(filled, words, organization_key=EVERY, options=options)

    found = list(pages(read, "hits", "next_cursor"))

    def key_of(key: str, hit: Any) -> tuple[Any, ...]:
        return key, hit.conversation_id, hit.message_id

    options = SearchOptions(limit=100)
    expected = {
        key_of(key, hit)
        for key in KEYS
        for hit in search.search(filled, words, organization_key=key, options=options).hits
    }
    assert [key_of(*pair) for pair in found] == list(dict.fromkeys(key_of(*p) for p in found))
    assert {key_of(*pair) for pair in found} == expected
    times = [hit.created_at for _, hit in found]
    assert times == sorted(times, reverse=True)


@pytest.mark.parametrize("words", ["needle twins", "in:title title"])
def test_ranked_hits_of_all_have_their_organizations(filled: Database, words: str) -> None:
    options = SearchOptions(limit=50, rank=True)

    page = search.search(filled, words, organization_key=EVERY, options=options)

    assert page.organizations is not None
    assert len(page.organizations) == len(page.hits) > 0
    scores = [hit.score or 0 for hit in page.hits]
    assert scores == sorted(scores, reverse=True)
    for key, hit in zip(page.organizations, page.hits, strict=True):
        own = search.search(filled, words, organization_key=key, options=options).hits
        assert hit.conversation_id in {each.conversation_id for each in own}


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_users_of_all_come_by_organization(filled: Database, limit: int) -> None:
    def read(cursor: str | None) -> Any:
        return users.list_page(filled, organization_key=EVERY, limit=limit, after=cursor)

    found = [(key, item.user_id) for key, item in pages(read, "items", "next_user")]

    named = [(key, user) for key in KEYS for user in ("user0", "user1")]
    assert found == [
        *(*named[0:2], ("acme", None), *named[2:4], ("globex", None), *named[4:6]),
    ]
    with pytest.raises(UsageError, match="not a cursor"):
        users.list_page(filled, organization_key=EVERY, after="user0")


def test_a_user_of_two_organizations_is_shown_for_each(filled: Database) -> None:
    found = users.show_everywhere(filled, "user1")

    assert sorted(each.key for each, _ in found) == list(KEYS)
    assert [details.conversations for _, details in found] == [2, 2, 2]
    with pytest.raises(NotFoundError):
        users.show_everywhere(filled, "nobody")


def test_an_id_is_found_wherever_it_is(filled: Database) -> None:
    identifier = conversations.list_page(filled, organization_key="globex").items[-1].id

    for text in (str(identifier), identifier.hex[-12:], str(identifier).upper()):
        found = find_conversation(filled, text, organization_key=EVERY)
        assert (found.organization.key, found.id) == ("globex", identifier)
    last = find_conversation(filled, "last", organization_key=EVERY)
    newest = conversations.list_page(filled, organization_key=EVERY, limit=1)
    assert newest.organizations == (last.organization.key,)
    assert newest.items[0].id == last.id
    record = conversations.read_conversation(filled, str(identifier), organization_key=EVERY)
    assert (record.organization, record.organization_name) == ("globex", None)


def test_an_id_that_two_organizations_have_is_named_with_both(filled: Database) -> None:
    with pytest.raises(
        UsageError, match=f"{TWIN} in acme, .*{TWIN} in globex|globex.*acme"
    ) as told:
        find_conversation(filled, str(TWIN), organization_key=EVERY)

    assert told.value.hint is not None
    assert "--org" in told.value.hint
    with pytest.raises(UsageError, match="too short"):
        find_conversation(filled, "123", organization_key=EVERY)
    for text in ("last", str(TWIN)):
        with pytest.raises(NotFoundError):
            find_conversation(filled, text, organization_key=EVERY, user_id="nobody")


def test_an_export_of_all_goes_from_organization_to_organization(filled: Database) -> None:
    pieces = native_lines(filled, ConversationFilter(), organization_key=EVERY, labelled=True)

    lines = list(whole_lines(pieces))

    in_order = sorted(KEYS, key=organization_id_of)
    expected = [
        line
        for key in in_order
        for line in whole_lines(
            native_lines(filled, ConversationFilter(), organization_key=key, labelled=True)
        )
    ]
    assert lines == expected
    assert len(lines) == count_conversations(filled, ConversationFilter(), organization_key=EVERY)
    records = list(
        read_conversations(filled, ConversationFilter(), organization_key=EVERY, labelled=True)
    )
    assert list(dict.fromkeys(record.organization for record in records)) == in_order


def test_an_export_of_named_ones_takes_each_from_its_own(filled: Database) -> None:
    wanted = {organization_id_of("globex"): [TWIN]}

    records = list(
        read_conversations(
            filled,
            ConversationFilter(),
            organization_key=EVERY,
            ids_within=wanted,
            labelled=True,
        )
    )

    assert [(each.organization, each.id) for each in records] == [("globex", TWIN)]
    own = find_within(filled, [str(TWIN)], organization_key="acme")
    assert own == {organization_id_of("acme"): [TWIN]}


def test_others_that_have_conversations_are_named_with_counts(filled: Database) -> None:
    for number in range(4):
        add_organization(filled, f"more{number}")
        add_conversation(filled, ["x"], number=90 + number, organization=f"more{number}")
    add_organization(filled, "vacant")

    held = every_organization.other_holders(filled, "acme")

    assert held[:2] == (
        Holder(key="globex", conversations=5, more=False),
        Holder(key="initech", conversations=4, more=False),
    )
    assert len(held) == every_organization.NAMED + 1
    assert every_organization.empty_organizations(filled, but="default") == ("vacant",)


def test_a_rare_word_is_found_in_one_of_many_organizations(database: Database) -> None:
    for number in range(15):
        key = f"tenant{number}"
        add_organization(database, key)
        words = "sesame street" if number in (0, 3) else "street"
        add_conversation(database, [words, "the sesame is hidden"], number=number, organization=key)

    def keys_of(words: str, **options: Any) -> list[str]:
        chosen = SearchOptions(**options)
        page = search.search(database, words, organization_key=EVERY, options=chosen)
        return list(page.organizations or ())

    assert keys_of('"sesame street"') == ["tenant3", "tenant0"]
    assert keys_of("street -sesame", limit=100) == [
        f"tenant{number}" for number in range(14, -1, -1) if number not in (0, 3)
    ]
    assert keys_of("role:user", limit=100) == [f"tenant{number}" for number in range(14, -1, -1)]
    assert keys_of("nowhere") == []
    raw = "sesame & street" if database.url.path is None else "sesame AND street"
    assert keys_of(raw, raw=True) == ["tenant3", "tenant0"]
