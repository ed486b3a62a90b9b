"""Searching messages and titles: the same answers from both databases."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.schema import messages, settings
from chatdb.errors import DatabaseFailedError, NotFoundError, UsageError
from chatdb.operations.searching.search import SearchOptions, SearchPage, search
from chatdb.records import organization_id_of
from tests.operations.conversation_rows import (
    START,
    add_conversation,
    add_organization,
    change_message,
    message_id,
)
from tests.postgres_server import PostgresServer

TEXTS = (
    "a multi-agent system on Ubuntu 20.04; it's fast",
    "mail foo@bar.com about C++ and x² or ½",
    "see https://docs.example.com/api/v2?page=1#top",
    "the Café naïve ÜBER Straße",
    "open /usr/local/bin/python3 or C:\\Users\\ann",
    "snake_case and CamelCase and kebab-case",
    "机器学习 is 学习; スキー; สวัสดีชาวโลก",
    "shipped 🎉 at 10:30, -5 degrees, +1 & <b>bold</b> &amp; done",
    "“quoted” words—with dashes… and 8e3fd12 1e5",
    "привет мир हिन्दी 한국어를 עברית",
    "a system of one multi agent",
)

ALIKE: dict[str, set[int]] = {
    "multi-agent": {0, 10},
    '"multi agent"': {0, 10},
    "multi agent": {0, 10},
    "agent system": {0, 10},
    '"agent system"': {0},
    "20.04": {0},
    "20": {0},
    "it's": {0},
    "MULTI": {0, 10},
    "foo@bar.com": {1},
    "bar": {1},
    "c++": {1, 4},
    "x²": {1},
    "½": {1},
    "https://docs.example.com/api": {2},
    "example": {2},
    "example.com": {2},
    "top": {2},
    "api/v2": {2},
    "cafe": {3},
    "café": {3},
    "CAFÉ": {3},
    "naive": {3},
    "uber": {3},
    "über": {3},
    "straße": {3},
    "strasse": {3},
    "python3": {4},
    "/usr/local": {4},
    "local/bin": {4},
    "users\\ann": {4},
    "snake": {5},
    "snake_case": {5},
    "case": {5},
    "camelcase": {5},
    "camel": set(),
    "camel*": {5},
    "kebab-case": {5},
    "学习": {6},
    "机器学习": {6},
    "习": {6},
    "スキー": {6},
    "สวัสดี": {6},
    "学习 is": {6},
    "学习 nowhere": set(),
    "🎉": {7},
    "10:30": {7},
    "5 degrees": {7},
    "bold": {7},
    "<b>bold</b>": {7},
    "b": {7},
    "amp": {7},
    "quoted": {8},
    "words with": {8},
    '"words with"': {8},
    "8e3fd12": {8},
    "8e3fd*": {8},
    "1e5": {8},
    "привет": {9},
    "ПРИВЕТ": {9},
    "हिन्दी": {9},
    "한국어를": {9},
    "한국어*": {9},
    "한국어": set(),
    "עברית": {9},
    "system -multi": set(),
    "multi -ubuntu": {10},
    'agent -"multi-agent system"': {10},
    "ubuntu OR snake": {0, 5},
    "ubuntu OR 学习": {0, 6},
    "system ubuntu OR one": {0, 10},
    "is -学习": set(),
    "学习 -case": {6},
    "system kind:chat -source:chatgpt -model:gpt-4o -is:starred -has:tool": {0, 10},
}


@pytest.fixture
def library(database: Database) -> Database:
    add_conversation(database, TEXTS)
    return database


def look(database: Database, text: str, **options: Any) -> SearchPage:
    wanted = SearchOptions(**options)
    return search(database, text, organization_key="default", options=wanted)


def positions(page: SearchPage, *, number: int = 1) -> list[int]:
    found = [hit.message_id for hit in page.hits]
    return [each.int - number * 1_000_000 for each in found if each is not None]


def test_both_databases_give_the_same_hits(library: Database) -> None:
    found = {text: set(positions(look(library, text))) for text in ALIKE}

    assert found == ALIKE


@pytest.mark.large
def test_without_the_index_the_hits_are_the_same(library: Database) -> None:
    with library.transaction(write=True) as connection:
        connection.execute(sa.insert(settings).values(key="search_index", value="off"))

    found = {text: set(positions(look(library, text))) for text in ALIKE}

    assert found == ALIKE
    assert "there is no search index" in look(library, "system").notes[0]


def test_hits_come_newest_first_and_page_by_page(library: Database) -> None:
    first = look(library, "a OR and OR is OR the", limit=2)
    assert first.next_cursor is not None
    second = look(library, "a OR and OR is OR the", limit=2, after=first.next_cursor)
    everything = look(library, "a OR and OR is OR the", limit=50)

    assert positions(everything) == sorted(positions(everything), reverse=True)
    assert positions(first) + positions(second) == positions(everything)[:4]
    assert everything.next_cursor is None


def test_pages_part_messages_of_the_same_time(database: Database) -> None:
    add_conversation(database, ["same words"] * 7)
    with database.transaction(write=True) as connection:
        connection.execute(sa.update(messages).values(created_at=START))

    found: list[int] = []
    cursor = None
    for _ in range(4):
        page = look(database, "same", limit=2, after=cursor)
        found += positions(page)
        cursor = page.next_cursor

    assert found == [6, 5, 4, 3, 2, 1, 0]
    assert cursor is None


def test_a_cursor_of_another_list_is_a_usage_error(library: Database) -> None:
    for cursor in ("", "x", "WzFd", "bm9uc2Vuc2U", "é", "W10", "MQ"):
        with pytest.raises(UsageError, match="not a cursor"):
            look(library, "words", after=cursor)


def test_filters_narrow_the_hits(database: Database) -> None:
    add_conversation(database, ["apple", "apple"], number=1, user_id="ann")
    add_conversation(database, ["apple", "apple"], number=2, user_id="Jane Doe")
    add_conversation(database, ["apple"], number=3)

    def ids(text: str, **options: object) -> set[UUID | None]:
        return {hit.message_id for hit in look(database, text, **options).hits}

    assert ids("apple user:ann") == {message_id(1, 0), message_id(1, 1)}
    assert ids('apple user:"Jane Doe" role:assistant') == {message_id(2, 1)}
    assert ids("apple -role:user") == {message_id(1, 1), message_id(2, 1)}
    assert ids("apple -user:ann -role:assistant") == {message_id(2, 0), message_id(3, 0)}
    assert ids("apple after:2025-01-04") == {message_id(3, 0)}
    assert ids("apple before:2025-01-03") == {message_id(1, 0), message_id(1, 1)}
    assert ids("after:2025-01-04") == {message_id(3, 0)}
    assert ids("user:ann") == {message_id(1, 0), message_id(1, 1)}
    assert ids("apple", users=frozenset({"ann"}), roles=frozenset({"user"})) == {message_id(1, 0)}
    with pytest.raises(UsageError, match="unknown role"):
        ids("apple", roles=frozenset({"boss"}))


def test_hidden_messages_are_found_only_when_wanted(database: Database) -> None:
    add_conversation(database, ["secret plan", "secret answer"])
    change_message(database, message_id(1, 0), metadata={"chatdb": {"hidden": True}, "a": [1]})

    assert positions(look(database, "secret")) == [1]
    assert positions(look(database, "secret", include_hidden=True)) == [1, 0]


def test_titles_are_searched_with_in_title(database: Database) -> None:
    add_conversation(database, ["x"], number=1, title="Café trip: multi-day")
    add_conversation(database, ["cafe"], number=2, title="Other")
    add_conversation(database, ["x"], number=3, title="京都旅行 cafe", user_id="ann")

    def titles(text: str, **options: object) -> list[str | None]:
        return [hit.title for hit in look(database, text, **options).hits]

    assert titles("in:title CAFE") == ["京都旅行 cafe", "Café trip: multi-day"]
    assert titles("in:title cafe -trip") == ["京都旅行 cafe"]
    assert titles("in:title 旅行") == ["京都旅行 cafe"]
    assert titles("in:title cafe user:ann") == ["京都旅行 cafe"]
    assert titles("in:title cafe -user:ann") == ["Café trip: multi-day"]
    assert titles("in:title multi-day before:2025-01-03") == ["Café trip: multi-day"]
    page = look(database, "in:title cafe", limit=1)
    assert page.hits[0].message_id is None
    assert titles("in:title cafe", limit=1, after=page.next_cursor) == ["Café trip: multi-day"]


def test_an_organization_sees_its_own_only(library: Database) -> None:
    add_organization(library, "acme")
    add_conversation(library, ["multi words of acme"], number=2, organization="acme")

    acme = search(library, "multi", organization_key="acme", options=SearchOptions())

    assert [hit.message_id for hit in acme.hits] == [message_id(2, 0)]
    assert positions(look(library, "multi")) == [10, 0]
    with pytest.raises(NotFoundError, match="nobody"):
        search(library, "multi", organization_key="nobody", options=SearchOptions())


def test_ranked_hits_come_best_first(database: Database) -> None:
    long = "filler " * 300
    add_conversation(
        database, ["apple apple apple pie", f"{long} apple {long}", "an apple a day", "none"]
    )

    page = look(database, "apple", rank=True)

    assert positions(page) == [0, 2, 1]
    scores = [hit.score for hit in page.hits]
    assert scores == sorted(scores, key=lambda score: -(score or 0))
    assert look(database, "apple", rank=True, limit=1).has_more
    with pytest.raises(UsageError, match="--rank"):
        look(database, "apple", rank=True, after="x")


def test_snippets_show_the_words_marked(database: Database) -> None:
    filler = "lorem ipsum " * 50
    add_conversation(database, [f"{filler}\n\nthe Blue  car, and a blue\tboat. {filler}"])

    hit = look(database, '"blue car" OR boat').hits[0]

    assert [hit.snippet[start:end] for start, end in hit.highlights] == ["Blue car", "boat"]
    assert hit.snippet.startswith("…")
    assert hit.snippet.endswith("…")
    assert "\n" not in hit.snippet
    assert len(hit.snippet) < 260


def test_raw_queries_are_the_databases_own(library: Database) -> None:
    sqlite = library.dialect.name == "sqlite"
    query = "multi AND NOT_THERE OR ubuntu" if sqlite else "multi & not_there | ubuntu"

    assert positions(look(library, query, raw=True)) == [0]
    for broken in ("multi AND (", "multi & | ("):
        with pytest.raises(UsageError, match="raw query"):
            look(library, broken, raw=True)
    with pytest.raises(UsageError, match="empty"):
        look(library, "  ", raw=True)


def test_signs_part_words_in_scripts_without_blanks_too(database: Database) -> None:
    add_conversation(database, ["学%习", "学x习", "学_!习", "学习"])

    assert positions(look(database, "学%习")) == [2, 0]
    assert positions(look(database, "学习")) == [3]
    assert positions(look(database, "学 习")) == [3, 2, 1, 0]


def test_a_search_that_takes_too_long_is_ended(database: Database) -> None:
    add_conversation(database, ["学习习学" * 2_500] * 60)

    with pytest.raises(DatabaseFailedError, match="took longer"):
        look(database, "学习学", timeout_seconds=0.001)


def test_words_are_found_up_to_the_end_of_what_is_indexed(database: Database) -> None:
    add_conversation(database, ["x " * 49_990 + "edge beyond"])

    assert positions(look(database, "edge")) == [0]


def worst_texts() -> Sequence[str]:
    """Texts that make indexes large: nothing may fail the insert."""
    unique = [chr(0x20000 + number) for number in range(40_000)]
    return (
        " ".join(unique),
        "-".join(f"a{number}b" for number in range(20_000)),
        " ".join(
            f"http://h{number}.example.com/p{number}/q-{number}?a=b" for number in range(3_000)
        ),
        "/".join(f"d{number}.x_y@z.org" for number in range(7_000)),
        "w" * 2_000_000,
        "𐐀" * 100_000,
        " ".join("İ" + chr(0x10400 + number % 40) + str(number) for number in range(12_000)),
        "a " * 100_000,
        "1.5e+300-" * 12_000,
        "<a><b/></a>&#x10FFFF;" * 5_000,
    )


def test_no_text_fails_the_insert(database: Database) -> None:
    texts = worst_texts()

    add_conversation(database, texts)

    assert positions(look(database, "h77.example.com")) == [2]
    assert positions(look(database, "a150b")) == [1]


def test_a_message_of_50_megabytes_is_stored_and_found(database: Database) -> None:
    add_conversation(database, ["needle " + "straw of words " * 3_500_000])

    hit = look(database, "needle").hits[0]

    assert hit.snippet.startswith("needle straw")


@pytest.mark.large
def test_hits_of_common_words_are_found_by_walking(database: Database) -> None:
    """PostgreSQL goes another way when a word is common: the hits must be the same."""
    conversation = add_conversation(database, ["common"])
    rows = [
        {
            "organization_id": organization_id_of("default"),
            "conversation_id": conversation,
            "role": "user",
            "metadata": {},
            "id": message_id(2, number),
            "position": number,
            "content": f"common {'even' if number % 2 == 0 else 'odd'} n{number}",
            "created_at": START + timedelta(days=2, seconds=number),
        }
        for number in range(1, 22_000)
    ]
    with database.transaction(write=True, settings={"chatdb.bulk": "on"}) as connection:
        connection.execute(sa.insert(messages), rows)
    with database.transaction(write=True) as connection:
        connection.execute(sa.text("ANALYZE messages"))

    assert positions(look(database, "common", limit=3), number=2) == [21_999, 21_998, 21_997]
    assert positions(look(database, "even common", limit=2), number=2) == [21_998, 21_996]
    assert positions(look(database, "common n17"), number=2) == [17]
    assert positions(look(database, "common user:nobody")) == []
    assert positions(look(database, "common -odd", limit=2), number=2) == [21_998, 21_996]
    page = look(database, "common role:user", limit=2)
    beyond = look(database, "common role:user", limit=2, after=page.next_cursor)
    assert positions(beyond, number=2) == [21_997, 21_996]

    assert positions(look(database, '"common even"', limit=2), number=2) == [21_998, 21_996]
    nowhere = look(database, '"even common"')
    assert nowhere.hits == ()
    if nowhere.has_more:  # PostgreSQL's index has no order of words.
        assert nowhere.notes[-1].startswith("only the newest messages were looked through")
        nowhere = look(database, '"even common"', after=nowhere.next_cursor)
    assert (nowhere.hits, nowhere.has_more) == ((), False)


@pytest.mark.large
def test_a_postgresql_of_the_c_locale_gives_the_same_hits(postgres: PostgresServer) -> None:
    name = f"test_{uuid4().hex[:12]}"
    postgres.execute(f"CREATE DATABASE {name} LOCALE 'C' ENCODING 'UTF8' TEMPLATE template0")
    try:
        with Database.open(postgres.url(name)) as database:
            upgrade(database)
            add_conversation(database, TEXTS)

            found = {text: set(positions(look(database, text))) for text in ALIKE}
    finally:
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")

    assert found == ALIKE
