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


@pytest.mark.large
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


def test_no_hour_of_the_week_counts_it(command: Invoke) -> None:
    told = json.loads(command("stats", "--timezone", "America/New_York", "--format", "json").stdout)

    assert told["totals"]["messages"] == 2
    assert told["busiest_hours"] == []


def test_it_was_not_before_any_time_and_is_not_deleted_for_it(
    command: Invoke, tmp_path: Path
) -> None:
    deleted = command("conversations", "delete", "--before", "2024-01-01", "--yes")
    command("export", "--until", "2024-01-01", "--output", tmp_path / "early.jsonl")

    assert deleted.exit_code == 0
    assert len(json.loads(command("conversations", "list", "--format", "json").stdout)) == 1
    assert len((tmp_path / "early.jsonl").read_text().splitlines()) == 1


def test_its_file_in_a_folder_has_no_date(command: Invoke, tmp_path: Path) -> None:
    command("export", "--to", "markdown", "--output", f"{tmp_path}/notes/")

    (file,) = (tmp_path / "notes").glob("*.md")
    assert file.name.startswith("undated_")
    assert "1970" not in file.read_text()


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
