"""Hostile titles and messages go in as they are and never reach a terminal as they are."""

import json
from pathlib import Path
from typing import Any

import pytest

PAYLOAD = (
    "\x1b]52;c;cm0gLXJmIC8=\x07"  # writes the clipboard
    "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\"  # hides a link
    "\x1b[2J\x1b[31m\x9b1A\x08\u202egpj.exe\u2066[bold]x[/bold][link=http://e]y[/link]"
)
WORD = "zebra"
TERMINAL_COMMANDS = [
    ("conversations", "list"),
    ("conversations", "list", "--format", "csv"),
    ("conversations", "list", "--format", "jsonl"),
    ("conversations", "show", "last"),
    ("conversations", "show", "last", "--tree"),
    ("conversations", "show", "last", "--format", "json"),
    ("conversations", "delete", "last", "--dry-run"),
    ("search", WORD),
    ("search", WORD, "--format", "csv"),
    ("search", "nothing \x1b]0;title\x07 here"),
    ("export", "--to", "markdown", "--output", "-"),
    ("export", "--to", "html", "--output", "-"),
    ("export", "--output", "-"),
    ("conversations", "show", "no-such\x1b[31m-id"),
    ("import", "no-such-\x1b]0;x\x07file.json"),
]


@pytest.fixture
def hostile_export(run: Any) -> Path:
    """A ChatGPT export whose every text is hostile, imported into the default database."""
    node = {
        "id": "11111111-1111-4111-8111-111111111111",
        "author": {"role": "user", "name": PAYLOAD},
        "create_time": 1_700_000_000.0,
        "content": {"content_type": "text", "parts": [f"{WORD} {PAYLOAD}"]},
    }
    conversation = {
        "id": "22222222-2222-4222-8222-222222222222",
        "title": f"{WORD} {PAYLOAD}",
        "create_time": 1_700_000_000.0,
        "update_time": 1_700_000_000.0,
        "current_node": node["id"],
        "mapping": {
            node["id"]: {"id": node["id"], "message": node, "parent": None, "children": []}
        },
    }
    path = Path("export.json")
    path.write_text(json.dumps([conversation]))
    assert run("import", "export.json").exit_code == 0
    return path


@pytest.mark.large
@pytest.mark.usefixtures("hostile_export")
@pytest.mark.parametrize("words", TERMINAL_COMMANDS, ids=lambda words: ascii(" ".join(words)))
def test_nothing_hostile_reaches_the_terminal(run_on_terminal: Any, words: Any) -> None:
    answer = run_on_terminal("--no-color", *words, env={"PAGER": "cat"})

    for sequence in ("\x1b", "\x9b", "\x07", "\x08", "\u202e", "\u2066"):
        assert sequence not in answer.stdout
    if answer.exit_code == 0 and "search" not in words:
        assert WORD in answer.stdout


@pytest.mark.usefixtures("hostile_export")
def test_the_text_itself_is_kept(run: Any) -> None:
    listed = json.loads(run("conversations", "list", "--format", "json").stdout)
    exported = run("export", "--output", "-").stdout.splitlines()[1]

    assert listed[0]["title"] == f"{WORD} {PAYLOAD}"
    assert json.loads(exported)["messages"][0]["content"] == f"{WORD} {PAYLOAD}"


@pytest.mark.usefixtures("hostile_export")
@pytest.mark.parametrize(
    "words", [("conversations", "list"), ("search", WORD), ("conversations", "show", "last")]
)
def test_markup_is_shown_as_it_was_written(run: Any, words: Any) -> None:
    assert "[bold]x[/bold][link=http://e]y[/link]" in run(*words).stdout
