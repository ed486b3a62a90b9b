"""`chatdb messages` and `chatdb conversations create`, `rename`, `star` ... as they are typed."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.operations.conversations.lists import read_conversation
from tests.cli.conftest import Run
from tests.cli.test_search import HOSTILE
from tests.operations.conversation_rows import add_conversation, add_organization, message_id

Command = Callable[..., Any]


@pytest.fixture
def database(sqlite_url: DatabaseUrl) -> Iterator[Database]:
    """One kind is enough: what differs between them is tested below the command line."""
    with Database.open(sqlite_url) as handle:
        yield handle


def listed(command: Command) -> list[dict[str, Any]]:
    """Return the messages of the last conversation."""
    words = ("messages", "list", "last", "--limit", "1000", "--format", "json")
    found: list[dict[str, Any]] = json.loads(command(*words).stdout)
    return found


def test_a_talk_is_written_from_the_command_line(command: Command) -> None:
    made = command(
        *("conversations", "create", "--user", "ann", "--meta", "shop.order=17"),
        *("--message", "How do I bake bread?", "--format", "json"),
    )
    assert json.loads(made.stdout)["title"] == "How do I bake bread?"

    command("messages", "add", "last", "-", input="With flour.\r\n", env={})
    command("messages", "add", "last", "--role", "tool", "--tool-outputs", '{"ok": true}')
    words = ("messages", "add", "last", "Then?", "--reasoning", "hm", "--meta", "a.b=1")
    added = json.loads(command(*words, "--format", "json").stdout)

    found = listed(command)
    assert [each["content"] for each in found] == [
        "How do I bake bread?",
        "With flour.",
        "",
        "Then?",
    ]
    assert found[2]["tool_outputs"] == {"ok": True}
    assert (found[3]["reasoning"], found[3]["metadata"]) == ("hm", {"a": {"b": 1}})
    assert added["message_ids"] == [found[3]["id"]]
    shown = command("conversations", "list", "--meta", "shop.order=17", "--format", "json")
    assert [row["message_count"] for row in json.loads(shown.stdout)] == [4]


def test_several_messages_come_as_json(command: Command, database: Database) -> None:
    add_conversation(database, ["a"])
    lines = '{"content": "b", "role": "assistant"}\n\n{"content": "c"}\n'

    assert command("messages", "add", "last", "--json", input=lines).exit_code == 0
    as_list = '[{"content": "d", "created_at": "2025-01-01T00:00:00+01:00", "model": null}]'
    assert command("messages", "add", "last", "--json", as_list).exit_code == 0

    found = listed(command)
    assert [each["content"] for each in found] == ["a", "b", "c", "d"]
    assert found[3]["created_at"] == "2024-12-31T23:00:00Z"


@pytest.mark.parametrize(
    ("text", "code", "word"),
    [
        ("", 2, "no message"),
        ("[]", 2, "no message"),
        ("{}", 2, "empty"),
        ("nonsense", 1, "line 1 is not JSON"),
        ('{"content": "b"}\n{"content"', 1, "line 2 is not JSON"),
        ('{"content": 5}', 1, "content is not a text"),
        ('{"content": "b", "position": 3}', 1, "position"),
        ('{"content": "b", "role": "king"}', 2, "king"),
        ('{"content": "b", "id": "x"}', 1, "UUID"),
        ('{"content": "b", "created_at": "yesterday"}', 1, "yesterday"),
        ('{"content": "b", "metadata": []}', 1, "metadata"),
        ("[" * 100_000, 1, "not JSON"),
        ("5", 1, "not a JSON object"),
    ],
)
def test_json_that_is_no_message_adds_nothing(
    command: Command, database: Database, text: str, code: int, word: str
) -> None:
    add_conversation(database, ["a"])

    result = command("messages", "add", "last", "--json", input=text)

    assert (result.exit_code, word in result.stderr) == (code, True)
    assert len(listed(command)) == 1


def test_ten_megabytes_come_by_stdin_as_they_are(command: Command, database: Database) -> None:
    add_conversation(database, ["a"])
    large = "0123456789 Wörter\n" * 600_000

    assert command("messages", "add", "last", input=large).exit_code == 0

    assert listed(command)[1]["content"] == large[:-1]


def test_what_is_not_utf8_is_replaced_and_said(command: Command, database: Database) -> None:
    add_conversation(database, ["a"])

    result = command("messages", "add", "last", input=b"x\xff\x00y")

    assert "2 characters" in result.stderr
    assert listed(command)[1]["content"] == "x\ufffd\ufffdy"


def test_an_input_that_says_nothing_is_an_error(command: Command, database: Database) -> None:
    add_conversation(database, ["a"])

    empty = command("messages", "add", "last", input="\n")
    assert (empty.exit_code, "empty" in empty.stderr) == (2, True)
    assert command("messages", "edit", "last", "last", input="").exit_code == 2
    assert command("messages", "add", "last", "--tool-calls", "{").exit_code == 2
    assert command("messages", "add", "last", "--json", "{}", "--role", "user").exit_code == 2


def test_closed_standard_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from chatdb.cli.context import CommandContext
    from chatdb.cli.input import read_text
    from chatdb.cli.options import GlobalOptions
    from chatdb.errors import UsageError

    monkeypatch.setattr("sys.stdin", None)

    with pytest.raises(UsageError, match="closed"):
        read_text(CommandContext(GlobalOptions()), None)
    assert read_text(CommandContext(GlobalOptions()), "given") == "given"


def test_an_edit_changes_what_is_named(command: Command, database: Database) -> None:
    add_conversation(database, ["a", "b"])

    row = command("messages", "edit", "last", "last", "--model", "gpt", "--format", "json")
    command("messages", "edit", "last", str(message_id(1, 0)), input="from stdin\n")
    command("messages", "edit", "last", "last", "--model", "")

    assert json.loads(row.stdout)["model"] == "gpt"
    assert [(each["content"], each["model"]) for each in listed(command)] == [
        ("from stdin", None),
        ("b", None),
    ]


def test_deleting_messages_asks_and_names_the_way_back(
    command: Command, database: Database
) -> None:
    add_conversation(database, ["a", "b", "c"])
    words = ("messages", "delete", "last", str(message_id(1, 1)))

    dry = command(*words, "--dry-run", "--format", "json")
    refused = command(*words)
    assert (json.loads(dry.stdout)["messages"], refused.exit_code) == (1, 6)
    assert len(listed(command)) == 3

    done = command(*words, "--yes", "--format", "json")
    assert json.loads(done.stdout)["ids"] == [str(message_id(1, 1))]
    assert [each["content"] for each in listed(command)] == ["a", "c"]
    line = done.stderr.partition("to restore them: chatdb ")[2].strip()
    assert command(*line.split()).exit_code == 0
    assert [each["content"] for each in listed(command)] == ["a", "b", "c"]


def test_conversations_are_renamed_starred_archived_and_touched(
    command: Command, database: Database
) -> None:
    ids = [str(add_conversation(database, [], number=number)) for number in (1, 2)]

    def numbers(*words: str) -> list[int]:
        rows = json.loads(command("conversations", "list", *words, "--format", "json").stdout)
        return [ids.index(row["id"]) for row in rows]

    assert command("conversations", "rename", ids[0], "New").exit_code == 0
    command("conversations", "star", *ids)
    command("conversations", "unstar", ids[1])
    assert numbers("--starred") == [0]
    command("conversations", "archive", ids[0])
    assert (numbers(), numbers("--archived"), len(numbers("--all"))) == ([1], [0], 2)
    command("conversations", "unarchive", ids[0])
    command("conversations", "touch", ids[1])
    assert (numbers("--recent"), numbers("--sort", "accessed")) == ([1], [1, 0])
    assert command("conversations", "list", "--recent", "--sort", "title").exit_code == 2
    assert command("conversations", "list", "--meta", "x").exit_code == 2
    assert "just now" in command("conversations", "list", "--recent").stdout


def test_many_are_deleted_by_what_they_are(command: Command, database: Database) -> None:
    add_conversation(database, ["x"], number=1, source="chatgpt")
    add_conversation(database, ["x"], number=2, source="chatgpt", starred_at=None)
    stays = add_conversation(database, [], number=3, user_id="ann")

    words = ("conversations", "delete", "--source", "chatgpt", "--before", "2025-02-01")
    preview = command(*words, "--dry-run", "--format", "json")
    assert json.loads(preview.stdout)["conversations"] == 2
    assert command(*words, "--yes").exit_code == 0

    rows = json.loads(command("conversations", "list", "--format", "json").stdout)
    assert [row["id"] for row in rows] == [str(stays)]
    nothing = command(*words, "--yes", "--format", "json")
    assert (nothing.exit_code, json.loads(nothing.stdout)["kept"]) == (0, None)
    assert command("conversations", "delete", "--yes").exit_code == 2
    assert command("conversations", "delete", "last", "--archived", "--yes").exit_code == 2
    assert command("conversations", "delete", "last", "--user", "bob", "--yes").exit_code == 5


NARROWED = (
    ("conversations", "show", "ID"),
    ("conversations", "rename", "ID", "x"),
    ("conversations", "star", "ID"),
    ("conversations", "unstar", "ID"),
    ("conversations", "archive", "ID"),
    ("conversations", "unarchive", "ID"),
    ("conversations", "touch", "ID"),
    ("conversations", "delete", "ID", "--yes"),
    ("conversations", "fork", "ID", "--at", "last"),
    ("conversations", "split", "ID", "--at", "last"),
    ("conversations", "merge", "ID", "ID", "--yes"),
    ("snapshots", "list", "ID"),
    ("snapshots", "show", "ID"),
    ("snapshots", "save", "ID", "1"),
    ("messages", "list", "ID"),
    ("messages", "add", "ID", "x"),
    ("messages", "edit", "ID", "last", "x"),
    ("messages", "delete", "ID", "last", "--yes"),
)


def test_what_belongs_to_others_is_not_found(command: Command, database: Database) -> None:
    bobs = add_conversation(database, ["x"], number=1, user_id="bob")
    add_organization(database, "acme")
    theirs = add_conversation(database, ["x"], number=2, organization="acme", user_id="ann")
    before = [read_conversation(database, "last", organization_key=key) for key in KEYS]

    for words in NARROWED:
        for name in (str(bobs), bobs.hex[-6:], bobs.hex[:6], "last", str(theirs), theirs.hex[-6:]):
            typed = [name if word == "ID" else word for word in words]
            result = command(*typed, "--user", "ann")
            assert (result.exit_code, result.stdout) == (5, "")
            assert name in (str(bobs), str(theirs)) or "70000000-0000" not in result.stderr

    assert before == [read_conversation(database, "last", organization_key=key) for key in KEYS]


KEYS = ("default", "acme")


def test_conversations_are_forked_split_and_merged(command: Command, database: Database) -> None:
    talk = add_conversation(database, ["a", "b", "c"], title="Bread")
    words = (str(talk), "--at", str(message_id(1, 1)), "--format", "json")

    fork = json.loads(command("conversations", "fork", *words).stdout)
    split = json.loads(command("conversations", "split", *words, "--title", "Rye").stdout)
    assert (fork["title"], fork["messages"]) == ("Bread (fork)", 2)
    assert (split["title"], split["messages"], split["from_id"]) == ("Rye", 2, str(talk))

    merge = ("conversations", "merge", str(talk), split["id"])
    dry = command(*merge, "--dry-run", "--format", "json")
    assert (json.loads(dry.stdout)["dry_run"], command(*merge).exit_code) == (True, 6)
    done = command(*merge, "--yes", "--format", "json")
    assert json.loads(done.stdout)["messages"] == 2
    record = read_conversation(database, str(talk), organization_key="default")
    assert [each.content for each in record.messages] == ["a", "b", "c"]
    line = done.stderr.partition("beside it: chatdb ")[2].strip()
    assert command(*line.split()).exit_code == 0
    assert command("conversations", "show", split["id"]).exit_code == 0
    assert command("conversations", "merge", "last", "last", "--yes").exit_code == 2
    assert command("conversations", "fork", "last").exit_code == 2


def test_snapshots_are_saved_and_shown(command: Command, database: Database) -> None:
    add_conversation(database, ["a"])

    saved = command("snapshots", "save", "last", "--format", "json", input='{"todo": ["x"]}')
    command("snapshots", "save", "last", "[1]")

    rows = json.loads(command("snapshots", "list", "last", "--format", "json").stdout)
    assert [row["characters"] for row in rows] == [3, 14]
    shown = command("snapshots", "show", "last", rows[1]["id"][-8:], "--format", "json")
    assert json.loads(shown.stdout)["state"] == {"todo": ["x"]}
    assert json.loads(saved.stdout)["id"] == rows[1]["id"]
    assert "[1]" in command("snapshots", "show", "last").stdout
    assert command("snapshots", "save", "last", "{").exit_code == 2
    first = command("snapshots", "list", "last", "--limit", "1", "--format", "json")
    cursor = first.stderr.partition("--after ")[2].split()[0]
    after = command("snapshots", "list", "last", "--after", cursor, "--format", "json")
    assert [row["id"] for row in json.loads(after.stdout)] == [rows[1]["id"]]


def test_hostile_text_does_nothing_on_a_terminal(database: Database, run_on_terminal: Run) -> None:
    add_conversation(database, [HOSTILE], title=HOSTILE)

    for words in (["messages", "list", "last"], ["conversations", "star", "last"]):
        shown = run_on_terminal(*words, "-d", database.url.exposed(), columns=60).stdout
        assert "[red]m" in "".join(shown.split())
        for harmful in ("\x1b]", "\x07", "\x9b", "\u202e", "\x1b[31m"):
            assert harmful not in shown
