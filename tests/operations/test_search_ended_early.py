"""A page on PostgreSQL that ends before it is full: right hits, and the next page goes on."""

from collections.abc import Iterator
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.postgresql import search as ways
from chatdb.db.url import DatabaseUrl
from chatdb.operations.searching.search import SearchOptions, SearchPage, search
from tests.cli.conftest import Run
from tests.operations.conversation_rows import add_conversation

pytestmark = pytest.mark.postgresql


@pytest.fixture
def own(postgresql_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """Forty messages of common words; the newest ten are what is looked through for a phrase."""
    monkeypatch.setattr(ways, "FEW_HITS", 10)
    with Database.open(postgresql_url) as database:
        texts = ["car red blue" if n % 10 else "red car" for n in range(40)]
        texts[10] += " blue"
        add_conversation(database, texts)
        with database.transaction(write=True) as connection:
            connection.exec_driver_sql("ANALYZE")
        yield database


def look(database: Database, query: str, **options: Any) -> SearchPage:
    return search(database, query, organization_key="default", options=SearchOptions(**options))


def places(database: Database, query: str, *, limit: int) -> list[list[int]]:
    """Return the hits of each page."""
    found: list[list[int]] = []
    after = None
    while len(found) < 20:
        page = look(database, query, limit=limit, after=after)
        found.append([hit.message_id.int - 1_000_000 for hit in page.hits if hit.message_id])
        after = page.next_cursor
        if after is None:
            break
    return found


def test_the_words_beside_a_phrase_of_common_words_are_needed(own: Database) -> None:
    found = [each for page in places(own, '"red car" blue', limit=50) for each in page]
    assert found == [10]
    found = [each for page in places(own, '"red car" -blue', limit=50) for each in page]
    assert found == [30, 20, 0]


@pytest.mark.parametrize("limit", [1, 2, 3])
def test_no_page_is_the_last_while_older_messages_were_not_looked_at(
    own: Database, limit: int
) -> None:
    assert [each for page in places(own, '"red car"', limit=limit) for each in page] == [
        *(30, 20, 10, 0)
    ]


def test_a_page_of_relevance_has_no_next_one(own: Database) -> None:
    notes = look(own, '"red car"', rank=True).notes

    assert notes[0] == "only the newest messages were looked through for words side by side"
    assert "next page" not in " ".join(notes)


def test_a_page_without_hits_tells_the_way_on(own: Database, run: Run) -> None:
    words = ("--database-url", own.url.exposed(), "search", "--format", "json")

    result = run(*words, '"red car" blue')

    assert result.stdout == "[]\n"
    assert "nothing found" not in result.stderr
    assert "there may be more, on the next page: chatdb" in result.stderr
    assert "--after" in result.stderr
