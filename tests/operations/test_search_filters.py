"""Filters of the query language: by source, model, kind, flag, and what a message has."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.schema import settings
from chatdb.db.url import DatabaseUrl
from chatdb.errors import UsageError
from chatdb.operations.conversations.lists import list_page
from chatdb.operations.conversations.narrowing import narrowing
from chatdb.operations.searching.found import find_conversations
from chatdb.operations.searching.search import SearchOptions, search
from chatdb.records import organization_id_of
from chatdb.store.selecting import ConversationFilter
from tests.operations.app_roles import new_deployment
from tests.operations.conversation_rows import (
    START,
    add_conversation,
    change_message,
    message_id,
)
from tests.operations.tenants import ACME
from tests.operations.test_index_use import fill, plans_of
from tests.postgres_server import TEMPLATE, PostgresServer

DEFAULT = organization_id_of("default")
HITS = 1_000

CODE: dict[str, tuple[dict[str, Any], bool]] = {
    "fenced": ({"content": "apple\n\n  ```python\nprint(1)\n```"}, True),
    "tildes": ({"content": "~~~\napple\n~~~"}, True),
    "after a carriage return": ({"content": "apple\r\n\t```\r\nx\r\n```"}, True),
    "in a line": ({"content": "apple ```x``` and `y`"}, False),
    "an approximate apple": ({"content": "apple ~~~ roughly"}, False),
    "a call that is given code": ({"tool_calls": [{"name": "repl", "input": {"code": "1"}}]}, True),
    "a call of a shell": (
        {"tool_calls": [{"function": {"name": "sh", "arguments": '{"command":"ls"}'}}]},
        True,
    ),
    "a call of nothing": ({"tool_calls": [{"name": "repl", "input": {"code": " "}}]}, False),
    "words that are the code": ({"tool_calls": [{"name": "python"}]}, True),
    "words in a language": ({"tool_calls": [{"name": "x", "language": "sql"}]}, True),
    "words of no language": ({"tool_calls": [{"name": "x", "language": "unknown"}]}, False),
    "an argument in a language": (
        {"tool_calls": [{"name": "tr", "input": {"language": "de", "text": "code"}}]},
        False,
    ),
    "a list of code": ({"tool_calls": [{"name": "x", "input": {"command": ["ls"]}}]}, False),
    "one call": ({"tool_calls": {"name": "python"}}, False),
}

FOUND: dict[str, set[tuple[int, int]]] = {
    "apple source:chatgpt": {(1, 0), (1, 1)},
    "apple source:chatgpt source:claude": {(1, 0), (1, 1), (2, 0), (2, 1)},
    "apple source:ChatGPT": set(),
    "apple -source:chatgpt": {(2, 0), (2, 1), (3, 0), (3, 1)},
    "apple model:gpt-4o": {(1, 1)},
    "apple model:gpt": set(),
    'apple model:"m 2" model:gpt-4o': {(1, 1), (2, 1)},
    "apple -model:gpt-4o": {(1, 0), (2, 0), (2, 1), (3, 0), (3, 1)},
    "apple kind:DOCUMENT": {(3, 0), (3, 1)},
    "apple -kind:document role:user": {(1, 0), (2, 0)},
    "apple is:starred": {(1, 0), (1, 1)},
    "apple is:starred is:pinned": {(1, 0), (1, 1), (2, 0), (2, 1)},
    "apple -is:starred -is:archived": {(2, 0), (2, 1)},
    "apple is:archived -source:claude": {(3, 0), (3, 1)},
    "apple has:tool": {(2, 1), (3, 1)},
    "apple has:code": {(1, 1), (2, 1)},
    "apple has:code has:attachment": {(1, 1), (2, 1), (3, 0)},
    "apple has:tool -has:code": {(3, 1)},
    "apple -has:tool -has:attachment": {(1, 0), (1, 1), (2, 0)},
    "pear OR apple is:pinned -model:gpt-4o": {(2, 0), (2, 1)},
    "learn 学习 is:pinned": {(2, 0)},
    "学习 is:pinned": {(2, 0)},
    "source:claude": {(2, 0), (2, 1)},
    "model:gpt-4o": {(1, 1)},
    "kind:document": {(3, 0), (3, 1)},
    "is:pinned": {(2, 0), (2, 1)},
    "has:code": {(1, 1), (2, 1)},
    "has:tool -source:claude": {(3, 1)},
}
"""Numbers of conversations and places of messages, by query."""

TITLES: dict[str, set[int]] = {
    "in:title talk source:claude": {2},
    "in:title talk -source:claude": {1, 3},
    "in:title talk is:starred is:archived": {1, 3},
    "in:title talk kind:document -is:pinned": {3},
    "in:title talk model:gpt-4o": {1},
    "in:title talk -model:gpt-4o": {2, 3},
    "in:title talk has:code": {1, 2},
    "in:title talk has:attachment has:tool": {2, 3},
    "in:title talk -has:code": {3},
    "in:title nothing has:code": set(),
}


@pytest.fixture
def shelf(database: Database) -> Database:
    """A database with three conversations, each of another source, kind and flag."""
    add_conversation(
        database, ["apple", "apple"], title="Talk 1", source="chatgpt", starred_at=START
    )
    add_conversation(
        database,
        ["apple 学习 learn", "apple"],
        number=2,
        title="Talk 2",
        source="claude",
        pinned_at=START,
    )
    add_conversation(
        database, ["apple"] * 2, number=3, title="Talk 3", kind="document", archived_at=START
    )
    fence = "apple\n```\nx = 1\n```"
    change_message(database, message_id(1, 1), model="gpt-4o", content=fence)
    call = [{"name": "bash", "input": {"command": "ls"}}]
    change_message(database, message_id(2, 1), model="m 2", tool_calls=call)
    change_message(database, message_id(3, 0), attachments=[{"name": "a.png"}])
    change_message(database, message_id(3, 1), role="tool")
    return database


def found(database: Database, text: str, **options: Any) -> set[tuple[int, int]]:
    page = search(
        database, text, organization_key="default", options=SearchOptions(limit=HITS, **options)
    )
    return {divmod(hit.message_id.int, 1_000_000) for hit in page.hits if hit.message_id}


def titles(database: Database, text: str, **options: Any) -> set[int]:
    page = search(database, text, organization_key="default", options=SearchOptions(**options))
    return {hit.conversation_id.int & 0xFF for hit in page.hits}


@pytest.mark.parametrize("state", ["present", "off"])
def test_both_databases_give_the_same_hits(shelf: Database, state: str) -> None:
    with shelf.transaction(write=True) as connection:
        connection.execute(sa.insert(settings).values(key="search_index", value=state))

    assert {text: found(shelf, text) for text in FOUND} == FOUND
    for text, hits in FOUND.items():
        ids = find_conversations(
            shelf, text, organization_key="default", options=SearchOptions()
        ).ids
        assert {each.int & 0xFF for each in ids.get(DEFAULT, ())} == {n for n, _ in hits}, text


def test_titles_are_narrowed_by_the_same_filters(shelf: Database) -> None:
    assert {text: titles(shelf, text) for text in TITLES} == TITLES
    change_message(shelf, message_id(1, 1), metadata={"chatdb": {"hidden": True}})

    assert titles(shelf, "in:title talk has:code") == {2}
    assert titles(shelf, "in:title talk has:code", include_hidden=True) == {1, 2}


def test_code_is_a_fence_that_begins_a_line_or_a_call_that_runs_some(database: Database) -> None:
    add_conversation(database, ["apple"] * len(CODE))
    for place, (fields, _) in enumerate(CODE.values()):
        change_message(database, message_id(1, place), **fields)

    wanted = {place for place, (_, has_code) in enumerate(CODE.values()) if has_code}
    assert {place for _, place in found(database, "apple has:code")} == wanted
    without = {place for _, place in found(database, "apple -has:code")}
    assert without == set(range(len(CODE))) - wanted


def test_a_list_is_narrowed_as_by_its_own_options(shelf: Database) -> None:
    every = frozenset(("chat", "document"))
    for query, wanted in {
        "source:claude": ConversationFilter(source="claude"),
        "model:gpt-4o": ConversationFilter(model="gpt-4o"),
        "kind:document": ConversationFilter(kinds=frozenset({"document"})),
        "is:starred": ConversationFilter(flags={"starred": True}),
        "role:user -is:starred": ConversationFilter(flags={"starred": False}),
    }.items():
        narrowed = narrowing(
            shelf, organization_key="default", query=query, options=SearchOptions()
        )
        by_query = list_page(
            shelf,
            organization_key="default",
            wanted=ConversationFilter(kinds=every),
            narrowing=narrowed,
        )
        by_option = list_page(shelf, organization_key="default", wanted=wanted)
        assert [item.id for item in by_query.items] == [item.id for item in by_option.items]
        assert by_query.items
    with pytest.raises(UsageError, match="words only"):
        narrowing(
            shelf, organization_key="default", title="talk -is:starred", options=SearchOptions()
        )


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("x kind:book", "chat, document, memory, canvas"),
        ("x is:old", "archived, starred, pinned"),
        ("x -has:wings", "attachment, code, tool"),
    ],
)
def test_what_is_unknown_is_named_with_what_is_known(
    database: Database, text: str, known: str
) -> None:
    with pytest.raises(UsageError, match=known):
        found(database, text)


@pytest.mark.postgresql
@pytest.mark.parametrize("who", ["owner", "app", "readonly"])
def test_roles_find_what_is_their_tenants(postgres: PostgresServer, who: str) -> None:
    with new_deployment(postgres, TEMPLATE) as made:
        with connect_postgresql(made.owner, autocommit=True) as connection:
            connection.execute("UPDATE conversations SET starred_at = now(), source = 'x'")
            connection.execute(
                "UPDATE messages SET content = E'harbour\\n```\\n', model = 'm',"
                ' tool_calls = \'[{"input": {"code": "1"}}]\''
            )
            own = connection.execute(
                "SELECT count(*) FROM messages WHERE organization_id = %s", (made.first.id,)
            ).fetchone()
        with made.open(getattr(made, who)) as database:
            sizes = {
                len(search(database, text, organization_key=ACME, options=_OPTIONS).hits)
                for text in (
                    "harbour is:starred source:x has:code has:tool model:m -is:pinned",
                    "is:starred -source:y",
                    "has:code",
                    "model:m -kind:memory",
                )
            }
            none = search(database, "harbour -has:code", organization_key=ACME, options=_OPTIONS)
            in_titles = search(
                database, "in:title a* has:code is:starred", organization_key=ACME, options=_OPTIONS
            )

    assert own is not None
    assert sizes == {own[0]}
    assert none.hits == ()
    assert {hit.conversation_id for hit in in_titles.hits} <= set(made.first.conversations.values())


_OPTIONS = SearchOptions(limit=HITS)


def test_a_filter_leaves_the_words_to_their_index(database_url: DatabaseUrl) -> None:
    """A conversation is looked up by its key, for the messages that have the words."""
    with Database.open(database_url) as database:
        fill(database)

        def plan(text: str) -> str:
            return "".join(plans_of(database, _search(database, text)))

        for text in ("word77 is:starred", "word77 -source:x kind:chat has:code"):
            shown = plan(text)
            if database.dialect.name == "sqlite":
                assert "SCAN messages_search VIRTUAL TABLE" in shown
                assert "SCAN messages\n" not in shown
                assert "SEARCH conversations USING INDEX" in shown
            else:
                assert "ix_messages_search" in shown
                assert "Seq Scan on messages" not in shown
                assert "using pk_conversations" in shown
                assert "Seq Scan on conversations" not in shown


def _search(database: Database, text: str) -> Callable[[], None]:
    def work() -> None:
        search(database, text, organization_key="default", options=SearchOptions())

    return work
