"""Markdown transcripts: readable, and nothing in a conversation breaks out of its place."""

import json
import unicodedata
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from chatdb.formats import registry
from chatdb.formats.base import WriteOptions
from chatdb.formats.files.file_names import LONGEST_SLUG, file_name, slug
from chatdb.formats.markdown_text import cleaned, closing_of, code_span, fenced
from chatdb.formats.times import EPOCH
from chatdb.records import Conversation, Message
from tests.operations.export_rows import NOON, conversation, message

HIDDEN = {"chatdb": {"hidden": True}}


def written(record: Conversation, **options: Any) -> str:
    return registry.writer("markdown", WriteOptions(**options)).conversation(record).decode()


def front_matter(text: str) -> dict[str, Any]:
    """Read the front matter: its texts are JSON strings, which YAML reads alike."""
    opening, body = text.split("---\n", 2)[:2]
    assert opening == ""
    fields = (line.split(": ", 1) for line in body.splitlines())
    return {name: json.loads(value) if value.startswith('"') else value for name, value in fields}


def branched() -> Conversation:
    """Return 1 -> 2 -> 3 with a second answer 4 to 1; the active leaf is 3."""
    parents = {1: None, 2: 1, 3: 2, 4: 1}
    messages = [
        message(n, f"text {n}", parent_id=None if parent is None else UUID(int=parent))
        for n, parent in parents.items()
    ]
    return conversation(1, messages, current_message_id=UUID(int=3), title="Branches")


def test_a_transcript_reads_like_this() -> None:
    record = conversation(
        1,
        [
            message(1, "Hello\n\n```python\nprint('x')   \n```"),
            message(2, "Hi", role="assistant", model="gpt-5", reasoning="think"),
        ],
        title="Trip to *Rome*",
        user_id="anna",
        source="chatgpt",
    )

    assert written(record) == (
        '---\ntitle: "Trip to *Rome*"\nid: "00000000-0000-0001-0000-000000000000"\n'
        "created_at: 2026-01-31T12:01:00Z\nupdated_at: 2026-01-31T12:01:00Z\n"
        'user_id: "anna"\nsource: "chatgpt"\nmessages: 2\n---\n\n'
        "# Trip to \\*Rome\\*\n\n"
        "## User · 2026-01-31 12:00:01Z\n\n"
        "Hello\n\n```python\nprint('x')   \n```\n\n"
        "## Assistant (gpt-5) · 2026-01-31 12:00:02Z\n\n"
        "<details>\n<summary>Reasoning</summary>\n\n```\nthink\n```\n\n</details>\n\n"
        "Hi\n"
    )


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ('say "hi" \\ there', 'say "hi" \\ there'),
        ("two\nlines\r\n---\nid: evil", "two lines --- id: evil"),
        ("\x1b[31mred\x07 \u202egpj.exe\u2066 \x9b1m", "[31mred gpj.exe 1m"),
        ("--- : # & * ! |", "--- : # & * ! |"),
        ("\U0001f600 日本語", "\U0001f600 日本語"),
        ("", "Untitled"),
        ("\u200b\n", "Untitled"),
    ],
)
def test_a_title_stays_one_quoted_line(title: str, shown: str) -> None:
    fields = front_matter(written(conversation(1, title=title)))

    assert fields["title"] == shown
    assert fields["id"] == str(UUID(int=1 << 64))


def test_a_title_is_no_markup_in_the_heading() -> None:
    text = written(conversation(1, title="<script>[x](javascript:y)`z`"))

    assert "\n# \\<script\\>\\[x\\](javascript:y)\\`z\\`\n" in text


def test_only_the_active_branch_is_written() -> None:
    text = written(branched())

    assert [n for n in range(1, 5) if f"text {n}" in text] == [1, 2, 3]
    assert "messages: 3\n" in text


def test_all_branches_are_written_and_marked() -> None:
    text = written(branched(), all_branches=True)

    assert "## 4. User" in text
    assert "*Another branch, after message 1.*\n\ntext 4" in text
    assert text.count("Another branch") == 1


def test_hidden_messages_are_written_only_when_asked_for() -> None:
    record = conversation(1, [message(1, "secret", metadata=HIDDEN), message(2, "open")])

    assert "secret" not in written(record)
    assert "· hidden\n\nsecret" in written(record, include_hidden=True)


@pytest.mark.parametrize(
    "value",
    [
        "</details>\n# out",
        "```\n</details>\n```` and `````",
        ["a", "</details>"],
        [{"type": "thinking", "thinking": "```"}],
        {"arguments": "```\n</details>"},
    ],
)
def test_folded_text_cannot_leave_its_fence(value: Any) -> None:
    record = conversation(1, [message(1, "x", reasoning=value, tool_outputs=value)])

    text = written(record)

    lines = text.splitlines()
    fence = ""
    inside: list[str] = []
    outside: list[str] = []
    for line in lines:
        if not fence and line.startswith("```"):
            fence = line.rstrip("json")
        elif fence and line == fence:
            fence = ""
        else:
            (inside if fence else outside).append(line)
    assert fence == ""
    assert outside.count("<details>") == outside.count("</details>") == text.count("<summary>")
    assert "# out" not in outside
    assert inside


@pytest.mark.parametrize(
    ("content", "closing"),
    [
        ("```python\ncode", "\n```"),
        ("````\n```\ncode", "\n````"),
        ("~~~\ncode", "\n~~~"),
        ("```\ncode\n```", ""),
        ("```\ncode\n``` not the end", "\n```"),
        ("a ``` b", ""),
        ("    ```", ""),
        ("<!-- never closed", "\n-->"),
        ("<!-- closed --> text", ""),
        ("<script>\nx", "\n</script>"),
        ("<pre>\nx\n</PRE>", ""),
        ("<details>\n<summary>x</summary>", "\n\n</details>"),
        ("<details>x</details>", ""),
        ("plain", ""),
    ],
)
def test_what_content_leaves_open_is_closed_behind_it(content: str, closing: str) -> None:
    assert closing_of(content).decode() == closing

    text = written(conversation(1, [message(1, content), message(2, "next")]))

    assert f"{content}{closing}\n\n## User" in text


def test_of_all_control_characters_only_tabs_and_ends_of_lines_are_left() -> None:
    for number in (*range(0x3000), 0xFFFD, 0x1F600):
        character = chr(number)
        is_control = unicodedata.category(character) == "Cc"
        kept = {"\r": "\n", "\n": "\n", "\t": "\t"}.get(character, "" if is_control else character)

        assert cleaned(f"a{character}b") == (f"a{kept}b", f"a{kept}b".encode()), number


def test_content_is_kept_but_for_control_characters() -> None:
    content = "  indented\ttab   \n\n\n* [x] \x1b[31m\x00 done\r\nnext \u200f \\`"

    text = written(conversation(1, [message(1, content)]))

    assert "\n  indented\ttab   \n\n\n* [x] [31m done\nnext \u200f \\`\n" in text


def test_tools_and_attachments_are_listed() -> None:
    call = {"name": "search<b>", "arguments": {"q": "x"}}
    record = conversation(
        1,
        [
            message(1, "", role="assistant", tool_calls=[call]),
            message(2, "result", role="tool", author="browser"),
            message(
                3, "see", attachments=[{"name": "a`b.png", "size": 5, "mime_type": "image/png"}]
            ),
            message(4, "", attachments={"odd": True}),
        ],
    )

    text = written(record)

    assert "<summary>Tool call: searchb</summary>" in text
    assert '"q": "x"' in text
    assert "## Tool (browser)" in text
    assert "<summary>Output</summary>\n\n```\nresult\n```" in text
    assert "- ``a`b.png`` (`image/png, 5 B`)\n" in text
    assert '- `{"odd":true}`\n' in text


def test_what_was_seen_beside_a_message_is_folded_and_breaks_out_of_nothing() -> None:
    pasted = "notes.md:\n```\n</details>\n## Not a heading\n"
    record = conversation(
        1, [message(1, "see the notes", attached_text=pasted), message(2, "and on", user_id="bo")]
    )

    text = written(record)

    assert f"<summary>Attached text</summary>\n\n````\n{pasted}````\n\n</details>\n" in text
    assert text.index("see the notes") < text.index("Attached text") < text.index("and on")
    assert "## User (bo) · " in text
    assert "kind" not in front_matter(text)
    record.kind = "document"
    assert front_matter(written(record))["kind"] == "document"


def test_thoughts_that_are_hidden_speak_by_their_summaries() -> None:
    block = {"type": "thinking", "thinking": "", "summaries": [{"summary": "about tills"}]}
    reply = message(1, "yes", role="assistant", reasoning=[block])

    text = written(conversation(1, [reply]))

    assert "<summary>Reasoning</summary>\n\n```\nabout tills\n```" in text


@pytest.mark.parametrize(
    ("call", "content", "block"),
    [
        ({"name": "python"}, "print(1)\n# no heading", "```python\nprint(1)\n# no heading\n```\n"),
        ({"name": "python", "language": "unknown"}, "x = 1", "```python\nx = 1\n```\n"),
        ({"name": "bash", "language": "bash"}, "ls", "```bash\nls\n```\n"),
        ({"name": "canmore.create_textdoc"}, '{"name": "x"}', '```json\n{"name": "x"}\n```\n'),
        ({"name": "search", "input": {"q": "x"}}, "I *look*.", "I *look*.\n"),
    ],
)
def test_the_input_of_a_call_is_code(call: dict[str, Any], content: str, block: str) -> None:
    reply = message(1, content, role="assistant", tool_calls=[call])

    text = written(conversation(1, [reply]))

    assert f"\n\n{block}" in text


def test_a_file_that_stands_twice_is_listed_once_by_its_name() -> None:
    files = [
        {"asset_pointer": "sediment://file_1", "id": "file_1"},
        {"id": "file_1", "name": "till.png"},
        {"file_name": "notes.txt", "extracted_content": "brine"},
        {"kind": "file", "file_name": "notes.txt"},
        {"kind": "file", "file_name": "other.txt"},
    ]

    text = written(conversation(1, [message(1, "see", attachments=files)]))

    assert text.endswith("Attachments:\n\n- `till.png`\n- `notes.txt`\n- `other.txt`\n")


@pytest.mark.parametrize("text", ["`", "``", "a`b", "`a", "plain", "``` x ```"])
def test_code_is_delimited_by_more_backticks_than_it_has(text: str) -> None:
    ticks = code_span(text).split(" ")[0] if text.startswith("`") else ""

    assert text in code_span(text)
    assert fenced(text).split("\n")[0] not in text
    assert ticks == "" or ticks not in text


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Trip to Rome!", "trip-to-rome"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\con\\nul.", "c-con-nul"),
        ("\x00\u202e\n", "untitled"),
        ("", "untitled"),
        ("ÉTÉ Straße", "été-strasse"),
        ("हिन्दी भाषा", "हिन्दी-भाषा"),
        ("日本 語", "日本-語"),
        ("a_b--c", "a-b-c"),
    ],
)
def test_slugs_are_safe_words(title: str, expected: str) -> None:
    assert slug(title) == expected


def test_names_stay_short_whole_and_distinct() -> None:
    long = conversation(1, title="日本語 " * 400)

    name = file_name(long, ".md")

    assert len(name.encode()) < 140
    assert len(slug("word " * 100).encode()) <= LONGEST_SLUG
    assert name.startswith("2026-01-31_日本語-")
    assert name.endswith("_000000000000.md")
    assert file_name(long, ".md", whole_id=True).endswith(f"_{long.id.hex}.md")
    assert file_name(conversation(1), ".md") == "2026-01-31_untitled_000000000000.md"


def test_names_of_early_years_sort_too() -> None:
    early = conversation(1, created_at=NOON.replace(year=33))

    assert file_name(early, ".md").startswith("0033-01-31_")
    assert written(early).startswith("---\n")


def test_the_name_of_a_conversation_without_a_time_has_no_date() -> None:
    undated = conversation(1, title="Melons", created_at=EPOCH)

    assert file_name(undated, ".md") == "undated_melons_000000000000.md"


def test_a_conversation_of_many_messages_needs_no_recursion() -> None:
    messages: list[Message] = []
    for n in range(1, 20_001):
        parent = UUID(int=n - 1) if n > 1 else None
        messages.append(
            message(n, "x", parent_id=parent, created_at=NOON + timedelta(microseconds=n))
        )
    record = conversation(1, messages, current_message_id=UUID(int=20_000))

    assert written(record).count("\n## User") == 20_000


def test_citations_are_links() -> None:
    cited = "\ue200cite\ue202turn0search1\ue201"
    reference = {"matched_text": cited, "items": [{"url": "https://example.org/rome"}]}
    metadata = {"metadata": {"content_references": [reference]}}
    answer = message(1, f"Old{cited}", role="assistant", metadata=metadata)

    assert "\nOld[[1]](https://example.org/rome)\n" in written(conversation(1, [answer]))
