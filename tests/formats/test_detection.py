"""Formats are recognised by structure alone, and what is none is named."""

import json
from pathlib import Path

import pytest

from chatdb.errors import InvalidInputError, UsageError
from chatdb.formats.registry import FORMATS, reader, writer
from tests.formats.chatgpt_samples import conversation, message, node
from tests.formats.reading import read_bytes, read_path, read_value
from tests.formats.test_claude import conversation as claude_conversation
from tests.formats.test_claude import message as claude_message

CHATGPT = conversation(node("a", None, message()))
CLAUDE = claude_conversation(claude_message())


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ([CHATGPT], "chatgpt"),
        (CHATGPT, "chatgpt"),
        ({"conversations": [CHATGPT]}, "chatgpt"),
        ([None, {"id": "broken"}, CHATGPT], "chatgpt"),
        ([CLAUDE], "claude"),
        (CLAUDE, "claude"),
        ({"conversations": [CLAUDE]}, "claude"),
    ],
)
def test_the_format_is_found_by_structure(value: object, name: str) -> None:
    reading = read_value(value)

    assert reading.format == name
    assert len(reading.conversations) == 1


def test_json_lines_of_conversations_are_read() -> None:
    data = "\n".join(json.dumps(CHATGPT) for _ in range(3))

    assert len(read_bytes(data.encode()).conversations) == 3


def test_the_name_of_a_file_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "claude-conversations.csv"
    path.write_text(json.dumps([CHATGPT]))

    assert read_path(path).format == "chatgpt"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b" \n ", "white space"),
        (b"hello there", "is not JSON: it begins with 'hello there'"),
        (b"\x89PNG\r\n\x1a\n1234", "is not JSON"),
        (b"[]", "contains no conversation"),
        (b'[{"mapping": {"a": ', "the file ends inside the value"),
        (b'{"invalid": "none"}', "an object with 'invalid'"),
        (b'[{"a": 1}]', "a list of objects with 'a'"),
        (b"[1, 2]", "a list of int values"),
        (
            b'[{"inserted_at": "x", "mapping": {"a": {"message": null, "parent": null}}}]',
            "a DeepSeek export; chatdb does not read it yet",
        ),
    ],
)
def test_what_is_no_chat_export_is_named_with_advice(data: bytes, said: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_bytes(data)

    assert said in caught.value.text
    assert "chatdb formats" in str(caught.value.hint)


def test_a_folder_without_a_conversation_names_what_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"invalid": "none"}')
    (tmp_path / "b.jsonl").write_text('{"type": "summary", "leafUuid": "u"}\n')

    with pytest.raises(InvalidInputError) as caught:
        read_path(tmp_path)

    assert f"{tmp_path / 'b.jsonl'} is a Claude Code session; chatdb does" in caught.value.text
    assert "2 files were checked" in caught.value.text


def test_an_unknown_format_is_a_usage_error_that_lists_the_known() -> None:
    with pytest.raises(UsageError, match="jsonl"):
        reader("msn")
    with pytest.raises(UsageError, match="jsonl"):
        writer("chatgpt")


@pytest.mark.parametrize("known", [known for known in FORMATS if known.reads], ids=lambda f: f.name)
def test_the_table_of_formats_tells_the_truth(known: object) -> None:
    name = getattr(known, "name")  # noqa: B009 - the parameter is an object to pytest

    assert reader(name).name == name


def test_a_truncated_export_gives_everything_before_the_cut() -> None:
    text = json.dumps([CHATGPT, CHATGPT | {"id": "2", "conversation_id": "2"}])

    reading = read_bytes(text[:-30].encode())

    assert len(reading.conversations) == 1
    assert f"byte {len(text) - 30}" in reading.skipped[0].place
    assert "the file ends" in reading.skipped[0].reason


def test_an_export_cut_in_its_first_conversation_is_an_error() -> None:
    with pytest.raises(InvalidInputError, match="before anything complete"):
        read_bytes(json.dumps([CHATGPT])[:-30].encode(), format_name="chatgpt")


def test_a_byte_that_is_no_utf8_is_named_by_its_place() -> None:
    text = json.dumps([CHATGPT | {"title": "caf@"}, CLAUDE, CHATGPT]).encode()
    place = text.index(b"@")

    reading = read_bytes(text.replace(b"@", b"\xe9"))

    assert len(reading.conversations) == 1
    assert f"byte 0xe9 at byte {place}" in reading.skipped[0].reason
