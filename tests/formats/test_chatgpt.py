"""What the reader of ChatGPT exports makes of a conversation, its times and unknown fields."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from chatdb.formats.unread import is_same_source
from chatdb.records import MARKS, Message
from tests.formats.chatgpt_samples import (
    CONVERSATION,
    STARTED,
    conversation,
    message,
    node,
    one_message,
)
from tests.formats.reading import read_bytes, read_value


def read_one(item: dict[str, Any]) -> Message:
    return read_value([one_message(item)]).only.messages[0]


def test_a_conversation_keeps_its_id_title_times_and_source() -> None:
    record = read_value([conversation(node("a", None, message()))]).only

    assert record.id == UUID(CONVERSATION)
    assert (record.source, record.source_id) == ("chatgpt", CONVERSATION)
    assert record.title == "A talk"
    assert record.created_at == datetime(2023, 11, 14, 22, 13, 20, 250000, tzinfo=UTC)
    assert record.updated_at == datetime(2023, 11, 14, 22, 15, 0, 250000, tzinfo=UTC)
    assert record.archived_at is None


def test_an_archived_conversation_is_archived() -> None:
    record = read_value([conversation(node("a", None, message()), is_archived=True)]).only

    assert record.archived_at == record.updated_at


@pytest.mark.parametrize("raw", [STARTED + 7, "2023-11-14T22:13:27.250Z"])
def test_a_pinned_conversation_is_pinned_since_its_own_time(raw: Any) -> None:
    record = read_value([conversation(node("a", None, message()), pinned_time=raw)]).only

    assert record.pinned_at == datetime(2023, 11, 14, 22, 13, 27, 250000, tzinfo=UTC)
    assert (record.archived_at, record.starred_at, record.metadata) == (None, None, {})


def test_a_pinned_time_in_milliseconds_is_read_and_kept_as_it_was() -> None:
    raw = 1_700_000_007_250
    record = read_value([conversation(node("a", None, message()), pinned_time=raw)]).only

    assert record.pinned_at == datetime(2023, 11, 14, 22, 13, 27, 250000, tzinfo=UTC)
    assert record.metadata == {MARKS: {"pinned_at": raw}}


def test_a_conversation_without_a_pinned_time_is_not_pinned() -> None:
    records = [
        read_value([conversation(node("a", None, message()), **fields)]).only
        for fields in ({}, {"pinned_time": None})
    ]

    assert [record.pinned_at for record in records] == [None, None]
    assert [record.metadata for record in records] == [{}, {}]
    assert is_same_source(records[0].source_hash, records[1].source_hash)


@pytest.mark.parametrize("raw", [0, -5.0, "soon", True, 1e300, {"a": 1}, 4e9 * 1.5])
def test_a_pinned_time_that_is_none_pins_nothing_and_is_kept(raw: Any) -> None:
    record = read_value([conversation(node("a", None, message()), pinned_time=raw)]).only

    assert record.pinned_at is None
    assert record.metadata == {MARKS: {"pinned_at": raw}}


@pytest.mark.parametrize("raw", [0, -5.0, None, "soon", True, 1e300, {"a": 1}, 4e9 * 1.5])
def test_an_impossible_time_is_inherited_and_kept(raw: Any) -> None:
    record = read_value(
        [
            conversation(
                node("a", None, message(at=STARTED + 5)), node("b", "a", message(at=raw))
            )
        ]
    ).only  # fmt: skip

    late = record.messages[1]
    assert late.created_at == record.messages[0].created_at
    assert late.metadata[MARKS]["time"] == "interpolated"
    assert late.metadata[MARKS].get("created_at") == raw


@pytest.mark.parametrize("raw", [1_700_000_000_000, "2023-11-14T22:13:20", 1.7e18])
def test_a_time_in_another_unit_is_understood_and_kept(raw: Any) -> None:
    read = read_one(message(at=raw))

    assert read.created_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert read.metadata[MARKS]["created_at"] == raw


def test_a_conversation_without_times_takes_them_from_its_messages() -> None:
    record = read_value(
        [
            conversation(
                node("a", None, message(at=STARTED)), node("b", "a", message(at=STARTED + 1)),
                create_time=None, update_time=None,
            )
        ]
    ).only  # fmt: skip

    assert record.created_at == record.messages[0].created_at
    assert record.updated_at == record.messages[1].created_at


def test_a_conversation_without_any_time_is_read_alike_every_time() -> None:
    value = [conversation(node("a", None, message(at=None)), create_time=None, update_time=0)]

    assert read_value(value).only == read_value(value).only


def test_no_field_of_the_source_is_lost() -> None:
    item = message(
        update_time=3.5,
        end_turn=False,
        channel="final",
        novelty={"deep": [1]},
        chatdb="theirs",
        metadata={"citations": [{"start_ix": 1}], "finish_details": {"type": "stop"}},
    )
    value = one_message(item) | {"safe_urls": ["u"], "brand_new": 1, "chatdb": 2}
    value["mapping"]["only"]["novel"] = "node"

    reading = read_value([value])

    record = reading.only
    metadata = record.messages[0].metadata
    assert metadata["update_time"] == 3.5
    assert metadata["end_turn"] is False
    assert metadata["channel"] == "final"
    assert metadata["novelty"] == {"deep": [1]}
    assert metadata["node"] == {"novel": "node"}
    assert metadata["metadata"]["citations"] == [{"start_ix": 1}]
    assert metadata[MARKS]["field"] == "theirs"
    assert (record.metadata["safe_urls"], record.metadata["brand_new"]) == (["u"], 1)
    assert record.metadata[MARKS]["field"] == 2
    assert reading.tally.unknown_fields.keys() >= {
        "brand_new",
        "mapping.message.novelty",
        "mapping.novel",
    }


def test_the_hash_ignores_key_order_and_white_space_but_no_change() -> None:
    value = conversation(node("root", None, None), node("a", "root", message()))
    changed = conversation(node("root", None, None), node("a", "root", message(text="hello!")))
    turned = {key: value[key] for key in reversed(value)}

    plain = read_value([value]).only.source_hash
    pretty = read_bytes(json.dumps([turned], indent=3).encode()).only.source_hash

    assert plain != pretty
    assert is_same_source(plain, pretty)
    assert not is_same_source(plain, read_value([changed]).only.source_hash)
