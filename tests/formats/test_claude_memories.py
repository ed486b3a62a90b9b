"""What the reader of Claude's memories makes of them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chatdb.formats.times import EPOCH
from chatdb.records import MARKS, Conversation
from tests.formats.claude_export import ACCOUNT, PROJECT, memories
from tests.formats.reading import read_value

FILE = {"path": "/areas/shop.md", "content": "sells brine", "updated_at": "2026-09-02T00:00:00Z"}


def read_all(value: Any) -> dict[str | None, Conversation]:
    reading = read_value(value)
    assert reading.format == "claude-memories"
    assert reading.skipped == []
    assert reading.tally.kinds == {"memory": len(reading.conversations)}
    return {each.source_id: each for each in reading.conversations}


def test_each_text_is_a_conversation_of_the_accounts() -> None:
    found = read_all(memories(project_memories={PROJECT: "short texts"}, memory_files=[FILE]))

    assert {name: (each.title, each.messages[0].content) for name, each in found.items()} == {
        f"{ACCOUNT}/conversations_memory": ("Memory", "likes pickles"),
        f"{ACCOUNT}/project_memories/{PROJECT}": ("Project memory", "short texts"),
        f"{ACCOUNT}/memory_files//areas/shop.md": ("/areas/shop.md", "sells brine"),
    }
    for each in found.values():
        assert (each.kind, each.user_id, each.source) == ("memory", ACCOUNT, "claude-memories")
        assert [message.role for message in each.messages] == ["assistant"]
    assert found[f"{ACCOUNT}/project_memories/{PROJECT}"].metadata["project"] == {"uuid": PROJECT}


def test_a_memory_has_no_time_and_is_marked_so() -> None:
    (record,) = read_all(memories()).values()

    assert record.created_at == record.updated_at == record.messages[0].created_at == EPOCH
    assert record.metadata == {MARKS: {"time": "interpolated"}}
    assert record.messages[0].metadata == {MARKS: {"time": "interpolated"}}


def test_a_memory_file_has_the_time_of_its_last_change() -> None:
    (record,) = read_all({"account_uuid": ACCOUNT, "memory_files": [FILE]}).values()

    assert record.updated_at == record.messages[0].created_at == datetime(2026, 9, 2, tzinfo=UTC)
    assert record.messages[0].metadata == {}


def test_another_text_is_another_message_of_the_same_conversation() -> None:
    (first,) = read_all(memories("tea")).values()
    (second,) = read_all(memories("coffee")).values()

    assert first.id == second.id
    assert first.messages[0].id != second.messages[0].id


def test_memories_of_two_accounts_are_two_conversations() -> None:
    assert len(read_all([memories(), memories(account_uuid=PROJECT)])) == 2


def test_empty_ones_are_left_out() -> None:
    empty = memories("", project_memories={PROJECT: ""}, memory_files=[])

    assert read_value(empty).conversations == []


def test_fields_that_are_not_known_are_kept_and_addresses_are_not() -> None:
    (record,) = read_all(memories(style="brief", email_address="ann@example.org")).values()

    assert record.metadata == {"style": "brief", MARKS: {"time": "interpolated"}}


@pytest.mark.parametrize(
    "fields",
    [
        {"project_memories": {PROJECT: {"text": "x"}}},
        {"project_memories": "x"},
        {"memory_files": [["x"]]},
        {"memory_files": {"path": "x"}},
        {"memory_files": [{"path": "/a", "content": 5}]},
    ],
)
def test_an_unknown_shape_is_read_or_named(fields: dict[str, Any]) -> None:
    reading = read_value(memories(**fields))

    assert reading.conversations[0].messages[0].content == "likes pickles"
    others = [each.messages[0].content for each in reading.conversations[1:]]
    assert others == ["x"] or [each.reason[:19] for each in reading.skipped] == [
        "a memory is no text"
    ]


def test_a_file_without_a_path_is_known_by_its_number() -> None:
    found = read_all(memories("", memory_files=[{"content": "a"}, {"content": "b"}]))

    assert [each.messages[0].content for each in found.values()] == ["a", "b"]


def test_a_files_own_fields_may_have_any_name() -> None:
    others = {"title": "A", "text": "t", "place": "p"}

    found = read_all(memories(memory_files=[FILE | others]))

    kept = found[f"{ACCOUNT}/memory_files//areas/shop.md"]
    assert (kept.title, kept.messages[0].content) == ("/areas/shop.md", "sells brine")
    held = kept.metadata | kept.messages[0].metadata
    assert others.items() <= held.items()
