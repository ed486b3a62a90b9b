"""Making and changing conversations, and that later imports keep it, on both databases."""

import unicodedata
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.db.database import Database
from chatdb.errors import NotFoundError, UsageError
from chatdb.operations.conversations.changes import (
    NewConversation,
    create,
    rename,
    set_flag,
    touch,
)
from chatdb.operations.conversations.lists import read_conversation
from chatdb.operations.conversations.messages import NewMessage
from chatdb.records import new_id
from chatdb.store.columns import FLAGS
from chatdb.store.titles import LONGEST_TITLE, cut, title_of
from tests.operations.conversation_rows import START, add_conversation, add_organization
from tests.operations.importing import conversation, load, message, stored, the_one

OWN: dict[str, Any] = {"organization_key": "default"}


def test_a_new_conversation_has_what_was_given(database: Database) -> None:
    new = NewConversation(
        user_id="ann", metadata={"a": {"b": 1}}, messages=[NewMessage(content="## Hello *you*")]
    )

    made = create(database, new, **OWN)

    record = read_conversation(database, str(made.id), **OWN)
    assert (record.title, record.user_id, record.metadata) == (
        "Hello *you*",
        "ann",
        {"a": {"b": 1}},
    )
    assert (record.source, record.source_id, record.edited_at) == (None, None, None)
    assert [(each.content, each.source_id) for each in record.messages] == [
        ("## Hello *you*", None)
    ]
    assert record.current_message_id == record.messages[0].id
    assert record.updated_at >= record.messages[0].created_at > START
    assert made.message_count == 1


def test_a_title_that_was_given_stays(database: Database) -> None:
    new = NewConversation(title="  Mine\x00 ", messages=[NewMessage(content="other")])

    assert create(database, new, **OWN).title == "Mine\ufffd"
    with pytest.raises(UsageError, match="empty"):
        create(database, NewConversation(title=" "), **OWN)
    with pytest.raises(UsageError, match="user"):
        create(database, NewConversation(user_id=" "), **OWN)
    with pytest.raises(NotFoundError, match="nobody"):
        create(database, NewConversation(), organization_key="nobody")


@pytest.mark.parametrize("flag", FLAGS)
def test_a_flag_is_set_once_and_removed(database: Database, flag: str) -> None:
    one = add_conversation(database, [], number=1)
    two = add_conversation(database, [], number=2)

    first = set_flag(database, [str(two), str(one)], flag, is_set=True, **OWN)
    again = set_flag(database, [str(two)], flag, is_set=True, **OWN)
    back = set_flag(database, [str(one), str(two)], flag, is_set=False, **OWN)

    assert [each.id for each in first] == [two, one]
    assert all(getattr(each, FLAGS[flag]) == each.updated_at for each in first)
    assert all(
        getattr(each, column) is None
        for each in first
        for column in FLAGS.values()
        if column != FLAGS[flag]
    )
    assert again == first[:1]
    assert [getattr(each, FLAGS[flag]) for each in back] == [None, None]


def test_one_unknown_id_changes_nothing(database: Database) -> None:
    one = add_conversation(database, [])

    with pytest.raises(NotFoundError):
        set_flag(database, [str(one), str(UUID(int=9))], "starred", is_set=True, **OWN)

    assert read_conversation(database, str(one), **OWN).starred_at is None


def test_touching_is_no_change(database: Database) -> None:
    one = add_conversation(database, [])
    before = read_conversation(database, str(one), **OWN)

    touched = touch(database, [str(one)], **OWN)[0]

    assert touched.last_accessed_at is not None
    assert touched.last_accessed_at > START
    assert touched.updated_at == before.updated_at
    assert read_conversation(database, str(one), **OWN).edited_at is None


def test_what_changes_moves_updated_at_even_when_it_lies_ahead(database: Database) -> None:
    ahead = START + timedelta(days=10_000)
    one = add_conversation(database, [], updated_at=ahead)

    assert rename(database, str(one), "New", **OWN).updated_at > ahead


def test_a_later_import_keeps_title_and_flags(database: Database) -> None:
    source = conversation(messages=[message("a")], title="theirs")
    load(database, [source])
    rename(database, "last", "mine", **OWN)
    for flag in FLAGS:
        set_flag(database, ["last"], flag, is_set=True, **OWN)
    before = the_one(database)

    for minutes in (0, 10_000_000):
        grown = [message("a"), message("b", "a")]
        load(database, [conversation(messages=grown, title="theirs anew", minutes=minutes)])
        after = the_one(database)

        assert after.title == "mine"
        for column in FLAGS.values():
            assert getattr(before, column) is not None
            assert getattr(after, column) == getattr(before, column)
        assert [each.source_id for each in after.messages] == ["a", "b"]
        assert after.current_message_id == after.messages[-1].id


def test_what_was_made_here_is_no_part_of_any_import(database: Database) -> None:
    create(database, NewConversation(title="mine"), **OWN)
    load(database, [conversation(messages=[message("a")])])

    assert {each.title for each in stored(database)} == {"mine", "title of talk"}


def test_conversations_of_others_are_not_changed(database: Database) -> None:
    add_organization(database, "acme")
    theirs = add_conversation(database, [], number=1, organization="acme", user_id="ann")
    bobs = add_conversation(database, [], number=2, user_id="bob")

    for name in (str(theirs), "last", theirs.hex[-6:], str(bobs), bobs.hex[-6:], bobs.hex[:6]):
        with pytest.raises(NotFoundError):
            rename(database, name, "x", **OWN, user_id="ann")
        with pytest.raises(NotFoundError):
            set_flag(database, [name], "starred", is_set=True, **OWN, user_id="ann")
        with pytest.raises(NotFoundError):
            touch(database, [name], **OWN, user_id="ann")
    assert read_conversation(database, str(bobs), **OWN, user_id="bob").title == "Conversation 2"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Hello", "Hello"),
        ("\n\n  # A *heading*\nmore", "A *heading*"),
        ("---\n> quoted words", "quoted words"),
        ("?!", "?!"),
        ("", None),
        (" \n\t", None),
        ("a\x1b[31mb\u202ec", "a[31mbc"),
        ("word " * 30, "word " * 11 + "word…"),
        ("x" * 100, "x" * 59 + "…"),
        ("👩‍👩‍👧‍👦" * 70, "👩‍👩‍👧‍👦" * 59 + "…"),
        ("🇩🇪" * 61, "🇩🇪" * 59 + "…"),
        ("e\u0301" * 61, "e\u0301" * 59 + "…"),
        ("각" * 61, unicodedata.normalize("NFC", "각" * 59) + "…"),
        (unicodedata.normalize("NFD", "각") * 61, unicodedata.normalize("NFD", "각") * 59 + "…"),
        ("👍🏽" * 60, "👍🏽" * 60),
    ],
)
def test_a_title_is_the_beginning_of_what_was_said(text: str, title: str | None) -> None:
    assert title_of(text) == title


@given(text=st.text(max_size=300))
def test_a_cut_title_is_a_beginning_and_short(text: str) -> None:
    shown = cut(text, LONGEST_TITLE)

    assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1].rstrip()))
    assert cut(text[:LONGEST_TITLE], LONGEST_TITLE) == text[:LONGEST_TITLE]


def test_new_ids_sort_by_their_time_and_differ() -> None:
    ids = [new_id() for _ in range(2_000)]

    assert len(set(ids)) == 2_000
    assert {(each.version, each.variant) for each in ids} == {(7, "specified in RFC 4122")}
    assert [each.int >> 76 for each in ids] == sorted(each.int >> 76 for each in ids)
