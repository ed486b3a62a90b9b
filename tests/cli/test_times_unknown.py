"""What has no time at all is not shown as of 1970, in no list and no format."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl

Invoke = Callable[..., Any]

TALK = [{"role": "user", "content": "hello melon"}, {"role": "assistant", "content": "hi"}]


@pytest.fixture
def command(
    run: Invoke, database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Invoke:
    """Run commands on a database that holds a conversation without any time."""
    monkeypatch.setenv("DATABASE_URL", database_url.exposed())
    path = tmp_path / "chat.json"
    path.write_text(json.dumps(TALK))
    assert run("import", path, "--user", "ann").exit_code == 0
    return run


@pytest.mark.parametrize("output", ["table", "json", "jsonl", "csv"])
@pytest.mark.parametrize(
    "words",
    [
        ("conversations", "list"),
        ("search", "melon"),
        ("users", "list"),
        ("stats", "--by", "day"),
        ("stats", "--by", "week", "--timezone", "America/New_York"),
    ],
    ids=" ".join,
)
def test_a_list_does_not_show_1970(command: Invoke, words: tuple[str, ...], output: str) -> None:
    done = command(*words, "--format", output)

    assert done.exit_code == 0
    assert done.stdout
    assert "1970" not in done.stdout
    assert "1969" not in done.stdout


def test_the_talk_its_messages_and_its_transcript_say_that_the_time_is_unknown(
    command: Invoke, tmp_path: Path
) -> None:
    (listed,) = json.loads(command("conversations", "list", "--format", "json").stdout)

    shown = command("conversations", "show", listed["id"])
    messages = command("messages", "list", listed["id"], "--format", "json")
    exported = command("export", "--to", "markdown", "--output", tmp_path / "out.md")

    assert listed["created_at"] is None
    assert listed["updated_at"] is None
    assert "user · time unknown" in shown.stdout
    assert [each["created_at"] for each in json.loads(messages.stdout)] == [None, None]
    assert exported.exit_code == 0
    written = (tmp_path / "out.md").read_text()
    assert "## User\n" in written
    assert "1970" not in written
