"""Chats kept as JSON files: a folder with or without index, or one file with all."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatdb.records import MARKS
from tests.formats.reading import Reading, read_path, read_value

HELLO = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]
INDEX = {
    "order": ["a1", "gone"],
    "conversations": {
        "a1": {"title": "First", "updated_at": "2025-08-01 10:00:00", "last_preview": "hello"},
        "gone": {"title": "Missing", "updated_at": "2025-08-01 11:00:00"},
    },
}


def folder(path: Path, **files: Any) -> Path:
    path.mkdir()
    for name, value in files.items():
        text = value if isinstance(value, str) else json.dumps(value)
        (path / f"{name}.json").write_text(text)
    return path


def by_id(reading: Reading) -> dict[str | None, Any]:
    return {record.source_id: record for record in reading.conversations}


def test_a_folder_with_an_index_has_titles_and_times_of_it(tmp_path: Path) -> None:
    timed = {"role": "user", "content": "timed", "timestamp": "2025-08-02T09:00:00"}
    unindexed = [timed | {"meta": {"lang": "en"}}]
    files = folder(tmp_path / "conversations", a1=HELLO, b2=unindexed, index=INDEX)

    reading = read_path(files)

    assert reading.format == "chat-files"
    found = by_id(reading)
    assert found.keys() == {"a1", "b2"}
    assert found["a1"].title == "First"
    assert found["a1"].updated_at == datetime(2025, 8, 1, 10, tzinfo=UTC)
    assert found["a1"].metadata["last_preview"] == "hello"
    (message,) = found["b2"].messages
    assert message.created_at == datetime(2025, 8, 2, 9, tzinfo=UTC)
    assert message.metadata == {"lang": "en", MARKS: {"created_at": "2025-08-02T09:00:00"}}
    assert [(each.source_id, each.reason) for each in reading.skipped] == [
        ("gone", "its file is missing ('Missing')")
    ]


def test_a_cut_file_gives_what_was_complete_and_is_named(tmp_path: Path) -> None:
    cut = '[{"role": "user", "content": "whole"}, {"role": "assistant", "cont'
    files = folder(tmp_path / "conversations", a1=HELLO, cut=cut, empty='[{"role": "us')

    reading = read_path(files)

    assert [each.content for each in by_id(reading)["cut"].messages] == ["whole"]
    assert sorted(str(each.source_id) for each in reading.skipped) == ["cut", "empty"]
    assert all("broken at byte" in each.reason for each in reading.skipped)


ONE = {"id": "a1", "title": "First", "created_at": "2025-08-01T10:00:00Z", "messages": HELLO}


def test_an_empty_file_is_named_and_an_empty_list_of_the_index_is_a_conversation(
    tmp_path: Path,
) -> None:
    index = {"a1": {"title": "Greeting"}, "c3": {"title": "New"}, "d4": {"title": "Lost"}}
    files = folder(
        tmp_path / "conversations", a1=HELLO, b2=[], c3=[], d4="", e5="null", index=index
    )

    reading = read_path(files)

    assert {key: (each.title, len(each.messages)) for key, each in by_id(reading).items()} == {
        "a1": ("Greeting", 2),
        "c3": ("New", 0),
    }
    assert {each.source_id: each.reason for each in reading.skipped} == dict.fromkeys(
        ("b2", "d4", "e5"), "there is no conversation in it"
    )


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ([ONE, {**ONE, "id": "b2"}], {"a1", "b2"}),
        ({"a1": HELLO, "b2": HELLO}, {"a1", "b2"}),
        ({"a1": {"title": "First", "messages": HELLO}}, {"a1"}),
        (ONE, {"a1"}),
    ],
    ids=["list", "lists by id", "objects by id", "one"],
)
def test_one_file_with_all_of_them(value: Any, ids: set[str]) -> None:
    reading = read_value(value)

    assert reading.format == "chat-files"
    assert by_id(reading).keys() == ids
    assert all(len(record.messages) == 2 for record in reading.conversations)


def test_the_model_of_an_answer_and_unusual_roles_are_kept() -> None:
    entries = [
        {"role": "bot", "content": "hi", "model": "gpt-4o", "timestamp": "2025-08-01T10:00:00Z"}
    ]

    (message,) = read_value({**ONE, "messages": entries}).only.messages

    assert (message.role, message.model) == ("assistant", "gpt-4o")
    assert message.metadata == {MARKS: {"role": "bot"}}


def test_what_is_no_chat_is_not_taken_for_one() -> None:
    for value in ([{"role": "admin"}], {"a": {"messages": [1]}}, {"messages": HELLO}, [[1]]):
        with pytest.raises(Exception, match="no chat export"):
            read_value(value)
