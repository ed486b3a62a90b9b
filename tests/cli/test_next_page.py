"""A cut list prints the command for its next page, with a cursor that can be typed."""

import os
import shlex
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chatdb import config
from chatdb.cli.next_page import next_command
from chatdb.db.url import DatabaseUrl
from chatdb.primitives.remembered import recall, remember


def command_in(text: str) -> list[str]:
    """Return the words of the command in a note, without `chatdb`."""
    return shlex.split(text.partition("on the next page: ")[2].splitlines()[0])[1:]


def test_the_command_is_the_one_that_was_typed() -> None:
    for words, expected in [
        (["list", "--limit", "2"], "chatdb list --limit 2 --after @x"),
        (["list", "--after", "old", "--all"], "chatdb list --all --after @x"),
        (["--after=old", "list"], "chatdb list --after @x"),
        (["search", "--", "-b", "--after"], "chatdb search --after @x -- -b --after"),
        (["list", "--title", "a b; rm"], "chatdb list --title 'a b; rm' --after @x"),
    ]:
        assert next_command(words, "@x") == expected


def test_a_list_is_read_to_its_end_by_the_commands_it_prints(run: Any, lite: DatabaseUrl) -> None:
    first = run("-d", lite.exposed(), "list", "--limit", "1")
    cursor = command_in(first.stderr)[-1]
    second = run(*command_in(first.stderr))
    third = run(*command_in(second.stderr))

    assert len(cursor) <= 12
    assert [done.stdout.split("Chat ")[1][0] for done in (first, second, third)] == ["3", "2", "1"]
    assert third.stderr == ""
    folder = config.state_folder()
    assert folder is not None
    (kept, _) = sorted((folder / "cursors").iterdir())
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert {stat.S_IMODE(each.stat().st_mode) for each in (folder, folder / "cursors")} == {0o700}

    under_the_long_name = run("conversations", "list", "--limit", "1", "--after", cursor)
    of_another_list = run("search", "message", "--after", cursor)
    assert under_the_long_name.stdout == second.stdout
    assert (of_another_list.exit_code, "not a cursor" in of_another_list.stderr) == (2, True)


@pytest.mark.usefixtures("lite")
def test_programs_and_whoever_cannot_write_get_the_cursor_itself(
    run: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    as_json = run("list", "--limit", "1", "--format", "json")
    assert len(command_in(as_json.stderr)[-1]) > 12
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))

    first = run("list", "--limit", "1")

    cursor = command_in(first.stderr)[-1]
    assert cursor == command_in(as_json.stderr)[-1]
    assert "Chat 2" in run("list", "--limit", "1", "--after", cursor).stdout
    assert run("list", "--after", "@aaaaaaaaa").exit_code == 2


@pytest.mark.large
def test_what_is_remembered_is_bounded_and_each_owners_own(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "cursors"
    old = remember(folder, "a", "old")
    assert old is not None
    month = time.time() - 31 * 86_400
    os.utime(folder / old, (month, month))

    with ThreadPoolExecutor(4) as pool:
        names = list(pool.map(lambda n: remember(folder, "a", f"text {n % 550}\n"), range(1_100)))

    assert len(list(folder.iterdir())) <= 500
    assert (recall(folder, "a", old), recall(folder, "b", str(names[-1]))) == (None, None)
    assert recall(folder, "a", str(names[-1])) == "text 549\n"
    assert recall(folder, "a", "../cursors") is None
    assert remember(folder, "a", "x" * 70_000) is None
    assert remember(folder, "a", "\udcff") is None
