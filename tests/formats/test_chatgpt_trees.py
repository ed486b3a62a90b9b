"""Branches, parents, ids: what becomes of the tree of a ChatGPT conversation."""

from typing import Any
from uuid import UUID

import pytest

from tests.formats.chatgpt_samples import (
    STARTED,
    conversation,
    message,
    node,
)
from tests.formats.reading import read_value


def test_every_branch_is_kept_and_the_active_leaf_marked() -> None:
    record = read_value(
        [
            conversation(
                node("root", None, None),
                node("question", "root", message()),
                node("second answer", "question", message("assistant", "two"), children=[]),
                node("first answer", "question", message("assistant", "one"), children=[]),
                current_node="first answer",
            )
        ]
    ).only

    by_name = {item.source_id: item for item in record.messages}
    assert [item.source_id for item in record.messages] == [
        "question",
        "second answer",
        "first answer",
    ]
    assert by_name["first answer"].parent_id == by_name["question"].id
    assert by_name["second answer"].parent_id == by_name["question"].id
    assert record.current_message_id == by_name["first answer"].id


def test_siblings_follow_the_order_of_their_parents_children() -> None:
    record = read_value(
        [
            conversation(
                node("one", "top", message()),
                node("two", "top", message()),
                ("top", {"parent": None, "message": message(), "children": ["two", "one"]}),
            )
        ]
    ).only

    assert [item.source_id for item in record.messages] == ["top", "two", "one"]


def test_nodes_without_message_are_bridged_and_kept_in_metadata() -> None:
    record = read_value(
        [
            conversation(
                node("client-created-root", None, None),
                node("a", "client-created-root", message()),
                node("gap", "a", None, weird=7),
                node("b", "gap", message("assistant")),
                current_node="gap",
            )
        ]
    ).only

    first, second = record.messages
    assert first.parent_id is None
    assert second.parent_id == first.id
    assert record.current_message_id == first.id
    assert record.metadata["mapping"] == {
        "client-created-root": {"id": "client-created-root", "children": ["a"]},
        "gap": {"id": "gap", "parent": "a", "children": ["b"], "weird": 7},
    }


@pytest.mark.parametrize("current", [None, "nowhere", 5])
def test_without_a_usable_current_node_the_newest_leaf_is_active(current: Any) -> None:
    reading = read_value(
        [
            conversation(
                node("a", None, message(at=STARTED)),
                node("new", "a", message(at=STARTED + 9)),
                node("old", "a", message(at=STARTED + 5)),
                current_node=current,
            )
        ]
    )

    newest = next(item for item in reading.only.messages if item.source_id == "new")
    assert reading.only.current_message_id == newest.id
    assert any("current_node" in note for note in reading.tally.lossy)


def test_parents_may_stand_after_children() -> None:
    record = read_value(
        [conversation(node("b", "a", message("assistant")), node("a", None, message()))]
    ).only

    assert [item.source_id for item in record.messages] == ["a", "b"]


def test_a_parent_that_does_not_exist_stays_named() -> None:
    record = read_value([conversation(node("a", "lost", message()))]).only

    assert record.messages[0].parent_id is not None


def test_a_node_without_parent_is_found_through_the_children_of_another() -> None:
    record = read_value(
        [
            conversation(
                ("a", {"message": message(), "children": ["b"]}),
                ("b", {"message": message("assistant"), "children": []}),
            )
        ]
    ).only

    assert record.messages[1].parent_id == record.messages[0].id


def test_a_circle_of_nodes_is_cut_and_every_message_kept() -> None:
    reading = read_value([conversation(node("a", "b", message()), node("b", "a", message()))])

    assert len(reading.only.messages) == 2
    assert reading.only.messages[0].parent_id is None
    assert any("circle" in note for note in reading.tally.lossy)


def test_ids_are_kept_when_uuids_and_stable_when_not() -> None:
    upper = "ABCDEF12-0000-4000-8000-000000000001"
    value = [conversation(node(upper, None, message()), node("short", upper, message()))]

    first, second = read_value(value).only, read_value(value).only

    assert first.messages[0].id == UUID(upper)
    assert first.messages[0].source_id == upper
    assert first.messages[1].id.version == 5
    assert [item.id for item in first.messages] == [item.id for item in second.messages]


def test_the_same_node_id_in_two_conversations_gives_two_message_ids() -> None:
    other = conversation(node("a", None, message()), id="x", conversation_id="x")

    reading = read_value([conversation(node("a", None, message())), other])

    ids = {item.messages[0].id for item in reading.conversations}
    assert len(ids) == 2


def test_two_nodes_with_one_message_id_get_two_ids() -> None:
    same = "11111111-2222-4333-8444-555555555555"
    reading = read_value(
        [
            conversation(
                node("a", None, message() | {"id": same}),
                node("b", "a", message() | {"id": same}),
            )
        ]
    )

    first, second = reading.only.messages
    assert first.id == UUID(same)
    assert second.id != first.id
    assert second.source_id == same
    assert second.metadata["node"]["id"] == "b"
    assert any("twice" in note for note in reading.tally.lossy)


def test_an_id_that_is_no_uuid_depends_on_the_source_name() -> None:
    value = [conversation(node("a", None, message()), id="7", conversation_id="7")]

    one = read_value(value, source_name="one").only
    two = read_value(value, source_name="two").only

    assert one.id != two.id
    assert (one.source_name, one.source_id) == ("one", "7")


def test_a_conversation_without_id_gets_the_same_one_every_time() -> None:
    value = conversation(node("a", None, message()))
    del value["id"], value["conversation_id"]
    other = conversation(node("a", None, message(text="else"))) | {"id": None}
    del other["conversation_id"]

    reading = read_value([value, other])

    assert reading.conversations[0].source_id is None
    assert reading.conversations[0].id == read_value([value]).only.id
    assert reading.conversations[0].id != reading.conversations[1].id
