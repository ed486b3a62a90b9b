"""A hit has its place in the conversation, the messages around it and where its words are."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import messages
from chatdb.formats.branches import branch_through
from chatdb.operations.conversations.lists import read_conversation
from chatdb.operations.searching.search import Hit, SearchOptions, search
from chatdb.records import is_hidden
from chatdb.store.every_organization import EVERY
from tests.operations.conversation_rows import (
    START,
    add_conversation,
    add_organization,
    change_message,
    message_id,
)

HIDDEN = {"chatdb": {"hidden": True}}


def hits(database: Database, words: str, *, scope: Any = "default", **options: Any) -> list[Hit]:
    page = search(database, words, organization_key=scope, options=SearchOptions(**options))
    return list(page.hits)


def around(hit: Hit) -> list[tuple[int, str]]:
    return [(each.distance, each.excerpt) for each in hit.context]


def test_context_is_that_of_the_branch_on_which_the_hit_lies(database: Database) -> None:
    # 0-1-2-3-4-5-6 with 7-8 below 3, 9 below 7 and a root of its own, 10.
    add_conversation(database, [f"needle number{n}" for n in range(11)])
    for message, parent in ((7, 3), (9, 7), (8, 7)):
        change_message(database, message_id(1, message), parent_id=message_id(1, parent))
    change_message(database, message_id(1, 10), parent_id=None)
    change_message(database, message_id(1, 5), metadata=HIDDEN)
    record = read_conversation(database, "last", organization_key="default")

    for count in (1, 3, 20):
        for hidden in (False, True):
            for hit in hits(database, "needle", context=count, include_hidden=hidden):
                path = [
                    each
                    for each in branch_through(record, hit.message_id or UUID(int=0))
                    if hidden or not is_hidden(each)
                ]
                place = [each.id for each in path].index(hit.message_id or UUID(int=0))
                near = range(max(place - count, 0), min(place + count + 1, len(path)))
                assert [(each.distance, each.id, each.role) for each in hit.context] == [
                    (n - place, path[n].id, path[n].role) for n in near if n != place
                ]
    assert around(hits(database, "number8", context=2)[0]) == [
        *((-2, "needle number3"), (-1, "needle number7"))
    ]
    assert around(hits(database, "number6", context=1)[0]) == [(-1, "needle number4")]
    assert around(hits(database, "number6", context=1, include_hidden=True)[0]) == [
        (-1, "needle number5")
    ]
    assert [hit.context for hit in hits(database, "number8")] == [()]


def test_context_of_lists_documents_and_circles(database: Database) -> None:
    for number in (1, 2, 3):
        add_conversation(
            database,
            [f"pearl{number}", "needle", "", "x" * 300],
            number=number,
            kind="document" if number == 2 else "chat",
        )
    for position in range(4):
        change_message(database, message_id(1, position), parent_id=None)
        following = message_id(3, (position - 1) % 4)
        change_message(database, message_id(3, position), parent_id=following)
    change_message(database, message_id(1, 2), attached_text="pasted\n\ntext")

    circle, document, chain = hits(database, "needle", context=2)

    assert len(circle.context) >= 1
    assert document.context == ()
    assert around(chain) == [(-1, "pearl1"), (1, "pasted text"), (2, "x" * 200 + "…")]


def test_what_is_above_a_late_branch_is_found_by_its_replies(database: Database) -> None:
    add_conversation(database, [f"word{n}" for n in range(260)])
    change_message(database, message_id(1, 250), parent_id=message_id(1, 2))

    hit = hits(database, "word250", context=3)[0]

    assert [text for _, text in around(hit)] == [
        *("word0", "word1", "word2", "word251", "word252", "word253")
    ]
    assert (hit.position, hit.number, hit.messages) == (250, 251, 260)


def test_numbers_leave_out_what_was_deleted_and_ranking_keeps_them(database: Database) -> None:
    add_conversation(database, ["needle"] * 6)
    add_conversation(database, ["pearl", "gap", "pearl"], number=2)
    gone = [message_id(1, 2), message_id(2, 1)]
    with database.transaction(write=True) as connection:
        connection.execute(sa.delete(messages).where(messages.c.id.in_(gone)))

    for rank in (False, True):
        found = hits(database, "needle", rank=rank, context=1)
        assert sorted((hit.position, hit.number, hit.messages) for hit in found) == [
            *((0, 1, 5), (1, 2, 5), (3, 3, 5), (4, 4, 5), (5, 5, 5))
        ]
    found = hits(database, "needle OR pearl")
    assert [hit.number for hit in found] == [2, 1, 5, 4, 3, 2, 1]


def test_a_conversation_of_very_many_messages_is_not_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatdb.store.nearby.MOST_NUMBERED", 5)
    add_conversation(database, ["needle"] * 5)
    add_conversation(database, ["pearl"] * 6, number=2)

    assert [hit.number for hit in hits(database, "needle")] == [5, 4, 3, 2, 1]
    found = hits(database, "pearl")
    assert [(hit.position, hit.number, hit.messages) for hit in found] == [
        (position, None, None) for position in range(5, -1, -1)
    ]


def test_each_organization_has_its_own_neighbours(database: Database) -> None:
    add_organization(database, "acme")
    for number, organization in enumerate(("default", "acme")):
        add_conversation(
            database,
            [f"before in {organization}", "needle", "after"],
            organization=organization,
            updated_at=START + timedelta(days=number),
        )

    found = hits(database, "needle", scope=EVERY, context=2)
    own = hits(database, "needle", scope="acme", context=1)

    assert sorted(around(hit)[0][1] for hit in found) == ["before in acme", "before in default"]
    assert [around(hit) for hit in own] == [[(-1, "before in acme"), (1, "after")]]


def test_offsets_are_places_in_content_and_in_attached_text(database: Database) -> None:
    cited = "see \ue200cite\ue202turn0search1\ue201 the 🎉 needle"
    contents = ["a needle and a Nëedle", "none", "\n\n" + "long " * 100 + "needle", cited]
    add_conversation(database, contents)
    attached = {1: "the needle here", 0: "needle"}
    for position, text in attached.items():
        change_message(database, message_id(1, position), attached_text=text)

    for hit in hits(database, "needle"):
        content = contents[hit.position or 0]
        beside = attached.get(hit.position or 0, "")
        words = [content[start:end] for start, end in hit.offsets]
        assert all(each in ("needle", "Nëedle") for each in words)
        assert len(words) == content.lower().replace("ë", "e").count("needle")
        assert [beside[start:end] for start, end in hit.attached_offsets] == (
            ["needle"] if beside else []
        )
        marked = [hit.snippet[start:end] for start, end in hit.highlights]
        assert "needle" in marked
    crossing = hits(database, '"needle needle"')
    assert [(each.offsets, each.attached_offsets) for each in crossing] == [
        (((15, 21),), ((0, 6),))
    ]


def test_the_queries_of_a_page_do_not_grow_with_its_hits(database: Database) -> None:
    for number in range(1, 9):
        add_conversation(database, ["before", "needle", "after"], number=number)
    ran: list[str] = []

    def remember(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        ran.append(statement)

    sa.event.listen(database.engine, "before_cursor_execute", remember)
    counts = []
    for limit in (1, 8):
        ran.clear()
        assert len(hits(database, "needle", limit=limit, context=2)) == limit
        counts.append(len(ran))

    assert counts[0] == counts[1]
