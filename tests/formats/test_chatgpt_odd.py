"""ChatGPT exports that are broken, odd or very large: nothing stops, nothing passes in silence."""

import json
from typing import Any

import pytest

from chatdb.records import MARKS
from tests.formats.chatgpt_samples import (
    conversation,
    message,
    node,
    one_message,
)
from tests.formats.reading import read_bytes, read_value


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"title": "Corrupted", "id": "x"}, "mapping"),
        ({"title": "Corrupted", "mapping": None}, "mapping"),
        (None, "null"),
        ([1], "list"),
        ("text", "a text"),
    ],
)
def test_a_broken_entry_is_skipped_and_the_others_read(entry: Any, reason: str) -> None:
    reading = read_value([entry, conversation(node("a", None, message()))])

    assert len(reading.conversations) == 1
    assert reason in reading.skipped[0].reason
    assert "entry 1" in reading.skipped[0].place


@pytest.mark.parametrize("broken", [5, "text", [1]])
def test_a_message_that_is_no_object_is_skipped_and_named(broken: Any) -> None:
    reading = read_value(
        [
            conversation(
                node("a", None, message()),
                ("b", {"id": "b", "parent": "a", "children": [], "message": broken}),
                ("c", broken),
                current_node="a",
            )
        ]
    )

    assert len(reading.only.messages) == 1
    assert [item.source_id for item in reading.skipped] == ["b", "c"]
    assert reading.only.metadata["mapping"]["b"]["message"] == broken


def test_an_empty_conversation_is_still_one() -> None:
    record = read_value([conversation()]).only

    assert record.messages == []
    assert record.current_message_id is None


def test_nul_and_lone_surrogates_are_replaced_counted_and_kept() -> None:
    text = json.dumps([one_message(message(text="a\x00b\ud800c"))])

    reading = read_bytes(text.encode())

    read = reading.only.messages[0]
    assert read.content == "a\ufffdb\ufffdc"
    assert reading.tally.replaced_characters == 2
    assert read.metadata[MARKS]["original"]["content"] == "YQBi7aCAYw=="


def test_odd_numbers_do_not_stop_the_conversation() -> None:
    text = json.dumps([one_message(message(metadata={"n": "N"}))])

    reading = read_bytes(text.replace('"N"', "[NaN, 1e400, 1e22]").encode())

    assert reading.only.messages[0].metadata["metadata"]["n"] == ["NaN", "Infinity", 1e22]


@pytest.mark.large
def test_a_chain_of_100000_messages_is_read_without_recursion() -> None:
    count = 100_000
    nodes = [node("0", None, message())]
    nodes += [node(str(i), str(i - 1), message()) for i in range(1, count)]

    record = read_value([conversation(*nodes)]).only

    assert len(record.messages) == count
    assert record.messages[-1].parent_id == record.messages[-2].id


@pytest.mark.large
def test_a_message_of_50_megabytes_is_read() -> None:
    size = 50_000_000

    record = read_value([one_message(message(text="x" * size))]).only

    assert len(record.messages[0].content) == size


def test_a_text_in_a_part_of_an_unknown_kind_is_the_content_where_there_is_no_other() -> None:
    part = {"content_type": "mystery", "text": "deepword"}

    content = {"content_type": "multimodal_text", "parts": [None, part]}

    (read,) = read_value([one_message(message(text=content))]).only.messages

    assert read.content == "deepword"
    assert read.attachments == [part]
