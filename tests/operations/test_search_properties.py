"""Any text is a query that both databases answer alike, and any stored word is found."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import UsageError
from chatdb.operations.searching.search import SearchOptions, search
from tests.operations.conversation_rows import add_conversation, change_message, message_id

FILLER = "some other words of no matter"
PARTS = st.sampled_from(
    [
        *("multi-agent", "20.04", "it's", "C++", "foo@bar.com", "http://x.org/a?b=1#c", '"', "“"),
        *("-", "*", "OR", "NOT", "AND", "NEAR(", ")", "role:", "user:", "in:title", "after:", ":"),
        *("source:", "model:", "kind:chat", "is:", "has:code", "-has:tool", "-is:pinned"),
        *("\\", "'", "%", "_", "学习", "สวัสดี", "🎉", "½", "\u200d", "\u0301", "!", "&", "|", "<->"),
    ]
)
QUERIES = st.one_of(
    st.text(max_size=30), st.lists(st.one_of(PARTS, st.text(max_size=4)), max_size=6).map("".join)
)
LETTERS = st.characters(categories=("Lu", "Ll", "Lo", "Nd"), max_codepoint=0x1FFF)
"""FTS5 does not know the newest scripts of the higher planes."""
bounded = hypothesis_settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def databases(
    sqlite_url: DatabaseUrl, postgresql_url: DatabaseUrl
) -> Iterator[tuple[Database, Database]]:
    with Database.open(sqlite_url) as sqlite, Database.open(postgresql_url) as postgresql:
        for each in (sqlite, postgresql):
            add_conversation(each, [FILLER, "a multi-agent of foo@bar.com 学习 ½ 🎉 it's 20.04"])
        yield sqlite, postgresql


def answer(database: Database, text: str) -> object:
    try:
        page = search(database, text, organization_key="default", options=SearchOptions())
    except UsageError as error:
        return error.text
    return [(hit.message_id, hit.snippet, hit.highlights) for hit in page.hits]


@given(text=QUERIES)
@bounded
def test_any_text_is_answered_alike(databases: tuple[Database, Database], text: str) -> None:
    sqlite, postgresql = (answer(each, text) for each in databases)

    assert sqlite == postgresql


@pytest.mark.large
@given(word=st.text(LETTERS, min_size=1, max_size=12), before=st.text(max_size=5))
@bounded
def test_any_stored_word_is_found(
    databases: tuple[Database, Database], word: str, before: str
) -> None:
    before = before.encode("utf-8", "replace").decode().replace("\x00", " ")
    content = f"{FILLER} {before} {word}. {FILLER}"
    for each in databases:
        change_message(each, message_id(1, 0), content=content)

        found = answer(each, f'"{word}"')

        assert isinstance(found, list)
        assert message_id(1, 0) in [hit[0] for hit in found]
