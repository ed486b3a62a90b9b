"""What the reader of Claude's design chats makes of their shape."""

import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatdb.records import MARKS
from tests.formats.reading import read_path, read_value

CHAT = "0a1b2c3d-0000-4000-8000-0000000000d5"
NOON = "2026-09-01T12:00:00Z"


def said(identifier: str, text: Any, **fields: Any) -> dict[str, Any]:
    content = {"content": text, "authorAccountUuid": "account-1", "timestamp": NOON, **fields}
    return {"uuid": identifier, "role": "user", "created_at": NOON, "content": content}


def answered(identifier: str, text: str, *blocks: dict[str, Any]) -> dict[str, Any]:
    content = {"content": text, "contentBlocks": list(blocks)}
    return {"uuid": identifier, "role": "assistant", "created_at": NOON, "content": content}


def chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {
        "uuid": CHAT,
        "title": "A poster",
        "project": {"uuid": "project-1", "name": "Posters"},
        "created_at": "2026-09-01T11:00:00Z",
        "updated_at": NOON,
        "messages": list(messages),
    } | fields


def test_it_is_a_conversation_of_a_chain_of_messages() -> None:
    reading = read_value(chat(said("m1", "draw a ship"), answered("m2", "Here it is")))

    assert reading.format == "claude-design"
    assert (reading.tally.unknown_fields, reading.tally.lossy) == ({}, {})
    record = reading.only
    assert (record.source, record.source_id) == ("claude-design", CHAT)
    assert (record.title, record.user_id) == ("A poster", "account-1")
    assert record.updated_at == datetime(2026, 9, 1, 12, tzinfo=UTC)
    assert record.metadata == {"project": {"uuid": "project-1", "name": "Posters"}}
    question, answer = record.messages
    assert (question.role, question.content, question.metadata) == ("user", "draw a ship", {})
    assert (answer.role, answer.content) == ("assistant", "Here it is")
    assert (answer.parent_id, record.current_message_id) == (question.id, answer.id)


def test_thoughts_calls_and_their_outputs_find_their_columns() -> None:
    answer = answered(
        "m2",
        "Done",
        {"type": "thinking", "text": "a hull first"},
        {
            "type": "tool_call",
            "toolCall": {"id": "c1", "name": "draw", "input": {"w": 3}, "output": "ok"},
        },
        {"type": "tool_call", "toolCall": {"name": "wait", "input": {}}},
        {"type": "text", "text": "Done"},
    )

    message = read_value(chat(said("m1", "draw"), answer)).only.messages[1]

    assert message.content == "Done"
    assert message.reasoning == [{"content": "a hull first"}]
    assert message.tool_calls == [{"id": "c1", "name": "draw", "input": {"w": 3}}, {"name": "wait"}]
    assert message.tool_outputs == [{"tool_use_id": "c1", "name": "draw", "content": "ok"}]


def test_what_a_person_says_meanwhile_is_a_message_of_the_persons() -> None:
    answer = answered(
        "m2",
        "First. Then.",
        {"type": "text", "text": "First."},
        {"type": "user_interjection", "message": {"content": "in blue, please"}},
        {"type": "text", "text": "Then."},
    )

    reading = read_value(chat(said("m1", "draw"), answer))

    messages = reading.only.messages
    assert [(each.role, each.content) for each in messages[1:]] == [
        ("assistant", "First."),
        ("user", "in blue, please"),
        ("assistant", "Then."),
    ]
    assert [each.source_id for each in messages] == ["m1", "m2", "m2#1", "m2#2"]
    assert [each.parent_id for each in messages[1:]] == [each.id for each in messages[:-1]]
    assert reading.tally.lossy == {"a person's words inside an answer: a message of their own": 1}


def test_an_interjection_at_the_end_leaves_no_empty_answer() -> None:
    answer = answered("m2", "First.", {"type": "user_interjection", "message": "stop"})

    messages = read_value(chat(said("m1", "draw"), answer)).only.messages

    assert [(each.role, each.content) for each in messages[1:]] == [
        ("assistant", "First."),
        ("user", "stop"),
    ]


def test_what_stands_beside_an_interjection_is_kept() -> None:
    block = {
        "type": "user_interjection",
        "uuid": "i1",
        "timestamp": "2026-09-01T12:00:30Z",
        "authorAccountUuid": "account-2",
        "message": {"content": "wait", "attachments": [{"name": "a.png"}], "id": "zz"},
    }
    answer = answered("m2", "First.", {"type": "text", "text": "First."}, block)

    said_then = read_value(chat(said("m1", "draw"), answer)).only.messages[-1]

    assert said_then.created_at == datetime(2026, 9, 1, 12, 0, 30, tzinfo=UTC)
    assert said_then.attachments == [{"name": "a.png"}]
    assert said_then.metadata == {"authorAccountUuid": "account-2", "id": "zz", "uuid_": "i1"}


def test_an_interjection_without_words_stays_a_block() -> None:
    answer = answered("m2", "First.", {"type": "user_interjection", "message": {"id": "zz"}})

    message = read_value(chat(said("m1", "draw"), answer)).only.messages[1]

    assert message.metadata["content"] == [{"type": "user_interjection", "message": {"id": "zz"}}]


def test_no_field_displaces_another() -> None:
    question = said("m1", "draw", uuid="inner", role="painter")

    record = read_value(chat(question, name="its name", account="its account")).only

    assert record.title == "A poster"
    assert (record.metadata["name_"], record.metadata["account_"]) == ("its name", "its account")
    assert record.messages[0].source_id == "m1"
    assert record.messages[0].metadata == {"uuid_": "inner", "role_": "painter"}


def test_an_error_is_kept_with_its_place() -> None:
    answer = answered("m2", "", {"type": "error", "message": "out of paper"})

    message = read_value(chat(said("m1", "draw"), answer)).only.messages[1]

    assert message.content == ""
    assert message.metadata["content"] == [{"type": "error", "message": "out of paper"}]


def test_attached_files_of_a_persons_message_are_attachments() -> None:
    attached = [{"name": "sizes.csv", "content": "w,h"}]

    message = read_value(chat(said("m1", "use these", attachments=attached))).only.messages[0]

    assert message.attachments == attached


def test_other_authors_stay_named() -> None:
    second = said("m2", "and mine")
    second["content"]["authorAccountUuid"] = "account-2"

    record = read_value(chat(said("m1", "mine"), second)).only

    assert record.user_id == "account-1"
    assert [each.metadata for each in record.messages] == [{}, {"authorAccountUuid": "account-2"}]


@pytest.mark.parametrize(
    "item",
    [
        chat(),
        chat({"uuid": "m1", "role": "user", "created_at": NOON, "content": "plain"}),
        chat(said("m1", "hello"), project=None),
        chat(None, 7, {"role": "user"}, said("m1", "hello")),
        chat(said("m1", None), {"uuid": "m2", "role": "assistant", "content": {}}),
        chat(said("m1", "hello"), title=None, created_at="soon", updated_at=None),
    ],
)
def test_what_is_missing_or_odd_breaks_nothing(item: dict[str, Any]) -> None:
    reading = read_value(item)

    assert reading.format == "claude-design"
    assert reading.only.source_id == CHAT


def test_a_time_that_is_missing_is_marked() -> None:
    record = read_value(chat({**said("m1", "hello"), "created_at": None})).only

    assert record.messages[0].metadata[MARKS]["time"] == "interpolated"
    assert record.messages[0].metadata["timestamp"] == NOON


def test_a_folder_of_zips_gives_the_chats_of_both_shapes(tmp_path: Path) -> None:
    other = {"uuid": "u1", "name": "Other", "chat_messages": [{"sender": "human", "text": "hi"}]}
    with zipfile.ZipFile(tmp_path / "conversations-000.zip", "w") as file:
        file.writestr("conversations.json", json.dumps([other]))
    with zipfile.ZipFile(tmp_path / "design_chats-000 (1).zip", "w") as file:
        file.writestr(f"design_chats/{CHAT}.json", json.dumps(chat(said("m1", "draw"))))

    reading = read_path(tmp_path)

    assert {each.source for each in reading.conversations} == {"claude", "claude-design"}
    assert (reading.skipped, reading.ignored) == ([], ())
