"""A message that another version of the conversation misses keeps its place between the others."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.db.database import Database
from chatdb.formats.branches import active_path
from chatdb.operations.importing.merge import merge
from chatdb.records import Conversation, Message
from tests.operations.importing import (
    at,
    contents,
    conversation,
    delete_message,
    identifier,
    load,
    message,
    the_one,
)


def chain(*names: str) -> list[Message]:
    return [message(each, above) for each, above in zip(names, (None, *names), strict=False)]


def path(record: Conversation) -> list[str]:
    return [str(each.source_id) for each in active_path(record)]


OLDER = conversation("talk", chain("question", "call", "tool", "answer"))
NEWER = conversation("talk", chain("question", "answer", "more"), 5)
WHOLE = ["question", "call", "tool", "answer", "more"]


@pytest.mark.parametrize("order", [(OLDER, NEWER), (NEWER, OLDER)], ids=["newer", "older"])
def test_tool_messages_that_newer_exports_miss_keep_their_place(
    database: Database, order: Sequence[Conversation]
) -> None:
    load(database, order[:1])
    load(database, order[1:])

    record = the_one(database)
    assert path(record) == contents(record) == WHOLE
    assert record.current_message_id == identifier("more")

    for again in (*order, *order):
        counts = load(database, [again])
        assert (counts.updated, counts.messages_new, counts.messages_changed) == (0, 0, 0)


def test_a_missing_first_message_stays_the_first() -> None:
    mine = conversation("talk", chain("system", "question"))
    theirs = conversation("talk", chain("question", "answer"), 5)

    assert path(merge(mine, theirs)) == ["system", "question", "answer"]
    assert path(merge(theirs, mine)) == ["system", "question", "answer"]


def test_a_message_of_a_newer_export_is_changed_in_its_place() -> None:
    changed = [message("question"), message("answer", "question", content="better")]

    merged = merge(OLDER, conversation("talk", changed, 5))

    assert path(merged) == WHOLE[:-1]
    assert merged.messages[-1].content == "better"


def test_a_branch_of_the_source_still_moves_its_messages() -> None:
    mine = conversation("talk", chain("question", "first", "more"))
    edited = [
        message("question"),
        message("first", "question"),
        message("second", "question"),
        message("more", "second"),
    ]

    assert path(merge(mine, conversation("talk", edited, 5))) == ["question", "second", "more"]


def test_what_was_deleted_here_is_not_put_back_in_between(database: Database) -> None:
    load(database, [NEWER])
    load(database, [OLDER])
    delete_message(database, "tool")

    load(database, [NEWER, OLDER])

    assert "tool" not in contents(the_one(database))


def test_a_message_edited_here_stays_where_it_is() -> None:
    mine = conversation("talk", chain("question", "answer"), 5)
    mine.messages[1].edited_at = at(6)

    merged = merge(mine, OLDER)

    assert next(each for each in merged.messages if each.source_id == "answer") is mine.messages[1]


@given(st.sets(st.integers(0, 11)), st.booleans())
def test_two_parts_of_a_chain_are_one_chain_again_where_one_has_it_whole(
    missing: set[int], is_newer: bool
) -> None:
    names = [f"m{number}" for number in range(12)]
    whole = conversation("talk", chain(*names))
    left = [name for number, name in enumerate(names) if number not in missing]
    part = conversation("talk", chain(*left), 5 if is_newer else -5)

    for merged in (merge(whole, part), merge(part, whole)):
        assert contents(merged) == names
        parents = {each.source_id: each.parent_id for each in merged.messages}
        assert parents == {each.source_id: each.parent_id for each in whole.messages}


@pytest.mark.large
def test_a_hundred_thousand_missing_messages_are_walked_once() -> None:
    names = [f"m{number}" for number in range(100_000)]
    replies = [message(f"r{number}", name) for number, name in enumerate(names[1:])]
    mine = conversation("talk", [*chain(*names), *replies])
    short = [message(str(each.source_id), "m0") for each in replies]

    merged = merge(mine, conversation("talk", [message("m0"), *short, message("new", "m0")], 5))

    parents = {each.source_id: each.parent_id for each in merged.messages}
    assert parents["r0"] == identifier("m1")
    assert parents["r99998"] == identifier("m99999")
