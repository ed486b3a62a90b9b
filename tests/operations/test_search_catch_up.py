"""On SQLite other programs' texts are indexed in their normal form before the next search."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.operations.searching.search import SearchOptions, SearchPage, search
from chatdb.operations.searching.search_index import check_search_index, rebuild_search_index
from tests.operations.conversation_rows import add_conversation
from tests.operations.index_damage import Told

TEXTS = ("plain words", "Straße nach Łódź", "学习 Python✅", "naïve café")


@pytest.fixture
def own(sqlite_url: DatabaseUrl) -> Iterator[Database]:
    with Database.open(sqlite_url) as database:
        yield database


def look(database: Database, query: str) -> SearchPage:
    return search(database, query, organization_key="default", options=SearchOptions())


def run(database: Database, statement: str, *values: object) -> None:
    """Run a statement as an application does, with nothing but SQLite."""
    assert database.url.path is not None
    with closing(sqlite3.connect(database.url.path)) as connection, connection:
        connection.execute(statement, values)


def count(database: Database, table: str) -> int:
    assert database.url.path is not None
    with closing(sqlite3.connect(database.url.path)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_what_an_application_wrote_is_found_and_said(own: Database) -> None:
    add_conversation(own, TEXTS)
    assert count(own, "messages_search_queue") == 3

    page = look(own, "strasse")

    assert [hit.snippet for hit in page.hits] == ["Straße nach Łódź"]
    assert page.notes == ("indexed 3 messages that were written by other means",)
    assert count(own, "messages_search_queue") == 0
    # The accents of these are folded by FTS5 itself.
    assert count(own, "messages_search_forms") == 2
    assert [len(look(own, each).hits) for each in ("lodz", "习", "✅", "python", "cafe")] == [1] * 5
    assert look(own, "lodz").notes == ()
    assert check_search_index(own).problems == ()


def test_changed_and_deleted_texts_leave_nothing_of_them(own: Database) -> None:
    add_conversation(own, TEXTS)
    look(own, "lodz")
    run(own, "UPDATE messages SET content = '工作 plain' WHERE content LIKE 'Stra%'")
    run(own, "UPDATE messages SET content = content || ' größer' WHERE content LIKE 'naïve%'")
    run(own, "DELETE FROM messages WHERE content LIKE '学习%'")

    found = {each: len(look(own, each).hits) for each in ("lodz", "习", "工作", "grosser", "plain")}

    assert found == {"lodz": 0, "习": 0, "工作": 1, "grosser": 1, "plain": 2}
    assert check_search_index(own).problems == ()
    run(own, "DELETE FROM messages")
    assert look(own, "plain").hits == ()
    assert [count(own, f"messages_search_{each}") for each in ("forms", "queue", "docsize")] == [
        0
    ] * 3
    assert check_search_index(own).problems == ()


def test_what_cannot_be_written_now_is_searched_by_plain_words(own: Database) -> None:
    add_conversation(own, TEXTS)
    assert own.url.path is not None
    with closing(sqlite3.connect(own.url.path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        own_path = Path(own.url.path)
        with Database.open(DatabaseUrl(dialect_name="sqlite", path=own_path)) as other:
            page = look(other, "python")

    assert page.notes[0].startswith("3 messages wait to be indexed")
    assert os.access(own.url.path, os.W_OK)
    assert len(look(own, "学习").hits) == 1


def test_a_text_that_is_not_utf_8_keeps_no_other_from_the_index(own: Database) -> None:
    add_conversation(own, TEXTS)
    run(own, "UPDATE messages SET content = CAST(x'c3a9ff' AS TEXT) WHERE content LIKE 'naïve%'")

    page = look(own, "习")

    assert page.notes == ("indexed 3 messages that were written by other means",)
    assert len(page.hits) == 1
    rebuild_search_index(own, Told())
    assert len(look(own, "习").hits) == 1
    assert check_search_index(own).problems == ()
