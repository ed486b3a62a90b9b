"""Lists of content blocks, Anthropic's and OpenAI's, wherever a reader meets them."""

from typing import Any

import pytest

from chatdb.formats.base import Tally
from chatdb.formats.blocks import blocks_in_text, read_blocks
from chatdb.records import MARKS, Message
from tests.formats.reading import read_value
from tests.formats.test_claude import message as claude_message
from tests.formats.test_claude import read_one

QUESTION = {"role": "user", "content": "What is on the scale?"}


def answer(content: Any, role: str = "assistant", **fields: Any) -> Message:
    """Return the second message of a list as the reader of chat files makes it."""
    return read_value([QUESTION, {"role": role, "content": content, **fields}]).only.messages[1]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "a melon"}], "a melon"),
        ([{"type": "output_text", "text": "a melon", "annotations": []}], "a melon"),
        ([{"type": "input_text", "text": "a melon"}], "a melon"),
        ([{"type": "refusal", "refusal": "I will not"}], "I will not"),
        ([{"type": "text", "value": "a melon"}], "a melon"),
        ([{"type": "text", "text": {"value": "a melon", "annotations": []}}], "a melon"),
        ([{"text": "a melon"}], "a melon"),
        (["a", "melon"], "a\n\nmelon"),
        ({"type": "text", "text": "a melon"}, "a melon"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a\n\nb"),
    ],
)
def test_a_message_whose_blocks_have_text_has_it_as_content(content: Any, text: str) -> None:
    assert answer(content).content == text


def test_blocks_of_anthropic_find_their_columns() -> None:
    read = answer(
        [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t1", "name": "weigh", "input": {"what": "melon"}},
            {"type": "image", "source": {"type": "base64", "data": "QQ=="}},
        ]
    )

    assert read.content == "I look."
    assert read.reasoning == [{"content": "hm", "signature": "s"}]
    assert read.tool_calls == [{"id": "t1", "name": "weigh", "input": {"what": "melon"}}]
    assert read.attachments == [{"type": "image", "source": {"type": "base64", "data": "QQ=="}}]
    kinds = [block["type"] for block in read.metadata["content"]]
    assert kinds == ["thinking", "text", "tool_use", "image"]


@pytest.mark.parametrize(
    "content",
    ["7 kg", [{"type": "text", "text": "7 kg"}], [{"type": "text", "text": "7 kg"}, {"type": "x"}]],
)
def test_a_message_of_nothing_but_outputs_is_the_tools_and_says_what_they_say(content: Any) -> None:
    block = {"type": "tool_result", "tool_use_id": "t1", "content": content}

    read = answer([block], role="user")

    assert (read.role, read.content) == ("tool", "7 kg")
    assert read.tool_outputs is not None
    assert read.tool_outputs[0]["tool_use_id"] == "t1"
    assert read.metadata[MARKS]["role"] == "user"


def test_a_result_beside_words_of_the_user_stays_the_users() -> None:
    result = {"type": "tool_result", "tool_use_id": "t1", "content": "7 kg"}

    read = answer([result, {"type": "text", "text": "go on"}], role="user")

    assert (read.role, read.content) == ("user", "go on")
    assert read.tool_outputs == [{"tool_use_id": "t1", "content": "7 kg"}]


def test_what_openai_has_beside_the_content_finds_its_columns() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "weigh", "arguments": "{}"}}

    calling = answer(None, tool_calls=[call], reasoning_content="hm")
    old = answer(None, function_call={"name": "weigh", "arguments": "{}"})
    refused = answer(None, refusal="I will not")

    assert calling.tool_calls == [call]
    assert calling.reasoning == [{"content": "hm"}]
    assert calling.content == ""
    assert old.tool_calls == [{"name": "weigh", "arguments": "{}"}]
    assert refused.content == "I will not"


def test_items_of_openais_responses_find_their_columns() -> None:
    tally = Tally()

    blocks = read_blocks(
        [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
            {"type": "function_call", "call_id": "c", "name": "weigh", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": "7 kg"},
        ],
        tally,
    )

    assert blocks.reasoning == [{"summary": [{"type": "summary_text", "text": "hm"}]}]
    assert blocks.tool_calls[0]["name"] == "weigh"
    assert blocks.tool_outputs[0]["output"] == "7 kg"
    assert not tally.lossy


def test_an_unknown_block_is_kept_whole_and_told() -> None:
    tally = Tally()

    blocks = read_blocks([{"type": "novelty", "data": 1}, 7], tally)

    assert blocks.rest == [{"type": "novelty", "data": 1}, 7]
    assert sorted(tally.lossy) == [
        "a content block that is no object kept in metadata",
        "unknown content block 'novelty' kept in metadata",
    ]


def test_texts_can_be_taken_apart_again() -> None:
    read = answer([{"type": "text", "text": "one"}, "", {"type": "text", "text": "three"}])

    assert read.content == "one\n\nthree"
    assert [block["length"] for block in read.metadata["content"]] == [3, 0, 5]


def test_a_content_of_claude_that_is_json_in_a_text_is_read_as_blocks() -> None:
    content = '[{"type": "text", "text": "double encoded"}, {"type": "thinking", "thinking": "hm"}]'

    read = read_one(claude_message(text="", content=content))

    assert read.content == "double encoded"
    assert read.reasoning == [{"content": "hm"}]


@pytest.mark.parametrize("text", ["[{", '[{"a": 1}]', "[]", "plain", '[{"type": 1}, 2]'])
def test_a_text_that_is_no_list_of_blocks_stays_a_text(text: str) -> None:
    assert blocks_in_text(text, Tally()) == text


def test_claude_results_alone_say_what_the_tool_returned() -> None:
    block = {"type": "tool_result", "name": "repl", "content": [{"type": "text", "text": "42"}]}

    read = read_one(claude_message(text="", content=[block]))

    assert (read.role, read.content) == ("tool", "42")
