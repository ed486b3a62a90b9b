"""CSV: every message a row that CSV readers take apart again, and no formula runs."""

import csv
from datetime import timedelta
from io import StringIO
from typing import Any
from uuid import UUID

import pytest

from chatdb.formats.base import WriteOptions
from chatdb.formats.registry import writer
from chatdb.formats.tables.columns import CONVERSATIONS, MESSAGES
from chatdb.formats.times import EPOCH
from chatdb.records import Conversation
from chatdb.store.columns import fields_of
from tests.operations.export_rows import NOON, ODD_TEXTS, conversation, message


def rows(record: Conversation, **options: Any) -> list[dict[str, str]]:
    made = writer("csv", WriteOptions(**options))
    data = made.begin() + made.conversation(record) + made.end()
    return list(csv.DictReader(StringIO(data.decode(), newline=""), strict=True))


def test_every_field_of_the_records_has_a_column() -> None:
    assert {column.name for column in MESSAGES} >= {*fields_of("messages")} - {"id"}
    assert {column.name for column in CONVERSATIONS} >= {*fields_of("conversations")} - {"id"}
    assert all(column.name != "at" for column in (*MESSAGES, *CONVERSATIONS))


def test_a_row_has_the_message_and_its_conversation() -> None:
    asked = message(1, "hi", metadata={"b": 1, "a": [None]}, user_id="anna")
    answer = message(
        2,
        "there",
        role="assistant",
        model="m1",
        parent_id=asked.id,
        created_at=NOON + timedelta(microseconds=500),
        tool_calls=[{"name": "t", "input": {}}],
        reasoning="why",
    )
    record = conversation(
        7, [asked, answer], title="T", organization="acme", user_id="u", source="chatgpt"
    )
    record.current_message_id = answer.id

    one, two = rows(record)
    assert list(one) == [column.name for column in MESSAGES]
    assert {name: text for name, text in two.items() if text} == {
        "organization": "acme",
        "conversation_id": str(record.id),
        "title": "T",
        "source": "chatgpt",
        "kind": "chat",
        "message_id": str(answer.id),
        "parent_id": str(asked.id),
        "position": "1",
        "on_active_branch": "true",
        "hidden": "false",
        "role": "assistant",
        "model": "m1",
        "user_id": "u",
        "created_at": "2026-01-31T12:00:00.000500Z",
        "content": "there",
        "reasoning": '"why"',
        "tool_calls": '[{"input":{},"name":"t"}]',
    }
    assert (one["metadata"], one["user_id"]) == ('{"a":[null],"b":1}', "anna")


def test_odd_texts_come_back_and_lines_end_as_in_rfc_4180() -> None:
    texts = [*ODD_TEXTS, "a\rb", 'a"b,c', "a\r\nb", "\ud800"]
    record = conversation(1, [message(n, text) for n, text in enumerate(texts, 1)])

    made = writer("csv", WriteOptions())
    assert made.begin().endswith(b",metadata\r\n")
    found = [row["content"] for row in rows(record, raw_csv=True)]
    assert found == [*texts[:-1], "?"]


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "\u200b=cmd()",
        " \u00a0@a",
        "\uff1d1",
        "-2",
        "+1",
        "\tx",
        "\ufeff\n=1",
        "\u3164=1",
        "\u2800\ufe0f+1",
    ],
)
def test_what_a_spreadsheet_would_run_is_guarded_unless_raw(text: str) -> None:
    record = conversation(1, [message(1, text, tool_calls=-5)], title=text)

    (row,) = rows(record)
    assert (row["content"], row["title"], row["tool_calls"]) == (f"'{text}", f"'{text}", "'-5")
    (row,) = rows(record, raw_csv=True)
    assert (row["content"], row["title"]) == (text, text)


def test_the_options_choose_the_messages_and_columns_say_which_they_are() -> None:
    root = message(1, "q", created_at=EPOCH)
    hidden = {"chatdb": {"hidden": True}}
    old = message(2, "old", parent_id=root.id, metadata=hidden)
    new = message(3, "new", parent_id=root.id)
    record = conversation(1, [root, old, new])
    record.current_message_id = new.id

    def told(**options: Any) -> list[tuple[str, ...]]:
        return [
            tuple(row[name] for name in ("content", "position", "on_active_branch", "hidden"))
            for row in rows(record, **options)
        ]

    active = [("q", "0", "true", "false"), ("new", "2", "true", "false")]
    assert told() == active
    assert told(all_branches=True) == active
    everything = [active[0], ("old", "1", "false", "true"), active[1]]
    assert told(all_branches=True, include_hidden=True) == everything
    record.current_message_id = old.id
    assert told(include_hidden=True)[1] == ("old", "1", "true", "true")
    assert rows(record)[0]["created_at"] == ""
    record.current_message_id = UUID(int=99)
    assert told() == active
