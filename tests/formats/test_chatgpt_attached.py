"""What a person saw beside the words of a ChatGPT message is in its attached text."""

import json
from typing import Any

import pytest

from chatdb.formats.chatgpt.attached import attached_text
from chatdb.records import Message, is_hidden
from tests.formats.chatgpt_samples import message, one_message
from tests.formats.reading import read_value

MARK = "\ue200cite\ue202turn0search1\ue201"


def read_one(item: dict[str, Any]) -> Message:
    return read_value([one_message(item)]).only.messages[0]


def multimodal(*parts: Any) -> dict[str, Any]:
    return {"content_type": "multimodal_text", "parts": list(parts)}


CONTENTS: list[tuple[Any, str, str | None]] = [
    ({"content_type": "text", "parts": ["a", None, "b"]}, "a\nb", None),
    ({"content_type": "citable_code_output", "output_str": "42"}, "42", None),
    ({"content_type": "computer_output", "computer_id": "c", "text": "a page"}, "a page", None),
    ({"content_type": "computer_output", "state": {"text": "a page"}}, "", "a page"),
    ({"content_type": "tether_browsing_display", "result": "r", "summary": "sum"}, "r", "sum"),
    ({"content_type": "sonic_webpage", "url": "u", "text": "page", "snippet": "age"}, "page", None),
    ({"content_type": "hologram", "text": "one", "body": {"text": "two"}}, "one", "two"),
    ({"content_type": "hologram", "cells": [{"output": "x"}, {"id": "y"}]}, "", "x"),
    (multimodal("see", {"content_type": "mystery", "text": "deep"}), "see", "deep"),
    (multimodal({"content_type": "mystery", "text": "deep"}), "deep", None),
    (multimodal({"content_type": "audio_transcription", "text": "said"}), "said", None),
]


@pytest.mark.parametrize(("content", "text", "attached"), CONTENTS)
def test_text_that_the_content_lacks_is_attached_and_nothing_twice(
    content: Any, text: str, attached: str | None
) -> None:
    read = read_one(message(text=content))

    assert (read.content, read.attached_text) == (text, attached)


def test_pasted_texts_are_attached_under_their_names() -> None:
    files = [
        {"id": "file-1", "name": "notes.txt", "extracted_content": "line one\nline two"},
        {"id": "file-2", "name": "same.txt", "content": "sum"},
        {"id": "file-3", "name": "picture.png"},
    ]

    read = read_one(message(text="sum this up", metadata={"attachments": files}))

    assert read.attached_text == "notes.txt:\nline one\nline two"


def test_what_running_code_printed_is_attached_where_the_output_lacks_it() -> None:
    result = {
        "status": "failed_with_in_kernel_exception",
        "messages": [
            {"message_type": "stream", "text": "one\n"},
            {"message_type": "stream", "text": "two\n"},
            {"message_type": "image", "image_url": "file-service://file-1"},
        ],
        "final_expression_output": "42",
        "in_kernel_exception": {"traceback": ["Traceback", "ValueError: no"]},
    }
    output = {"content_type": "execution_output", "text": "42"}

    read = read_one(message("tool", output, metadata={"aggregate_result": result}))

    assert read.attached_text == "one\ntwo\n\n\nTraceback\nValueError: no"
    assert read.tool_outputs == [result]
    assert read.attachments == [
        {"message_type": "image", "image_url": "file-service://file-1", "id": "file-1"}
    ]


def report(**fields: Any) -> dict[str, Any]:
    content = {"content_type": "text", "parts": [f"# Fish\n\nIt migrates. {MARK}"]}
    item = {"url": "https://fish.example", "refs": [{"turn_index": 0} | _REFERENCE]}
    about = {"content_references": [{"matched_text": MARK, "items": [item]}]}
    return {
        "status": "completed",
        "report_message": {"content": content, "metadata": about},
    } | fields


_REFERENCE = {"ref_type": "search", "ref_index": 1}
SHOWN = "# Fish\n\nIt migrates. [[1]](https://fish.example)"


@pytest.mark.parametrize(
    "metadata",
    [
        {"chatgpt_sdk": {"widget_state": json.dumps(report())}},
        {"chatgpt_sdk": {"widget_state": report()}},
        {"chatgpt_sdk": {"tool_response_metadata": {"venus_widget_state": report()}}},
        {"chatgpt_sdk.widget_state": report()},
    ],
    ids=["text", "object", "of the tool", "flat"],
)
def test_a_report_is_attached_with_its_links_and_not_hidden(metadata: dict[str, Any]) -> None:
    hidden = {"is_visually_hidden_from_conversation": True}

    read = read_one(message("tool", "", metadata=hidden | metadata))

    assert read.attached_text == SHOWN
    assert not is_hidden(read)
    assert read.metadata["metadata"] == hidden | metadata


def test_a_report_is_attached_to_a_message_that_is_only_a_text_otherwise() -> None:
    metadata = {"chatgpt_sdk": {"widget_state": json.dumps(report(title="Fish"))}}

    assert read_one(message("assistant", "ready", metadata=metadata)).attached_text == (
        f"Fish:\n{SHOWN}"
    )


@pytest.mark.parametrize("state", ["{broken", "[1]", "[" * 5_000, {"status": "running"}, None, 7])
def test_a_widget_without_a_report_attaches_nothing_and_stays_hidden(state: Any) -> None:
    metadata = {
        "is_visually_hidden_from_conversation": True,
        "chatgpt_sdk": {"widget_state": state},
    }

    read = read_one(message("tool", "", metadata=metadata))

    assert read.attached_text is None
    assert is_hidden(read)


def test_it_is_made_of_the_stored_message_alone() -> None:
    item = message("tool", "", metadata={"chatgpt_sdk": {"widget_state": report()}})

    read = read_one(item)
    again = Message(id=read.id, role=read.role, metadata=read.metadata, created_at=read.created_at)

    assert attached_text(again) == read.attached_text is not None


@pytest.mark.parametrize(("inside", "seen"), [("\\u0000", "\ufffd"), ("\\ud800", None)])
def test_json_inside_a_text_brings_nothing_in_that_no_database_stores(
    inside: str, seen: str | None
) -> None:
    state = f'{{"report_message": {{"content": {{"parts": ["a{inside}b"]}}}}}}'
    canvas = f'{{"name": "N", "content": "a{inside}b"}}'

    report = read_one(message("tool", "", metadata={"widget_state": state}))
    call = read_one(message("assistant", canvas, recipient="canmore.create_textdoc"))

    assert report.attached_text == (seen and f"a{seen}b")
    assert call.attached_text == (seen and f"N:\na{seen}b")
    assert attached_text(report) == report.attached_text


def test_an_ordinary_message_has_none() -> None:
    assert read_one(message()).attached_text is None


def test_thousands_of_texts_in_one_message_take_no_time_that_grows_with_its_content() -> None:
    parts = [{"content_type": "mystery", "text": f"w{number}"} for number in range(9_000)]

    read = read_one(message(text=multimodal("x" * 100_000, *parts)))

    assert read.attached_text is not None
    assert read.attached_text.startswith("w0\n\nw1\n\n")
