"""`chatdb conversations`: list, show and delete."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from rich.cells import cell_len

from chatdb.cli.commands.conversations.transcript import TranscriptStyle, tree_lines
from chatdb.db.database import Database
from chatdb.db.schema import conversations, messages
from chatdb.formats.branches import TreeNode
from chatdb.records import Message
from tests.cli.conftest import Run
from tests.cli.test_search import HOSTILE
from tests.operations.conversation_rows import START, add_conversation, change_message, message_id

MARKDOWN = "# Heading\n\nText with `code` and <b>html</b>:\n\n```python\nprint('[x]')\n```\n"

Command = Callable[..., Any]


def count(database: Database) -> int:
    with database.transaction() as connection:
        return connection.execute(
            sa.select(sa.func.count()).select_from(conversations)
        ).scalar_one()


def test_the_list_is_a_table_with_short_ids(command: Command, database: Database) -> None:
    add_conversation(database, ["a", "b"], title="First [x]", user_id="ann")

    lines = command("conversations", "list").stdout.splitlines()

    assert lines[0].split() == ["ID", "Title", "User", "Messages", "Updated"]
    assert lines[2].split("  ")[0] == "00000001"
    assert "First [x]" in lines[2]
    assert lines[2].endswith("2025-01-02 12:00")


def test_short_ids_grow_until_they_differ(command: Command, database: Database) -> None:
    add_conversation(database, [], number=1, id=UUID("aaaa0000-0000-4000-8000-0001deadbeef"))
    add_conversation(database, [], number=2, id=UUID("bbbb0000-0000-4000-8000-0002deadbeef"))

    lines = command("conversations", "list").stdout.splitlines()

    assert [line.split()[0] for line in lines[2:]] == ["0002deadbeef", "0001deadbeef"]


def test_a_cut_list_names_the_way_on(command: Command, database: Database) -> None:
    ids = [str(add_conversation(database, [], number=number)) for number in (1, 2, 3)]

    first = command("conversations", "list", "--limit", "2", "--format", "json")
    cursor = first.stderr.partition("--after ")[2].split()[0]
    second = command("conversations", "list", "--after", cursor, "--format", "json")

    assert [item["id"] for item in json.loads(first.stdout)] == ids[:0:-1]
    assert [item["id"] for item in json.loads(second.stdout)] == ids[:1]
    assert second.stderr == ""


def test_show_prints_the_active_branch_as_it_is(command: Command, database: Database) -> None:
    long = "x" * 5_000
    identifier = add_conversation(database, ["question", MARKDOWN, long], title="T", user_id="ann")
    change_message(database, message_id(1, 2), parent_id=message_id(1, 0))
    change_message(database, message_id(1, 1), model="gpt-4o")
    with database.transaction(write=True) as connection:
        connection.execute(sa.update(conversations).values(current_message_id=message_id(1, 1)))

    result = command("conversations", "show", "last")

    assert result.stdout == (
        f"T · ann · {identifier}\n\n"
        "user · 2025-01-02 12:00:\nquestion\n\n"
        f"assistant · 2025-01-02 12:01 · gpt-4o:\n{MARKDOWN}\n\n"
    )
    assert "1 message on other branches" in result.stderr
    assert long in command("conversations", "show", "last", "--all-branches").stdout
    tree = command("conversations", "show", "last", "--tree").stdout.splitlines()
    assert [line.split(" · ")[0].replace("000f424", "") for line in tree] == [
        *("* 0 user", "  * 1 [branch 1] assistant", "  - 2 [branch 2] user")
    ]


def test_citations_are_shown_as_links_and_stay_in_json(
    command: Command, database: Database
) -> None:
    cited = "Old\ue200cite\ue202turn0search1\ue201."
    add_conversation(database, ["question", cited])
    reference = {"matched_text": cited[3:-1], "items": [{"url": "https://example.org/rome"}]}
    metadata = {"metadata": {"content_references": [reference]}}
    change_message(database, message_id(1, 1), metadata=metadata)

    shown = command("conversations", "show", "last").stdout
    tree = command("conversations", "show", "last", "--tree").stdout
    stored = json.loads(command("conversations", "show", "last", "--format", "json").stdout)

    assert "\nOld[[1]](https://example.org/rome).\n" in shown
    assert "Old[1]." in tree
    written = command("export", "--to", "markdown", "--output", "-").stdout
    assert "\nOld[[1]](https://example.org/rome).\n" in written
    assert stored["messages"][1]["content"] == cited
    found = command("search", "old*").stdout
    listed = command("messages", "list", "last").stdout
    assert "  Old.\n" in found
    assert "Old." in listed
    assert "turn0" not in found + listed


def test_hidden_messages_are_shown_only_when_wanted(command: Command, database: Database) -> None:
    add_conversation(database, ["system prompt", "hello"])
    change_message(database, message_id(1, 0), metadata={"chatdb": {"hidden": True}})

    result = command("conversations", "show", "last")

    assert "system prompt" not in result.stdout
    assert "1 hidden message left out" in result.stderr
    for option in ([], ["--tree"]):
        words = ("conversations", "show", "last", "--include-hidden", *option)
        assert "system prompt" in command(*words).stdout


def test_tools_and_reasoning_are_folded(command: Command, database: Database) -> None:
    add_conversation(database, ["line\n" * 50, "done"])
    change_message(
        database,
        message_id(1, 0),
        role="tool",
        reasoning="think\n" * 100,
        tool_calls=[{"function": {"name": "run_python", "arguments": "{}"}}],
    )

    folded = command("conversations", "show", "last").stdout
    full = command("conversations", "show", "last", "--full").stdout

    assert "[tool calls: run_python]" in folded
    assert folded.count("line\n") == 6
    assert "--full shows them" in folded
    assert full.count("line\n") == 50
    assert full.count("think\n") == 100


def test_a_file_that_stands_twice_is_named_once(command: Command, database: Database) -> None:
    add_conversation(database, ["see"])
    pointer = {"asset_pointer": "sediment://file_1", "id": "file_1"}
    files = [pointer, {"id": "file_1", "name": "till.png"}, {"id": "file_2"}]
    change_message(database, message_id(1, 0), attachments=files)

    shown = command("conversations", "show", "last").stdout

    assert "[image: till.png]\n[attachments: file_2]\n" in shown


def test_what_was_seen_beside_a_message_is_shown_and_folded_where_long(
    command: Command, database: Database
) -> None:
    add_conversation(database, ["see the notes", "and the log"])
    change_message(database, message_id(1, 0), attached_text="notes.txt:\nshort", user_id="bo")
    change_message(database, message_id(1, 1), attached_text="log:\n" + "line\n" * 50)

    folded = command("conversations", "show", "last").stdout
    full = command("conversations", "show", "last", "--full").stdout

    assert "see the notes\n[attached text]\nnotes.txt:\nshort\n" in folded
    assert " · bo:\n" in folded
    assert folded.count("line\n") == 5
    assert "(255 characters; --full shows them)" in folded
    assert full.count("line\n") == 50


def test_json_is_the_whole_record(command: Command, database: Database) -> None:
    identifier = add_conversation(database, ["a", "b"], metadata={"k": [1]})

    record = json.loads(command("conversations", "show", "last", "--format", "json").stdout)

    assert record["id"] == str(identifier)
    assert record["metadata"] == {"k": [1]}
    assert [message["content"] for message in record["messages"]] == ["a", "b"]


@pytest.mark.parametrize("text", ["word " * 20, "漢字" * 20])
def test_a_tree_keeps_its_shape_where_lines_are_folded(text: str) -> None:
    message = Message(id=UUID(int=1), role="user", content=text, created_at=START)
    nodes = [TreeNode(message, depth, is_active=depth < 2) for depth in (0, 2, 20)]

    lines = list(tree_lines(nodes, TranscriptStyle(digits=8), numbered=False, width=60))

    assert max(map(cell_len, lines)) <= 60
    tops = [
        line
        for line in lines
        if line.lstrip("(20) ").startswith(("* 00000001 user", "- 00000001 user"))
    ]
    assert [line.index("00000001") for line in tops] == [2, 6, 31]
    indents = {len(line) - len(line.lstrip()) for line in lines if line not in tops}
    assert indents == {2, 6, 31}


def test_hostile_text_does_nothing_on_a_terminal(
    sqlite_database: Database, run_on_terminal: Run
) -> None:
    add_conversation(
        sqlite_database, [HOSTILE, HOSTILE, "| a |\n|---|\n| [l](http://x) |"], title=HOSTILE
    )
    change_message(
        sqlite_database,
        message_id(1, 0),
        **dict.fromkeys(("reasoning", "author", "model", "attached_text", "user_id"), HOSTILE),
    )
    for words in (
        ["list"],
        ["show", "last", "--full"],
        ["show", "last", "--tree"],
    ):
        shown = run_on_terminal(
            *("conversations", *words, "-d", sqlite_database.url.exposed()),
            columns=60,
            env={"PAGER": "cat"},
        ).stdout

        assert "[red]m" in "".join(shown.split())
        for harmful in ("\x1b]", "\x07", "\x9b", "\u202e", "\x1b[31m"):
            assert harmful not in shown


def test_a_terminal_gets_rendered_markdown_and_code(
    sqlite_database: Database, run_on_terminal: Run
) -> None:
    add_conversation(sqlite_database, ["# not rendered for users", MARKDOWN])

    shown = run_on_terminal(
        *("conversations", "show", "last", "-d", sqlite_database.url.exposed()),
        columns=60,
        env={"PAGER": "cat", "NO_COLOR": "1"},
    ).stdout

    assert "# not rendered for users" in shown
    assert "# Heading" not in shown
    assert "<b>html</b>" in shown
    assert "print('[x]')" in shown
    assert "```" not in shown


def test_delete_asks_on_a_terminal(sqlite_database: Database, run_on_terminal: Run) -> None:
    add_conversation(sqlite_database, ["a"], title="Trip")
    words = ("conversations", "delete", "last", "-d", sqlite_database.url.exposed())

    refused = run_on_terminal(*words, prompt="[y/N]", keys="n\n")
    assert (refused.exit_code, count(sqlite_database)) == (6, 1)
    assert "Trip (1 message)" in refused.stdout
    deleted = run_on_terminal(*words, prompt="[y/N]", keys="y\n")
    assert (deleted.exit_code, count(sqlite_database)) == (0, 0)


def test_delete_refuses_without_a_terminal_and_a_yes(
    command: Command, database: Database, tmp_path: Path
) -> None:
    add_conversation(database, ["a"])

    result = command("conversations", "delete", "last")

    assert result.exit_code == 6
    assert "--yes" in result.stderr
    assert "***" in result.stderr or "sqlite:///" in result.stderr
    assert count(database) == 1
    assert not list(tmp_path.rglob("deleted_*"))


def test_a_dry_run_of_delete_writes_nothing(
    command: Command, database: Database, tmp_path: Path
) -> None:
    identifier = add_conversation(database, ["a", "b"])

    words = ("conversations", "delete", "last", "--dry-run", "--format", "json")
    report = json.loads(command(*words).stdout)

    assert report["ids"] == [str(identifier)]
    assert (report["conversations"], report["messages"], report["dry_run"]) == (1, 2, True)
    assert count(database) == 1
    assert not list(tmp_path.rglob("deleted_*"))


def test_what_was_deleted_comes_back_by_the_command_that_is_named(
    command: Command, database: Database
) -> None:
    add_conversation(database, ["a", "b"], title="Trip")
    before = command("conversations", "show", "last", "--format", "json").stdout

    deleted = command("conversations", "delete", "last", "--yes", "--format", "json")
    line = deleted.stderr.partition("to restore them: chatdb ")[2].strip()
    # What was typed is repeated, but for its password; the command here types it again.
    line = line.split(f"-d {shlex.quote(database.url.redacted())} ")[-1]
    assert count(database) == 0
    again = command(*line.removesuffix(" --restore-deleted").split())
    assert again.exit_code == 0
    assert count(database) == 0
    back = command(*line.split())

    assert back.exit_code == 0
    assert command("conversations", "show", "last", "--format", "json").stdout == before


def test_erasing_keeps_nothing(command: Command, database: Database, tmp_path: Path) -> None:
    add_conversation(database, ["a"])

    result = command("conversations", "delete", "last", "--yes", "--no-keep", "--format", "json")

    assert json.loads(result.stdout)["kept"] is None
    assert "restore them" not in result.stderr
    assert not list(tmp_path.rglob("deleted_*"))
    with database.transaction() as connection:
        assert connection.execute(sa.select(messages.c.id)).all() == []


def test_unknown_and_ambiguous_ids_are_named(command: Command, database: Database) -> None:
    add_conversation(database, [], number=1)
    add_conversation(database, [], number=2)

    for verb in (("show",), ("delete", "--yes")):
        assert command("conversations", *verb, "ffff").exit_code == 5
        ambiguous = command("conversations", *verb, "7000")
        assert ambiguous.exit_code == 2
        assert ambiguous.stderr.count("70000000-") == 2
    assert count(database) == 2
    assert command("conversations", "delete", "0001", "--no-keep", "--keep-to", "x").exit_code == 2
