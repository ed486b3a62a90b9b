"""`conversations show` is a transcript that can be read, copied from and found one's way in."""

import json
from collections.abc import Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest

from chatdb.cli.commands.conversations.blocks import Block, blocks
from chatdb.db.database import Database
from chatdb.formats.branches import branch_through, tree
from chatdb.records import Conversation, Message
from tests.cli.conftest import Run
from tests.operations.conversation_rows import START, add_conversation, change_message, message_id

Command = Callable[..., Any]
LONG = "total = sum(value for value in values if value is not None and value > limit)  # all of it"
ANSWER = (
    f"# Sums\n\n1. In a list:\n\n   ```python\n   {LONG}\n   ```\n\n> ```\n> quoted\n> ```\n\nEnd."
)


def message(
    number: int, parent: int | None = None, role: Any = "assistant", **more: Any
) -> Message:
    return Message(
        id=UUID(int=number),
        role=role,
        content=more.pop("content", f"text {number}"),
        created_at=START,
        parent_id=None if parent is None else UUID(int=parent),
        **more,
    )


def test_no_line_of_code_is_broken_at_60_columns(
    sqlite_database: Database, run_on_terminal: Run
) -> None:
    add_conversation(sqlite_database, [f"Why?\n```python\n{LONG}\n```\nPlease", ANSWER, "x"])
    change_message(
        sqlite_database,
        message_id(1, 2),
        tool_calls=[{"name": "repl", "input": {"code": LONG}}],
        tool_outputs=[{"content": [{"type": "text", "text": LONG}]}, {"rows": [1] * 200}],
    )
    words = ("conversations", "show", "last", "-d", sqlite_database.url.exposed())

    shown = run_on_terminal(*words, columns=60, env={"PAGER": "cat", "NO_COLOR": "1"}).stdout
    coloured = run_on_terminal(*words, columns=60, env={"PAGER": "cat"}).stdout

    lines = shown.splitlines()
    assert lines.count(LONG) == 3
    assert f"   {LONG}" in lines
    assert "▌ quoted" in lines
    assert {"╭─ python", "   ╭─ python", "╭─ javascript"} <= set(lines)
    assert "[tool call: repl]" in lines
    assert "[JSON of" in shown
    assert "\x1b" not in shown
    assert "\x1b[" in next(line for line in coloured.splitlines() if "total" in line)


def test_code_is_not_lost_where_lists_leave_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    from chatdb.cli.code_blocks import MarkdownText
    from chatdb.cli.rendering import rendered

    monkeypatch.setenv("COLUMNS", "20")
    levels = [f"{'  ' * depth}- item" for depth in range(30)]

    for depth in range(1, 30):
        indent = "  " * depth
        content = "\n".join([*levels[:depth], f"{indent}```", f"{indent}{LONG}", f"{indent}```"])
        assert LONG in rendered(MarkdownText(content), color=False), depth


def test_pictures_files_and_calls_have_a_line_each() -> None:
    def told(**parts: Any) -> list[Block]:
        return list(blocks(message(1, content="", **parts), full=False))

    pictures = told(
        attachments=[
            {"id": "f", "name": "plot.png", "mime_type": "image/png"},
            {"id": "f", "width": 1024, "height": 768, "content_type": "image_asset_pointer"},
            {"name": "notes.pdf", "size": 123_456},
            {"file_name": "sky.jpg", "preview_asset": {"image_width": 3, "image_height": 2}},
        ]
    )
    called = told(
        tool_calls=[{"type": "function", "function": {"name": "py", "arguments": '{"code": "1"}'}}]
    )

    assert [block.text for block in pictures] == [
        "[image: plot.png, 1024x768]",
        "[image: sky.jpg, 3x2]",
        "[attachments: notes.pdf (123 kB)]",
    ]
    assert [(block.text, block.language) for block in called] == [
        ("[tool call: py]", ""),
        ("1", "python"),
    ]


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ('{"status": 200, "content": [{"type": "text", "text": "Found"}]}', ["Found", "[JSON of"]),
        ('{"rows": [' + "1, " * 100 + "1]}", ["[JSON of 313 characters: --full shows it]"]),
        ('{"ok": true}', ['{"ok": true}']),
        ("{not JSON}", ["{not JSON}"]),
    ],
)
def test_json_of_a_tool_is_folded_behind_its_text(content: str, shown: list[str]) -> None:
    folded = list(blocks(message(1, role="tool", content=content), full=False))
    (full,) = blocks(message(1, role="tool", content=content), full=True)

    assert len(folded) == len(shown)
    assert all(block.text.startswith(text) for block, text in zip(folded, shown, strict=True))
    assert full.text == content


def test_a_message_is_found_on_its_branch_and_branches_by_number() -> None:
    # 1 - 2 - 3 is the active branch; 4 is another answer to 1, with 5 and 6 below it.
    links = [(1, None), (2, 1), (3, 2), (4, 1), (5, 4), (6, 4)]
    record = Conversation(
        id=UUID(int=9),
        created_at=START,
        updated_at=START,
        current_message_id=UUID(int=3),
        messages=[message(*link) for link in links],
    )
    alone = msgspec.structs.replace(record, messages=[message(n) for n in (1, 2)])

    def through(number: int) -> list[int]:
        return [each.id.int for each in branch_through(record, UUID(int=number))]

    assert [through(number) for number in (1, 3, 4, 5)] == [
        *([1, 2, 3], [1, 2, 3]),
        *([1, 4, 6], [1, 4, 5]),
    ]
    ends = {node.message.id.int: node.branch for node in tree(record) if node.branch is not None}
    assert ends == {3: 1, 5: 2, 6: 3}
    assert branch_through(alone, UUID(int=2)) == alone.messages


def test_at_begins_near_the_message_and_marks_it(command: Command, database: Database) -> None:
    add_conversation(database, [f"text {number}" for number in range(9)])
    change_message(database, message_id(1, 8), parent_id=message_id(1, 0))
    end = message_id(1, 4).hex[-8:]

    def show(*words: str) -> Any:
        return command("conversations", "show", "last", *words)

    hit, other, tree_ = show("--at", end), show("--branch", "2"), show("--tree")
    ids, as_json = show("--ids"), show("--at", end, "--format", "json")

    assert hit.stdout.count("→ ") == 1
    assert "text 1\n" not in hit.stdout
    assert "text 2\n\nassistant" in hit.stdout
    assert "text 7\n" in hit.stdout
    assert f"2 earlier messages left out: --branch {end}" in hit.stderr
    assert [line for line in other.stdout.splitlines() if line.startswith("text")] == [
        *("text 0", "text 8")
    ]
    assert "[branch 2]" in tree_.stdout
    assert end in tree_.stdout
    assert message_id(1, 8).hex[-8:] in ids.stdout
    texts = [each["content"] for each in json.loads(as_json.stdout)["messages"]]
    assert texts == [f"text {number}" for number in range(8)]
    assert show("--branch", "3").exit_code == 5
    assert show("--at", "ffff").exit_code == 5
    assert show("--at", end, "--tree").exit_code == 2
