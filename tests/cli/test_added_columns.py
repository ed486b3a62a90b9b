"""A column that another program added to chatdb's tables is named wherever it is left behind."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.another_program import execute_as_another_program
from chatdb.db.url import DatabaseUrl
from tests.operations.export_rows import fill
from tests.operations.restoring import kept_removed

Run = Callable[..., Any]

FIRST = "00000000-0000-0001-0000-000000000000"
"""The id of the first conversation of `fill`."""


@pytest.fixture
def tagged(database_url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    """A database to which another program added a table, and a column with values."""
    fill(database_url, 2)
    for statement in (
        "ALTER TABLE conversations ADD COLUMN tags text",
        "UPDATE conversations SET tags = 'work'",
        "CREATE TABLE bookmarks (id integer)",
    ):
        execute_as_another_program(database_url, statement)
    with kept_removed(database_url):
        yield database_url


@pytest.fixture
def command(run: Run, tagged: DatabaseUrl) -> Run:
    """Run the command on that database."""
    return lambda *words: run(*words, "-d", tagged.exposed())


def test_a_copy_is_partial(run: Run, tagged: DatabaseUrl, tmp_path: Path) -> None:
    done = run("copy", tagged.exposed(), f"sqlite:///{tmp_path / 'copy.db'}")

    assert done.exit_code == 7
    assert "column conversations.tags: it is not chatdb's; rows with a value in it: 2" in (
        done.stderr
    )


def test_a_backup_of_one_organization_is_partial_and_a_whole_one_is_not(
    command: Run, tmp_path: Path
) -> None:
    part = command("backup", "create", "--org", "default", "-o", tmp_path / "part")
    whole = command("backup", "create", "-o", tmp_path / "whole")

    assert (part.exit_code, whole.exit_code) == (7, 0)
    assert "column conversations.tags is not chatdb's, and not in the backup of one" in part.stderr
    assert "bookmarks" not in part.stderr
    assert "tags" not in whole.stderr


def test_an_export_warns(command: Run) -> None:
    done = command("export", "--to", "jsonl")

    assert done.exit_code == 0
    assert "column conversations.tags is not chatdb's, and not in the export" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("conversations", "delete", FIRST),
        ("messages", "delete", FIRST, "00000000-0000-0000-0000-000000000001"),
        ("conversations", "merge", FIRST, "00000000-0000-0002-0000-000000000000"),
        ("organizations", "delete", "default", "--keep-organization"),
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_what_destroys_warns_before_it_keeps(command: Run, words: tuple[str, ...]) -> None:
    warning = "column conversations.tags is not chatdb's, and not in what is kept"

    refused = command(*words)
    done = command(*words, "--yes")

    assert refused.exit_code == 6
    assert warning in refused.stderr
    assert done.exit_code == 0, done.stderr
    assert warning in done.stderr


def test_what_keeps_nothing_does_not_speak_of_it(command: Run) -> None:
    done = command("conversations", "delete", FIRST, "--no-keep", "--yes")

    assert done.exit_code == 0
    assert "tags" not in done.stderr


def test_a_part_of_a_backup_that_is_merged_in_is_partial(
    command: Run, tagged: DatabaseUrl, tmp_path: Path
) -> None:
    command("backup", "create", "-o", tmp_path / "whole")
    (manifest,) = (tmp_path / "whole").glob("*.json")
    name = next(each for each in manifest.parent.iterdir() if each.suffix in (".dump", ".zst"))
    via = ("--via", tagged.exposed()) if tagged.path is None else ()

    back = command("restore", name, "--conversation", FIRST, *via, "--yes", "--format", "json")

    assert back.exit_code == 7, back.stderr
    assert json.loads(back.stdout)["columns_left_out"] == ["conversations.tags"]
    assert "column conversations.tags is not chatdb's" in back.stderr
