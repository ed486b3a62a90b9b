"""What the reader of Claude.ai exports makes of each shape and gotcha."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from chatdb.formats.branches import active_path
from chatdb.formats.claude.messages import ROOT
from chatdb.records import MARKS, Message
from tests.formats.reading import read_value

CONVERSATION = "0a1b2c3d-0000-4000-8000-00000000000a"
FIRST = "00000001-0000-4000-8000-000000000001"


def message(sender: Any = "human", text: Any = "hello", **fields: Any) -> dict[str, Any]:
    return {
        "uuid": FIRST,
        "sender": sender,
        "text": text,
        "created_at": "2025-01-01T00:00:01.5Z",
        "updated_at": "2025-01-01T00:00:01.5Z",
        "attachments": [],
        "files": [],
    } | fields


def conversation(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {
        "uuid": CONVERSATION,
        "name": "A talk",
        "created_at": "2025-01-01T00:00:00Z",
        "updated_at": "2025-01-02T00:00:00Z",
        "account": {"uuid": "account-1"},
        "chat_messages": list(messages),
    } | fields


def read_one(item: dict[str, Any], **fields: Any) -> Message:
    return read_value([conversation(item, **fields)]).only.messages[0]


def test_a_conversation_keeps_its_id_title_user_and_times() -> None:
    record = read_value([conversation(message(), summary="short")]).only

    assert record.id == UUID(CONVERSATION)
    assert (record.source, record.source_id) == ("claude", CONVERSATION)
    assert (record.title, record.user_id) == ("A talk", "account-1")
    assert record.created_at == datetime(2025, 1, 1, tzinfo=UTC)
    assert record.metadata == {"summary": "short"}
    assert record.messages[0].created_at == datetime(2025, 1, 1, 0, 0, 1, 500000, tzinfo=UTC)


def test_an_empty_name_is_no_title() -> None:
    assert read_value([conversation(message(), name="")]).only.title is None


@pytest.mark.parametrize(
    ("text", "content", "expected"),
    [
        ("old style", None, "old style"),
        ("", [{"type": "text", "text": "block"}], "block"),
        ("noise", [{"type": "text", "text": "block"}], "block"),
        ("", [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\n\nb"),
        ("text", [], "text"),
        ("text", "not a list", "text"),
        (None, "not a list", "not a list"),
        ("", [{"type": "tool_use", "name": "t", "input": {}}], ""),
        (None, None, ""),
    ],
)
def test_text_blocks_in_order_are_the_content_else_the_text(
    text: Any, content: Any, expected: str
) -> None:
    assert read_one(message(text=text, content=content)).content == expected


def test_thinking_tools_and_results_find_their_columns_and_order() -> None:
    read = read_one(
        message(
            "assistant",
            "",
            content=[
                {"type": "thinking", "thinking": "hm", "summaries": [], "cut_off": False},
                {"type": "text", "text": "one", "citations": [{"url": "u"}]},
                {"type": "tool_use", "id": None, "name": "repl", "input": {"code": "1"}},
                {"type": "tool_result", "name": "repl", "content": [], "is_error": False},
                {"type": "text", "text": "three"},
                {"type": "token_budget"},
                {"type": "novelty", "data": 1},
            ],
        )
    )

    assert read.content == "one\n\nthree"
    assert read.reasoning == [{"content": "hm", "cut_off": False}]
    assert read.tool_calls == [{"name": "repl", "input": {"code": "1"}}]
    assert read.tool_outputs == [{"name": "repl", "is_error": False}]
    assert read.metadata["content"] == [
        {"type": "thinking"},
        {"type": "text", "citations": [{"url": "u"}], "length": 3},
        {"type": "tool_use"},
        {"type": "tool_result"},
        {"type": "text", "length": 5},
        {"type": "token_budget"},
        {"type": "novelty", "data": 1},
    ]


def test_a_text_that_differs_from_the_blocks_is_kept() -> None:
    read = read_one(message(text="flat", content=[{"type": "text", "text": "block"}]))

    assert read.metadata["text"] == "flat"


def test_pasted_texts_and_files_are_attachments() -> None:
    pasted = {"file_name": "a.txt", "extracted_content": "inside"}
    files = [{"file_name": "b.png", "file_uuid": "f"}]

    read = read_one(message(attachments=[pasted], files=files, files_v2=files))

    assert read.attachments == [pasted, {"kind": "file", "file_name": "b.png", "file_uuid": "f"}]
    assert read.metadata == {}


def test_parents_make_a_tree_and_the_newest_leaf_is_active() -> None:
    record = read_value(
        [
            conversation(
                message(uuid="a", parent_message_uuid=ROOT),
                message("assistant", uuid="b", parent_message_uuid="a"),
                message("assistant", uuid="c", parent_message_uuid="a"),
            )
        ]
    ).only

    question, first, second = record.messages
    assert question.parent_id is None
    assert first.parent_id == second.parent_id == question.id
    assert record.current_message_id == second.id
    assert "parent_message_uuid" not in question.metadata


def test_the_named_leaf_is_active() -> None:
    record = read_value(
        conversation(
            message(uuid="a", parent_message_uuid=ROOT),
            message("assistant", uuid="b", parent_message_uuid="a"),
            message("assistant", uuid="c", parent_message_uuid="a"),
            current_leaf_message_uuid="b",
            model="claude-x",
        )
    ).only

    assert record.current_message_id == record.messages[1].id
    assert record.messages[1].model == "claude-x"
    assert record.messages[0].model is None


def test_children_before_their_parents_are_put_after_them() -> None:
    record = read_value(
        [
            conversation(
                message("assistant", uuid="b", parent_message_uuid="a"),
                message(uuid="a", parent_message_uuid=ROOT),
            )
        ]
    ).only

    assert [item.source_id for item in record.messages] == ["a", "b"]


def test_a_flat_list_is_one_chain_in_its_own_order() -> None:
    late, early = "2025-01-01T00:00:09Z", "2025-01-01T00:00:01Z"
    record = read_value(
        [
            conversation(
                message(uuid="a", created_at=late),
                message(uuid="b", created_at=early),
                message("assistant", uuid="c", created_at=early),
            )
        ]
    ).only

    assert [item.source_id for item in record.messages] == ["a", "b", "c"]
    assert record.messages[1].parent_id == record.messages[0].id
    assert record.messages[2].parent_id == record.messages[1].id
    assert record.current_message_id == record.messages[2].id


def test_a_parent_that_does_not_exist_stays_named() -> None:
    record = read_value(
        [
            conversation(
                message(uuid="a", parent_message_uuid="lost"),
                message(uuid="b", parent_message_uuid="a"),
            )
        ]
    ).only

    assert record.messages[0].parent_id is not None
    assert record.messages[0].metadata["parent_message_uuid"] == "lost"


def test_a_circle_of_parents_is_cut() -> None:
    reading = read_value(
        [
            conversation(
                message(uuid="a", parent_message_uuid="b"),
                message(uuid="b", parent_message_uuid="a"),
            )
        ]
    )

    assert len(reading.only.messages) == 2
    assert any("circle" in note for note in reading.tally.lossy)


def test_a_users_message_of_results_only_is_a_tools() -> None:
    content = [{"type": "tool_result", "content": [{"type": "text", "text": "42"}]}]

    read = read_one(message("user", "", content=content))

    assert read.role == "tool"
    assert read.metadata[MARKS]["role"] == "user"


@pytest.mark.parametrize(
    ("sender", "role"),
    [
        ("human", "user"),
        ("assistant", "assistant"),
        ("ASSISTANT", "assistant"),
        (None, "assistant"),
    ],
)
def test_senders_become_roles(sender: Any, role: str) -> None:
    assert read_one(message(sender)).role == role


def test_repeated_and_missing_message_ids_get_stable_ones() -> None:
    value = [conversation(message(), message(), message(uuid=None), message(uuid=None))]

    first, again = read_value(value).only, read_value(value).only

    ids = [item.id for item in first.messages]
    assert len(set(ids)) == 4
    assert ids == [item.id for item in again.messages]
    assert first.messages[0].id == UUID(FIRST)
    assert first.messages[2].source_id is None


@pytest.mark.parametrize("messages", [None, "text", {}])
def test_a_record_without_a_list_of_messages_is_skipped(messages: Any) -> None:
    reading = read_value([conversation(chat_messages=messages), conversation(message())])

    assert len(reading.conversations) == 1
    assert reading.skipped[0].source_id == CONVERSATION
    assert "chat_messages" in reading.skipped[0].reason


def test_a_conversation_without_messages_is_still_one() -> None:
    assert read_value([conversation()]).only.messages == []


@pytest.mark.parametrize("broken", [None, 5, "text", [], {}])
def test_a_message_that_is_none_is_skipped_and_the_others_read(broken: Any) -> None:
    reading = read_value([conversation(broken, message())])

    assert len(reading.only.messages) == 1
    assert "message 1" in reading.skipped[0].place


def test_no_field_of_the_source_is_lost() -> None:
    value = conversation(
        message(truncated=True, index=4, updated_at="2025-01-01T00:00:05Z", brand_new=[1]),
        project_uuid="p",
        novelty=1,
    )

    reading = read_value([value])

    assert reading.only.metadata == {"project_uuid": "p", "novelty": 1}
    assert reading.only.messages[0].metadata == {
        "truncated": True,
        "index": 4,
        "updated_at": "2025-01-01T00:00:05Z",
        "brand_new": [1],
    }
    assert reading.tally.unknown_fields == {"novelty": 1, "chat_messages.brand_new": 1}


@pytest.mark.parametrize("leaf", ["a", "b", "nobody"])
def test_a_list_without_parents_is_shown_whole_wherever_its_leaf_is(leaf: str) -> None:
    reading = read_value(
        conversation(
            message(uuid="a"),
            message("assistant", uuid="b"),
            message(uuid="c"),
            current_leaf_message_uuid=leaf,
        )
    )

    record = reading.only
    assert record.current_message_id == record.messages[-1].id
    assert [each.source_id for each in active_path(record)] == ["a", "b", "c"]
    assert record.metadata["current_leaf_message_uuid"] == leaf
    assert sum(reading.tally.lossy.values()) == 1
