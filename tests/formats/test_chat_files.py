"""Chats kept as JSON files: a folder with or without index, or one file with all."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatdb.errors import InvalidInputError
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
        ("b2", "d4", "e5"), "it contains no conversation"
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


BRANCHES = {
    "messages": {
        "m1": {"id": "m1", "parentId": None, "role": "user", "content": "hello"},
        "m2": {"id": "m2", "parentId": "m1", "role": "assistant", "content": "hi"},
    },
    "currentId": "m2",
}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"x": []}, "not a chat export"),
        ({"login_events": []}, "part of a Claude export (logins)"),
        ([{"role": "admin", "content": "ann@example.org"}], "not a chat export"),
        ([{"role": 1, "content": "x"}, {"role": "user", "content": "x"}], "not a chat export"),
        ({"a": {"messages": []}, "b": {"messages": []}}, "not a chat export"),
        ({"id": "", "title": "x", "messagesTree": [], "conversationId": "c"}, "a LibreChat export"),
        ({"c": {"title": "x", "history": BRANCHES, "messages": HELLO}}, "not a chat export"),
        ({"id": "c", "title": "x", "mapping": {}, "messages": HELLO}, "not a chat export"),
        (
            {"state": {"conversations": [{"id": "1", "title": "x", "messages": HELLO}]}},
            "not a chat",
        ),
    ],
)
def test_what_is_anothers_or_no_talk_is_not_taken(value: Any, said: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_value(value)

    assert said in caught.value.text


def test_what_is_anothers_among_chat_files_is_named(tmp_path: Path) -> None:
    other = [{"conversationId": "c", "title": "x", "messagesTree": []}]

    reading = read_path(folder(tmp_path / "chats", a1=HELLO, b2=other))

    assert len(reading.conversations) == 1
    assert [(each.reason, each.holds_words) for each in reading.ignored] == [
        ("a LibreChat export; chatdb does not read it yet", True)
    ]


def test_each_folder_has_its_own_index(tmp_path: Path) -> None:
    for name in ("ann", "bob"):
        folder(tmp_path / name, a1=[*HELLO, {"role": "user", "content": name}], index={
            "a1": {"title": f"Of {name}"}
        })  # fmt: skip

    reading = read_path(tmp_path)

    assert [each.title for each in reading.conversations] == ["Of ann", "Of bob"]
    assert not reading.skipped
    assert len({each.id for each in reading.conversations}) == 2


def test_a_talk_without_id_has_the_same_one_wherever_its_file_is_and_however_long(
    tmp_path: Path,
) -> None:
    short = read_path(folder(tmp_path / "one", a1=HELLO)).only
    longer = read_path(folder(tmp_path / "two", b2=[*HELLO, *HELLO])).only
    other = read_path(folder(tmp_path / "three", a1=[HELLO[0], HELLO[0]])).only

    assert short.id == longer.id
    assert other.id != short.id


def test_a_file_name_that_is_a_uuid_is_the_id(tmp_path: Path) -> None:
    name = "3f0c6c1e-7a5e-4a52-9d0e-3c8b6f3a1d11"

    record = read_path(folder(tmp_path / "chats", **{name: HELLO})).only

    assert str(record.id) == name


def test_a_conversation_without_times_says_so() -> None:
    record = read_value(HELLO).only

    assert record.metadata == {MARKS: {"time": "interpolated"}}
    assert MARKS not in read_value(ONE).only.metadata


def test_what_is_no_chat_is_not_taken_for_one() -> None:
    for value in ([{"role": "admin"}], {"a": {"messages": [1]}}, {"messages": HELLO}, [[1]]):
        with pytest.raises(Exception, match="not a chat export"):
            read_value(value)
