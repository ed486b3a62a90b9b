"""What each kind of ChatGPT message becomes."""

from typing import Any

import pytest

from chatdb.formats.unread import is_same_source
from chatdb.records import MARKS, Message, is_hidden
from tests.formats.chatgpt_samples import (
    conversation,
    message,
    node,
    one_message,
)
from tests.formats.reading import read_value

MODEL = {"model_slug": "gpt-5"}


def read_one(item: dict[str, Any]) -> Message:
    return read_value([one_message(item)]).only.messages[0]


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ({"weight": 0}, "text"),
        ({"metadata": {"is_visually_hidden_from_conversation": True}}, "text"),
        ({"author": {"role": "system"}}, ""),
        ({}, {"content_type": "user_editable_context", "user_profile": "p"}),
        ({}, {"content_type": "model_editable_context", "model_set_context": "m"}),
    ],
)
def test_hidden_messages_are_marked_and_kept(fields: dict[str, Any], content: Any) -> None:
    assert is_hidden(read_one(message(text=content) | fields))


def test_an_ordinary_message_is_not_hidden() -> None:
    assert not is_hidden(read_one(message()))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"content_type": "text", "parts": ["a"]}, "a"),
        ({"content_type": "text", "parts": ["a", None, "b"]}, "a\nb"),
        ({"content_type": "text", "parts": []}, ""),
        ({"content_type": "text", "parts": None}, ""),
        ({"parts": ["no type"]}, "no type"),
        ({"content_type": "code", "language": "python", "text": "x\r\n"}, "x\r\n"),
        ({"content_type": "execution_output", "text": "42"}, "42"),
        ({"content_type": "system_error", "name": "E", "text": "bad"}, "bad"),
        ({"content_type": "tether_quote", "url": "u", "text": "quote"}, "quote"),
        ({"content_type": "tether_browsing_display", "result": "r"}, "r"),
        ({"content_type": "sonic_webpage", "url": "u", "text": "page"}, "page"),
        ({"content_type": "thoughts", "thoughts": [{"content": "t"}]}, ""),
        ({"content_type": "user_editable_context", "user_profile": "p"}, "p"),
        ({"content_type": "model_editable_context", "model_set_context": "m"}, "m"),
        ({"content_type": "hologram", "text": "shown"}, "shown"),
        ({"content_type": ["odd"], "parts": ["shown"]}, "shown"),
        (None, ""),
        ("bare", "bare"),
        (7, ""),
    ],
)
def test_the_text_of_each_content_type_is_found(content: Any, text: str) -> None:
    assert read_one(message() | {"content": content}).content == text


def test_code_to_a_tool_is_a_call_and_its_output_names_the_tool() -> None:
    code = {"content_type": "code", "language": "python", "text": "print(1)"}
    output = {"content_type": "execution_output", "text": "1"}
    result = {"aggregate_result": {"status": "success", "messages": []}}
    record = read_value(
        [
            conversation(
                node("call", None, message("assistant", code, recipient="python")),
                node("result", "call", message("tool", output, metadata=result))
            )
        ]
    ).only  # fmt: skip

    call, answer = record.messages
    assert call.tool_calls == [{"name": "python", "language": "python"}]
    assert call.content == "print(1)"
    assert answer.tool_outputs == [{"status": "success", "messages": []}]


def test_the_name_of_a_tool_is_the_author() -> None:
    item = message("tool", author={"role": "tool", "name": "web.search", "metadata": {"k": 1}})

    read = read_one(item)

    assert read.author == "web.search"
    assert read.metadata["author"] == {"metadata": {"k": 1}}


@pytest.mark.parametrize(
    ("content", "reasoning"),
    [
        (
            {
                "content_type": "thoughts",
                "thoughts": [{"summary": "s", "content": "c", "chunks": [], "finished": True}],
            },
            [{"summary": "s", "content": "c", "finished": True}],
        ),
        ({"content_type": "thoughts", "parts": ["c"]}, [{"content": "c"}]),
        ({"content_type": "reasoning_recap", "content": "10 s"}, [{"summary": "10 s"}]),
        ({"content_type": "reasoning_recap", "parts": ["10 s"]}, [{"summary": "10 s"}]),
    ],
)
def test_thoughts_are_reasoning(content: dict[str, Any], reasoning: list[Any]) -> None:
    assert read_one(message("assistant", content)).reasoning == reasoning


def test_pictures_and_files_are_attachments_in_order() -> None:
    picture = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_1"}
    content = {"content_type": "multimodal_text", "parts": [picture, "what is this?", None]}
    file = {"id": "file-1", "name": "a.txt"}

    read = read_one(message(text=content, metadata={"attachments": [file]}))

    assert read.content == "what is this?"
    assert read.attachments == [picture | {"id": "file_1"}, file]
    assert read.metadata["content"]["order"] == ["attachment", "text"]


def test_spoken_words_are_text_and_the_parts_stay() -> None:
    spoken = {"content_type": "audio_transcription", "text": "said", "direction": "in"}
    content = {"content_type": "multimodal_text", "parts": [spoken, "typed"]}

    read = read_one(message(text=content))

    assert read.content == "said\ntyped"
    assert read.metadata["content"]["parts"] == [spoken, "typed"]


def test_the_model_is_the_messages_own_or_the_default_of_the_conversation() -> None:
    record = read_value(
        [
            conversation(
                node("a", None, message(metadata={})),
                node("b", "a", message("assistant", metadata=MODEL)),
                node("c", "b", {key: item for key, item in message("assistant").items()
                                if key != "metadata"}),
                default_model_slug="auto",
            )
        ]
    ).only  # fmt: skip

    assert [item.model for item in record.messages] == [None, "gpt-5", "auto"]


@pytest.mark.parametrize(
    ("role", "read_as"),
    [("user", "user"), ("developer", "system"), ("critic", "assistant"), (None, "assistant")],
)
def test_roles_are_mapped_and_unusual_ones_marked(role: str | None, read_as: str) -> None:
    read = read_one(message(role))

    assert read.role == read_as
    assert (MARKS in read.metadata) == (role != "user")
    if role != "user":
        assert read.metadata[MARKS]["role"] == role


@pytest.mark.parametrize("author", [None, "user", {"role": 5}, {}])
def test_an_odd_author_does_not_stop_the_conversation(author: Any) -> None:
    assert read_one(message() | {"author": author}).content == "hello"


@pytest.mark.parametrize("role", ["user", "assistant", "system"])
@pytest.mark.parametrize(
    "metadata",
    [{}, MODEL, {"model_slug": ""}, {"model_slug": 5}, {"citations": [], "request_id": "r"}],
)
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"weight": 0.0},
        {"recipient": "python"},
        {"recipient": None, "channel": "final", "end_turn": True, "update_time": 2.5},
        {"create_time": 1_700_000_001.123456},
    ],
)
def test_a_plain_message_reads_like_one_with_an_empty_unknown_field(
    role: str, metadata: dict[str, Any], fields: dict[str, Any]
) -> None:
    item = message(role, metadata=metadata, **fields)
    plain = conversation(node("a", None, item), default_model_slug="gpt-4o")
    other = conversation(node("a", None, item | {"novel": None}), default_model_slug="gpt-4o")

    one, two = read_value([plain]).only, read_value([other]).only
    assert is_same_source(one.source_hash, two.source_hash)  # but for the digests of their bytes
    one.source_hash = two.source_hash
    assert one == two
