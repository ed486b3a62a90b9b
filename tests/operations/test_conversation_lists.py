"""Lists of conversations in every order and by every filter, on both databases."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from chatdb.db.database import Database
from chatdb.db.schema import conversations, messages
from chatdb.errors import NotFoundError, UsageError
from chatdb.operations.conversations.lists import (
    SORTS,
    Sort,
    list_page,
    page_statement,
    read_conversation,
)
from chatdb.operations.conversations.metadata_words import condition, object_of
from chatdb.operations.conversations.narrowing import Narrowing, narrowing
from chatdb.operations.searching.public import SearchOptions
from chatdb.primitives.canonical import clean_text
from chatdb.records import organization_id_of
from chatdb.store import paging
from chatdb.store.selecting import ConversationFilter
from tests.operations.conversation_rows import START, add_conversation, add_organization

HOSTILE = (
    "' OR 1=1 --",
    '"; DROP TABLE messages; --',
    "%",
    "_",
    "\\",
    "{}",
    "$.a",
    "a' || 'b",
    ":name %(x)s",
    "\u202e\u0661",
    "\udcff",
)


def add_four(database: Database) -> list[UUID]:
    """Write four conversations that every order puts otherwise."""
    hour = timedelta(hours=1)
    rows: list[tuple[int, str | None, int, Any, Any]] = [
        (1, "beta", 3, START, START + 3 * hour),
        (2, "Alpha", 0, START + hour, None),
        (3, None, 2, START + 2 * hour, START + hour),
        (4, "alpha", 2, START + hour, None),
    ]
    ids = []
    for number, title, amount, updated, accessed in rows:
        identifier = add_conversation(
            database, ["x"] * amount, number=number, updated_at=updated, last_accessed_at=accessed
        )
        ids.append(identifier)
        with database.transaction(write=True) as connection:
            row = sa.update(conversations).where(conversations.c.id == identifier)
            connection.execute(row.values(title=title))
    return ids


def paged(database: Database, sort: Sort, **options: Any) -> Iterator[UUID]:
    """Yield the ids of all pages, two at a time."""
    after = None
    while True:
        page = list_page(
            database, organization_key="default", sort=sort, limit=2, after=after, **options
        )
        yield from (item.id for item in page.items)
        after = page.next_cursor
        if after is None:
            return


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("updated", [3, 4, 2, 1]),
        ("created", [4, 3, 2, 1]),
        ("accessed", [1, 3, 4, 2]),
        ("messages", [1, 4, 3, 2]),
        ("title", [2, 4, 1, 3]),
    ],
)
def test_every_order_has_each_conversation_once_over_pages(
    database: Database, sort: Sort, expected: list[int]
) -> None:
    ids = add_four(database)

    assert list(paged(database, sort)) == [ids[number - 1] for number in expected]
    if sort == "accessed":
        assert list(paged(database, sort, wanted=ConversationFilter(accessed=True))) == [
            ids[0],
            ids[2],
        ]


def test_a_cursor_of_another_order_is_refused(database: Database) -> None:
    add_four(database)
    cursors = {
        sort: list_page(database, organization_key="default", sort=sort, limit=1).next_cursor
        for sort in SORTS
    }

    for sort in SORTS:
        for other, cursor in cursors.items():
            if other != sort:
                with pytest.raises(UsageError, match="not a cursor"):
                    list_page(database, organization_key="default", sort=sort, after=cursor)


def test_filters_narrow_one_another(database: Database) -> None:
    one = add_conversation(
        database, [], number=1, user_id="ann", starred_at=START, source="chatgpt"
    )
    two = add_conversation(database, [], number=2, user_id="ann", metadata={"lang": "de"})
    three = add_conversation(
        database, [], number=3, user_id="bob", starred_at=START, metadata={"lang": "de"}
    )

    def ids(**wanted: Any) -> list[UUID]:
        chosen = ConversationFilter(**wanted)
        page = list_page(database, organization_key="default", wanted=chosen)
        return [item.id for item in page.items]

    german = (condition("lang=de"),)
    assert ids(flags={"starred": True}) == [three, one]
    assert ids(flags={"starred": False}) == [two]
    assert ids(metadata=german) == [three, two]
    assert ids(metadata=german, user_id="ann") == [two]
    assert ids(metadata=german, flags={"starred": True}) == [three]
    assert ids(source="chatgpt") == [one]
    assert ids(user_id="carl") == []


METADATA = {
    "text": "de",
    "number": 5,
    "float": 1.5,
    "yes": True,
    "nothing": None,
    "tags": ["a", "b", 7],
    "a": {"b": {"c": "deep"}, "list": [{"c": "hidden"}]},
    "a.b": "dotted",
    'quo"te': "q",
    "$.a": "path",
    "huge": 10**30,
    "0": "digit",
    "5text": "5",
}


FOUND = (
    ("text=de", True),
    ("text=DE", False),
    ("number=5", True),
    ("number=5.0", True),
    ("number=6", False),
    ("5text=5", True),
    ("float=1.5", True),
    ("yes=true", True),
    ("yes=1", False),
    ("nothing=null", True),
    ("missing=null", False),
    ("tags=b", True),
    ("tags=7", True),
    ("tags=c", False),
    ("a.b.c=deep", True),
    ("a.c=deep", False),
    ("a.list.c=hidden", False),
    ("a=deep", False),
    ('"a.b"=dotted', True),
    ('"$.a"=path', True),
    ("$.a=path", False),
    ("0=digit", True),
    ("tags.0=a", False),
    ("huge=1" + "0" * 30, True),
    ("huge=1" + "0" * 31, False),
    ("huge=1e400", False),
)


def test_metadata_is_found_alike(database: Database) -> None:
    add_conversation(database, [], metadata=METADATA)

    def is_found(text: str) -> bool:
        wanted = ConversationFilter(metadata=(condition(text),))
        return bool(list_page(database, organization_key="default", wanted=wanted).items)

    assert [(text, is_found(text)) for text, _ in FOUND] == list(FOUND)


def test_no_filter_lets_a_text_in_as_sql(database: Database) -> None:
    add_conversation(database, [], number=1, user_id="ann", source="x", metadata={"k": "v"})
    hits = {
        text: add_conversation(database, [], number=number, user_id=clean_text(text)[0])
        for number, text in enumerate(HOSTILE, 2)
    }

    for text in HOSTILE:
        clean = clean_text(text)[0]
        for wanted, expected in (
            (ConversationFilter(user_id=text), {hits[text]}),
            (ConversationFilter(source=text), set()),
            (ConversationFilter(metadata=(condition(f"k={text}"),)), set()),
            (ConversationFilter(metadata=(((clean,), ("v",)),)), set()),
            (ConversationFilter(metadata=(((clean, clean), (clean,)),)), set()),
        ):
            page = list_page(database, organization_key="default", wanted=wanted)
            assert {item.id for item in page.items} == expected
        for name in (text, f"last{text}"):
            with pytest.raises(NotFoundError):
                read_conversation(database, name, organization_key="default")
    with database.transaction() as connection:
        count = connection.scalar(sa.select(sa.func.count()).select_from(conversations))
    assert count == len(HOSTILE) + 1


def test_broken_metadata_of_another_program_is_no_hit(sqlite_url: Any) -> None:
    with Database.open(sqlite_url) as database:
        add_conversation(database, [])
        with database.transaction(write=True) as connection:
            connection.exec_driver_sql("UPDATE conversations SET metadata = 'no json'")

        wanted = ConversationFilter(metadata=(condition("a=b"),))
        with database.transaction() as connection:
            statement = page_statement(organization_id_of("default"), wanted, "updated", None, 5)
            assert connection.execute(statement).all() == []


def test_lists_stay_within_their_organization(database: Database) -> None:
    ours = add_four(database)
    add_organization(database, "acme")
    theirs = add_conversation(database, ["x"], number=9, organization="acme")

    for sort in SORTS:
        assert set(paged(database, sort)) == set(ours)
        page = list_page(database, organization_key="acme", sort=sort, limit=1)
        assert [item.id for item in page.items] == [theirs]
        cursor = list_page(database, organization_key="default", sort=sort, limit=1).next_cursor
        beyond = list_page(database, organization_key="acme", sort=sort, after=cursor)
        assert {item.id for item in beyond.items} <= {theirs}


def test_lists_are_narrowed_by_model_words_of_the_title_and_a_search(database: Database) -> None:
    titles = ["Red car", "A RED Café", None, "red herring", "Blue car", "bicycle"]
    ids = [
        add_conversation(database, [f"said {n}", "needle" if n % 2 else "hay"], number=n)
        for n in range(1, 7)
    ]
    with database.transaction(write=True, settings={"chatdb.bulk": "on"}) as connection:
        for identifier, title in zip(ids, titles, strict=True):
            row = sa.update(conversations).where(conversations.c.id == identifier)
            connection.execute(row.values(title=title))
        by_model = sa.update(messages).where(messages.c.conversation_id == ids[4])
        connection.execute(by_model.values(model="gpt-x"))

    def found(sort: Sort = "updated", **words: Any) -> list[int]:
        options = SearchOptions()
        wanted = narrowing(database, organization_key="default", options=options, **words)
        return [ids.index(each) + 1 for each in paged(database, sort, narrowing=wanted)]

    assert found(title="red") == [4, 2, 1]
    assert found(title="red -herring") == [2, 1]
    assert found(title='cafe OR "blue car"') == [5, 2]
    assert found(query="needle") == [5, 3, 1]
    assert found(query="needle", title="car") == [5, 1]
    assert found(query="absent") == []
    assert found("title", title="car") == [5, 1]
    assert found("accessed", query="hay") == [6, 4, 2]
    others = [UUID(int=number) for number in range(1_000, 3_000)]
    many = Narrowing(ids_within={organization_id_of("default"): [*others, ids[2], ids[4]]})
    assert list(paged(database, "updated", narrowing=many)) == [ids[4], ids[2]]
    assert list(paged(database, "updated", wanted=ConversationFilter(model="gpt-x"))) == [ids[4]]
    assert list(paged(database, "title", wanted=ConversationFilter(model="GPT"))) == []
    for words in ("role:user red", "after:2025 red", "user:ann red", "-red"):
        with pytest.raises(UsageError):
            found(title=words)


@given(texts=st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3), value=st.text())
@settings(max_examples=50)
def test_a_key_of_any_text_can_be_named(texts: list[str], value: str) -> None:
    keys = [text.replace('"', "").replace("\x00", "").strip() or "k" for text in texts]
    keys = [key.encode("utf-8", "replace").decode() for key in keys]
    quoted = ".".join(f'"{key}"' for key in keys)

    path, values = condition(f"{quoted}={value}")

    assert list(path) == keys
    assert len(values) in (1, 2)
    inner: Any = object_of([f"{quoted}=x"])
    for key in keys:
        inner = inner[key]
    assert inner == "x"


@pytest.mark.parametrize("text", ["", "=", "=x", "key", ".=x", "a..b=x", "a.=x", '"a=x'])
def test_what_is_no_key_and_value_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="KEY=VALUE"):
        condition(text)


@given(text=st.text(max_size=200), identifier=st.uuids())
def test_cursors_hold_texts_and_counts(text: str, identifier: UUID) -> None:
    clean = text.encode("utf-8", "replace").decode()

    cursor = paging.cursor_of("title", clean, (identifier,))

    assert paging.read_place("title", cursor, ids=1) == (clean, (identifier,))
    counted = paging.cursor_of("messages", len(text), ())
    assert paging.read_place("messages", counted, ids=0) == (len(text), ())
