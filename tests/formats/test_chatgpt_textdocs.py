"""What the reader of ChatGPT's canvases makes of a file of `textdocs/`."""

from datetime import UTC, datetime
from typing import Any

import pytest

from chatdb.errors import InvalidInputError
from chatdb.formats.times import EPOCH
from tests.formats.reading import read_value

NOTE = {"id": "6712ab", "title": "Note", "content": "Dear Ann"}
DOCUMENT = "0a1b2c3d-0000-4000-8000-00000000000d"


def test_it_is_a_conversation_of_one_message_a_version() -> None:
    reading = read_value(
        {
            "id": DOCUMENT,
            "title": "Note",
            "content": "Dear Ann",
            "textdoc_type": "document",
            "version": 3,
            "comments": ["Say more.", {"comment": "Why?"}],
            "conversation_id": "c-1",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-02T00:00:00Z",
            "new_field": 1,
        }
    )

    assert reading.format == "chatgpt-canvas"
    assert reading.tally.unknown_fields == {"new_field": 1}
    record = reading.only
    assert (record.kind, record.title, record.source_id) == ("canvas", "Note", DOCUMENT)
    assert str(record.id) != DOCUMENT
    assert record.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert record.updated_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert record.metadata == {"textdoc_type": "document", "conversation_id": "c-1", "new_field": 1}
    (version,) = record.messages
    assert record.current_message_id == version.id
    assert (version.role, version.content, version.parent_id) == ("assistant", "Dear Ann", None)
    assert version.created_at == record.updated_at
    assert version.attached_text == "Say more.\n\nWhy?"
    assert version.metadata["version"] == 3


def test_the_same_text_is_the_same_message_and_another_text_another() -> None:
    first, again, other = (
        read_value(NOTE | fields).only for fields in ({}, {"version": 9}, {"content": "Dear Bob"})
    )

    assert first.id == again.id == other.id
    assert first.messages[0].id == again.messages[0].id != other.messages[0].id


def test_earlier_versions_in_the_file_are_messages_before_it() -> None:
    earlier = [{"content": "Dear", "version": 1, "created_at": "2026-01-01T00:00:00Z"}]

    record = read_value(NOTE | {"versions": earlier, "updated_at": "2026-01-05T00:00:00Z"}).only

    assert [each.content for each in record.messages] == ["Dear", "Dear Ann"]
    assert record.messages[0].created_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert record.current_message_id == record.messages[1].id


def test_without_times_it_says_so() -> None:
    record = read_value(NOTE).only

    assert record.created_at == record.updated_at == EPOCH
    assert record.metadata == {"chatdb": {"time": "interpolated"}}


def test_a_list_of_canvases_is_read_each() -> None:
    reading = read_value([NOTE, NOTE | {"id": "b"}])

    assert [each.source_id for each in reading.conversations] == ["6712ab", "b"]


@pytest.mark.parametrize(
    "value",
    [
        NOTE | {"author": "Ann"},
        NOTE | {"role": "user"},
        NOTE | {"content": {"parts": []}},
        NOTE | {"id": 7},
        {"id": "a", "content": "b"},
    ],
)
def test_what_only_looks_like_one_is_not_taken_for_it(value: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        read_value(value)
