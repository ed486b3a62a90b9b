"""The laws of merging: a union, idempotent, in which what was done here stays."""

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb.operations.importing.merge import (
    is_conflict,
    merge,
    same_conversation_row,
    same_message,
    without_messages,
)
from chatdb.records import Conversation, Message
from chatdb.store.columns import FLAGS
from tests.operations.importing import at, contents, conversation, identifier, message


def equal(one: Conversation, other: Conversation) -> bool:
    return (
        same_conversation_row(one, other, but_hash=False)
        and len(one.messages) == len(other.messages)
        and all(map(same_message, one.messages, other.messages))
        and one.snapshots == other.snapshots
    )


NAMES = st.sampled_from("abcdefghij")


@st.composite
def messages_of(draw: st.DrawFn) -> list[Message]:
    names = draw(st.lists(NAMES, unique=True, max_size=8))
    result: list[Message] = []
    for name in names:
        parent = draw(st.sampled_from([None, "missing", *(each.source_id for each in result)]))
        made = message(
            name,
            parent,
            content=draw(st.sampled_from(["x", "y"])),
            metadata=draw(st.sampled_from([{}, {"n": 1}, {"n": True}, {"n": 1.0}])),
            source_id=draw(st.sampled_from([name, name, None])),
            edited_at=draw(st.sampled_from([None, None, at(1), at(2)])),
        )
        result.append(made)
    return result


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    messages = draw(messages_of())
    leaf = draw(st.sampled_from([None, *(each.id for each in messages)]))
    return conversation(
        "talk",
        messages,
        draw(st.integers(0, 3)),
        current_message_id=leaf,
        title=draw(st.sampled_from([None, "one", "two"])),
        **{column: draw(st.sampled_from([None, at(0)])) for column in FLAGS.values()},
        edited_at=draw(st.sampled_from([None, None, at(1), at(2)])),
        user_id=draw(st.sampled_from([None, "u"])),
        source_hash=draw(st.sampled_from([None, "h1", "h2"])),
        metadata=draw(st.sampled_from([{}, {"k": [1]}])),
    )


@given(conversations(), conversations())
def test_merging_the_same_again_changes_nothing(mine: Conversation, theirs: Conversation) -> None:
    once = merge(mine, theirs)

    assert equal(merge(once, theirs), once)


@given(conversations())
def test_merging_a_conversation_with_itself_changes_nothing(mine: Conversation) -> None:
    assert equal(merge(mine, mine), mine)


@given(conversations(), conversations())
def test_a_merge_holds_every_message_of_both_once(mine: Conversation, theirs: Conversation) -> None:
    merged = merge(mine, theirs)

    ids = [each.id for each in merged.messages]
    assert len(ids) == len(set(ids))
    assert set(ids) == {each.id for each in [*mine.messages, *theirs.messages]}


@given(conversations(), conversations())
def test_parents_come_before_their_children_in_a_union_that_grew(
    mine: Conversation, theirs: Conversation
) -> None:
    merged = merge(mine, theirs)

    places = {each.id: place for place, each in enumerate(merged.messages)}
    parents = {each.id: each.parent_id for each in merged.messages}
    if len(places) == len(mine.messages):
        return
    for child, parent in parents.items():
        if parent in places and not _in_cycle(child, parents):
            assert places[parent] < places[child]


def _in_cycle(start: UUID, parents: dict[UUID, UUID | None]) -> bool:
    """Tell whether going up from a message never ends: such messages have no right order."""
    here, steps = parents.get(start), 0
    while here is not None and steps <= len(parents):
        here, steps = parents.get(here), steps + 1
    return here is not None


@given(conversations(), conversations())
def test_updated_at_never_goes_back(mine: Conversation, theirs: Conversation) -> None:
    assert merge(mine, theirs).updated_at == max(mine.updated_at, theirs.updated_at)


@given(conversations(), conversations())
def test_messages_made_or_edited_here_stay_unless_edited_later_there(
    mine: Conversation, theirs: Conversation
) -> None:
    merged = {each.id: each for each in merge(mine, theirs).messages}

    incoming = {each.id: each for each in theirs.messages}
    for each in mine.messages:
        there = incoming.get(each.id)
        later = (
            there is not None
            and there.edited_at is not None
            and (each.edited_at is None or there.edited_at > each.edited_at)
        )
        if (each.source_id is None or each.edited_at is not None) and not later:
            assert merged[each.id] is each


@given(conversations(), st.integers(0, 8))
def test_an_older_export_after_a_newer_one_changes_nothing(
    newer: Conversation, length: int
) -> None:
    older = msgspec.structs.replace(
        newer,
        messages=newer.messages[:length],
        updated_at=newer.updated_at - timedelta(minutes=1),
        title="the old title",
        edited_at=None,
        source_hash="old",
        current_message_id=None,
        user_id=None,
        **dict.fromkeys(FLAGS.values()),
    )

    assert equal(merge(newer, older), newer)


@pytest.mark.parametrize("column", FLAGS.values())
def test_a_newer_export_moves_title_flags_and_leaf(column: str) -> None:
    mine = conversation("talk", [message("a")], title="old")
    grown, flag = [message("a"), message("b", "a")], {column: at(5)}
    theirs = conversation("talk", grown, 5, title="new", **flag)

    merged = merge(mine, theirs)

    assert (merged.title, getattr(merged, column)) == ("new", at(5))
    assert getattr(merge(merged, conversation("talk", grown, 6)), column) is None
    assert merged.current_message_id == identifier("b")


def test_a_title_changed_here_stays() -> None:
    mine = conversation("talk", [message("a")], title="mine", edited_at=at(1))
    theirs = conversation("talk", [message("a")], 5, title="theirs")

    assert merge(mine, theirs).title == "mine"


def test_the_leaf_stays_where_the_source_is_not_newer() -> None:
    mine = conversation("talk", [message("a"), message("b", "a")], 5)
    theirs = conversation("talk", [message("a"), message("c", "a")], 5)

    assert merge(mine, theirs).current_message_id == identifier("b")


def test_a_message_added_here_keeps_its_place_behind_what_it_followed() -> None:
    here = message("mine", "b", source_id=None)
    mine = conversation("talk", [message("a"), message("b", "a"), here])
    theirs = conversation("talk", [message("a"), message("b", "a"), message("c", "b")], 5)

    assert contents(merge(mine, theirs)) == ["a", "b", "mine", "c"]


def test_a_message_goes_behind_its_parent_when_the_orders_disagree() -> None:
    here = message("mine", "b", source_id=None)
    mine = conversation("talk", [message("b"), message("a"), here])
    theirs = conversation("talk", [message("a"), message("b"), message("c")], 5)

    assert contents(merge(mine, theirs)) == ["a", "b", "mine", "c"]


def test_true_in_metadata_is_not_the_number_one() -> None:
    mine = conversation("talk", [message("a", metadata={"flag": 1})])
    theirs = conversation("talk", [message("a", metadata={"flag": True})], 5)

    assert merge(mine, theirs).messages[0].metadata["flag"] is True


def test_another_user_and_another_creation_time_are_a_conflict() -> None:
    mine = conversation("talk", user_id="ann")

    assert is_conflict(mine, conversation("talk", user_id="bob", created_at=at(9)))
    assert not is_conflict(mine, conversation("talk", user_id="bob"))
    assert not is_conflict(mine, conversation("talk", user_id=None, created_at=at(9)))


def test_a_leaf_that_is_gone_moves_to_the_nearest_ancestor_left() -> None:
    record = conversation("talk", [message("a"), message("b", "a"), message("c", "b")])

    left = without_messages(record, {identifier("b"), identifier("c")})

    assert contents(left) == ["a"]
    assert left.current_message_id == identifier("a")


@pytest.mark.large
def test_a_hundred_thousand_messages_in_a_chain_merge_without_recursion() -> None:
    names = [f"m{number}" for number in range(100_000)]
    chain = [message(name, names[place - 1] if place else None) for place, name in enumerate(names)]
    mine = conversation("talk", chain[::-1])
    theirs = conversation("talk", [*chain[::-1], message("new", names[-1])], 5)

    merged = merge(mine, theirs)

    assert merged.messages[0].source_id == "m0"
    assert merged.messages[-1].source_id == "new"
