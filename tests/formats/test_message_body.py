"""What transcripts show of a message: everything, in one way, and nothing of it twice."""

import json
from typing import Any

import msgspec
import pytest

from chatdb.cli.commands.conversations.blocks import blocks
from chatdb.formats import registry
from chatdb.formats.base import WriteOptions
from chatdb.formats.message_body import Aside, ShownFiles, Verbatim, parts_of
from chatdb.formats.message_parts import output_text
from chatdb.records import Message, MessageFile
from tests.operations.export_rows import conversation, message


def asides(shown: Message) -> list[tuple[str, list[str]]]:
    """Return what stands beside the words: titles and texts, JSON on one line."""
    return [
        (part.title, [_told(each) for each in part.texts])
        for part in parts_of(shown)
        if isinstance(part, Aside)
    ]


def _told(part: Verbatim) -> str:
    return json.dumps(json.loads(part.text)) if part.language == "json" else part.text


def markdown(shown: Message) -> str:
    return (
        registry.writer("markdown", WriteOptions()).conversation(conversation(1, [shown])).decode()
    )


RESULTS = [
    {"tool_use_id": "t1", "content": [{"type": "text", "text": "six"}, {"text": "melons"}]},
    {"tool_use_id": "t2", "content": "two pears"},
]


@pytest.mark.parametrize(
    ("content", "outputs", "beside"),
    [
        # As readers join the texts of blocks, and those of several outputs.
        ("six\nmelons", RESULTS[:1], [("Tool output", ['{"tool_use_id": "t1"}'])]),
        (
            "six\nmelons\n\ntwo pears",
            RESULTS,
            [
                ("Tool output", ['{"tool_use_id": "t1"}']),
                ("Tool output", ['{"tool_use_id": "t2"}']),
            ],
        ),
        ("two pears", [{"name": "till", "content": "two pears"}], []),
        ("two", [{"content": "two pears"}], [("Tool output", ["two pears"])]),
        ("two", [{"rows": 2}], [("Tool output", ['{"rows": 2}'])]),
    ],
)
def test_an_output_of_which_the_words_were_made_stands_once(
    content: str, outputs: list[Any], beside: list[tuple[str, list[str]]]
) -> None:
    answer = message(1, content, role="tool", tool_outputs=outputs)

    assert asides(answer) == [("Output", [content]), *beside]
    # The words of the user beside the same output are the user's own.
    assert len(asides(msgspec.structs.replace(answer, role="user"))) == len(outputs)
    assert markdown(answer).count("melons") == content.count("melons")
    shown = "\n".join(each.text for each in blocks(answer, full=False))
    assert shown.count("pears") == max(content.count("pears"), str(outputs).count("pears"))


def test_a_call_that_runs_the_words_stands_once_and_one_without_words_is_named() -> None:
    call = {"name": "python", "language": "unknown"}
    run = message(1, "print(6)", role="assistant", tool_calls=[call])
    empty = message(1, " ", role="assistant", tool_calls=[call])

    assert list(parts_of(run)) == [Verbatim("print(6)", "python")]
    assert "<details>" not in markdown(run)
    assert [each.text for each in blocks(run, full=False)] == ["print(6)"]
    assert [title for title, _ in asides(empty)] == ["Tool call: python"]
    assert [each.text for each in blocks(empty, full=False)] == ["[tool calls: python]"]


def test_an_output_of_words_and_pictures_shows_both() -> None:
    picture = {"type": "image", "source": {"data": "aGk="}}
    output = {"id": 7, "content": [{"text": "six"}, picture, "melons"]}

    assert output_text(output) == ("six\n\nmelons", {"id": 7, "content": [picture]})
    assert output_text([picture]) is None


def test_markdown_has_the_code_of_a_call_and_the_text_of_an_output() -> None:
    text = markdown(
        message(
            1,
            role="assistant",
            tool_calls=[{"name": "sql", "input": {"sql": "select 6", "limit": 5}}],
            tool_outputs=[{"name": "sql", "text": "6 rows", "took": 1}],
        )
    )

    assert (
        "<summary>Tool call: sql</summary>\n\n```sql\nselect 6\n```\n\n"
        '```json\n{\n  "input": {\n    "limit": 5\n  }\n}\n```\n\n</details>'
    ) in text
    assert (
        "<summary>Tool output: sql</summary>\n\n```\n6 rows\n```\n\n"
        '```json\n{\n  "took": 1\n}\n```\n\n</details>'
    ) in text


@pytest.mark.parametrize("language", ["js\n```\n\n# Out", "</details>", "a b", "`", 7, "unknown"])
def test_a_language_that_is_no_name_leads_out_of_no_fence(language: Any) -> None:
    call = {"name": "run", "input": {"code": "x = 6", "language": language}}

    text = markdown(message(1, role="assistant", tool_calls=[call]))

    assert "\n```python\nx = 6\n```\n" in text
    assert "\n# Out" not in text


def test_a_kept_file_has_its_own_type_and_size() -> None:
    record = conversation(
        1, [message(1, "x", attachments=[{"name": "a.bin", "size": 5}, {"o": 1}])]
    )
    record.files = [
        MessageFile(
            message_id=record.messages[0].id,
            position=0,
            digest="a" * 64,
            name="a.bin",
            media_type="image/png",
            size=1_234_567,
        )
    ]

    text = registry.writer("markdown", WriteOptions(attachments="files")).conversation(record)

    assert b"- [`a.bin` (`image/png, 1.2 MB`)](files/aaaaaaaaaaaa_a.bin)\n" in text
    assert b'- `{"o":1}`\n' in text


@pytest.mark.parametrize(
    ("size", "told"), [(999, "999 B"), (999_600, "1.0 MB"), (3 * 10**9, "3.0 GB")]
)
def test_a_size_is_written_in_one_way(size: int, told: str) -> None:
    shown = message(1, "x", attachments=[{"name": "a.txt", "size": size}])

    assert f"- `a.txt` (`{told}`)\n" in markdown(shown)
    (files,) = [each for each in parts_of(shown) if isinstance(each, ShownFiles)]
    assert files.files[0].about == told


@pytest.mark.parametrize("size", [-5, True, 10**400])
def test_what_no_file_can_have_is_no_size(size: Any) -> None:
    files = [{"name": "a.txt", "size": size}]

    assert "- `a.txt`\n" in markdown(message(1, "x", attachments=files))
    told = list(blocks(message(1, "x", attachments=files), full=False))
    assert told[0].text == "[attachments: a.txt]"
