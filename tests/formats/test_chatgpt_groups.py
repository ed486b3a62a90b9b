"""What the reader of ChatGPT's group chats makes of them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.formats.chatgpt_samples import message
from tests.formats.reading import read_value

STARTED = 1_760_000_000.0
ANN, BOB = "user-ann", "user-bob"


def chats(*entries: Any) -> dict[str, Any]:
    return {"chats": list(entries)}


def chat(*messages: Any, **fields: Any) -> dict[str, Any]:
    return {
        "id": "g1",
        "title": "Trip",
        "create_time": STARTED,
        "messages": list(messages),
    } | fields


def test_each_person_is_the_author_of_their_messages() -> None:
    reading = read_value(
        chats(
            chat(
                {"id": "m1", "author": {"role": "user", "id": ANN, "name": "Ann"}, "text": "Rome?"},
                {"id": "m2", "author": {"role": "user", "id": BOB}, "text": "Oslo!"},
                {"id": "m3", "author": {"role": "assistant"}, "text": "Both are far."},
                participants=[ANN, BOB],
            )
        )
    )

    assert reading.format == "chatgpt-group"
    assert (reading.tally.unknown_fields, reading.tally.lossy) == ({}, {})
    record = reading.only
    assert (record.source, record.source_id, record.title) == ("chatgpt-group", "g1", "Trip")
    assert (record.kind, record.user_id) == ("chat", None)
    assert record.created_at == datetime.fromtimestamp(STARTED, UTC)
    assert record.metadata["participants"] == [ANN, BOB]
    assert [(each.role, each.user_id, each.content) for each in record.messages] == [
        ("user", ANN, "Rome?"),
        ("user", BOB, "Oslo!"),
        ("assistant", None, "Both are far."),
    ]
    first, second, third = record.messages
    assert (second.parent_id, third.parent_id) == (first.id, second.id)
    assert record.current_message_id == third.id
    assert (first.author, first.metadata["author"]) == (None, {"id": ANN, "name": "Ann"})


SAID: list[tuple[dict[str, Any], tuple[str, str | None]]] = [
    ({"author": {"name": "Ann"}}, ("user", "Ann")),
    ({"author": ANN}, ("user", ANN)),
    ({"sender": ANN}, ("user", ANN)),
    ({"user": {"user_id": ANN}}, ("user", ANN)),
    ({"user_id": ANN, "role": "user"}, ("user", ANN)),
    ({"author_id": 7}, ("user", "7")),
    ({"author": "ChatGPT"}, ("assistant", None)),
    ({"author": {"id": "a", "name": "ChatGPT"}}, ("assistant", None)),
    ({"author": "assistant"}, ("assistant", None)),
    ({"role": "assistant"}, ("assistant", None)),
    ({"role": "tool", "author": {"name": "web"}}, ("tool", None)),
    ({"role": "user"}, ("user", None)),
    ({}, ("assistant", None)),
]


@pytest.mark.parametrize(("fields", "who"), SAID)
def test_the_author_is_found_wherever_it_stands(
    fields: dict[str, Any], who: tuple[str, str | None]
) -> None:
    (read,) = read_value(chats(chat({"text": "hello"} | fields))).only.messages

    assert (read.role, read.user_id) == who


def test_messages_of_the_usual_shape_are_read_as_in_other_conversations() -> None:
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_1"}
    content = {"content_type": "multimodal_text", "parts": ["see", picture]}
    whole = message(text=content, author={"role": "user", "name": "Ann", "metadata": {}})

    (read,) = read_value(chats(chat({"id": "m"} | whole))).only.messages

    assert (read.content, read.user_id) == ("see", "Ann")
    assert read.attachments == [picture | {"id": "file_1"}]


def test_messages_without_ids_have_the_same_at_every_import() -> None:
    said = [{"text": "hello", "user_id": ANN}, {"text": "hello", "user_id": BOB}, {"text": "bye"}]

    first, again = (read_value(chats(chat(*said))).only.messages for _ in range(2))
    later = read_value(chats(chat(*said, {"text": "more"}))).only.messages

    assert [each.id for each in first] == [each.id for each in again]
    assert [each.id for each in later][:3] == [each.id for each in first]
    assert len({each.id for each in later}) == 4


def test_times_texts_and_files_are_found_in_other_fields() -> None:
    said = {
        "user_id": ANN,
        "content": "hello",
        "created_at": "2026-01-02T03:04:05Z",
        "attachments": [{"id": "file-1", "name": "a.txt"}],
    }
    entry = chat(said, name="Trip", created_at="2026-01-01T00:00:00Z")
    entry.pop("create_time")

    record = read_value(chats(entry)).only

    assert record.created_at == datetime(2026, 1, 1, tzinfo=UTC)
    (read,) = record.messages
    assert (read.content, read.created_at) == ("hello", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert read.attachments == [{"id": "file-1", "name": "a.txt"}]


def test_what_is_no_chat_or_no_message_is_told_and_the_rest_read() -> None:
    reading = read_value(chats(7, {"id": "g2"}, chat("odd", {"text": "hello", "user_id": ANN})))

    assert [each.content for each in reading.only.messages] == ["hello"]
    assert len(reading.skipped) == 3
