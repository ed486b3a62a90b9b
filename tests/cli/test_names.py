"""What people type is found: short names, other words, help by what one wants to do."""

import os
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from chatdb.cli.app import COMMANDS
from chatdb.cli.options import GlobalOption
from chatdb.cli.synonyms import _OF_ANY_GROUP, _ROOT, command_meant
from chatdb.db.url import DatabaseUrl
from tests.repo.test_commands import EVERY_COMMAND


@pytest.mark.parametrize("word", _ROOT)
def test_another_word_leads_to_a_command_that_exists(word: str) -> None:
    line = command_meant("chatdb", word, COMMANDS)
    assert line is not None
    words = line.split()[1:]
    options = {each for each in words if each.startswith("--")}

    if words[0] in ("--version", "--help"):
        return
    names = " ".join(words[:2]) if " ".join(words[:2]) in EVERY_COMMAND else words[0]
    assert word not in COMMANDS
    assert options <= {name for each in EVERY_COMMAND[names].params for name in each.opts}


def test_the_error_names_the_command_that_is_meant(run: Any) -> None:
    for words, meant in [
        (("rollback",), "chatdb schema downgrade"),
        (("PSQL",), "chatdb connect"),
        (("-d", "a.db", "rm"), "chatdb -d sqlite:///a.db conversations delete"),
        (("conversations", "ls"), "chatdb conversations list"),
        (("config", "list"), "chatdb config show"),
        (("pdf",), "chatdb export --to pdf --output chats.pdf"),
        (("users", "cat"), "chatdb users show"),
        (("dev-db", "start"), "chatdb dev-db up"),
        (("dev-db", "checkpoint", "rm"), "chatdb dev-db checkpoint delete"),
    ]:
        done = run(*words)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr.endswith(f"\nhint: it is called: {meant}\n")
    assert "Did you mean 'search'" in run("serch").stderr
    assert run("users", "nonsense").stderr.endswith("hint: chatdb users --help\n")
    assert all(isinstance(names, tuple) for names in _OF_ANY_GROUP.values())


def test_the_help_groups_the_commands(run: Any) -> None:
    text = run("--help", env={"COLUMNS": "80"}).stdout

    headings = re.findall(r"(?m)^(\w+):$", text)
    assert headings == ["Options", "Read", "Write", "Move", "Protect", "Operate", "Develop"]
    assert re.findall(r"(?m)^  ([a-z][\w-]+) {2,}[A-Z]", text) == list(COMMANDS)


def test_every_help_names_the_global_options_within_80_columns(run: Any) -> None:
    paths = [path for path in EVERY_COMMAND if path not in ("list", "show")]
    wanted = {
        max(option.opts, key=len) if len(option.opts) == 1 else option.opts[-1]
        for option in EVERY_COMMAND["wait"].params
        if isinstance(option, GlobalOption)
    }

    for path in paths:
        text = run(*path.split(), "--help", env={"COLUMNS": "80"}).stdout
        assert max(map(len, text.split("\n"))) <= 80, path
        assert "Global options, explained by chatdb --help:" in text, path
        named = set(re.findall(r"(?<!\S)--?[a-z-]+", text.partition("Global options")[2]))
        assert {each for each in wanted if not named & {each, each[1:3]}} == set(), path


def test_short_names_are_the_same_commands(run: Any, lite: DatabaseUrl) -> None:
    assert run("list").stdout == run("conversations", "list").stdout
    assert run("show", "last").stdout == run("conversations", "show", "last").stdout
    assert "Usage: chatdb list" in run("list", "--help").stdout
    assert lite.path is not None


def test_open_writes_a_page_that_only_the_user_can_read(
    run: Any, lite: DatabaseUrl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)

    first = run("open", "last")
    page = Path(first.stdout.strip())

    assert lite.path is not None
    assert (first.exit_code, page.suffix) == (0, ".html")
    assert first.stderr == "note: there is no browser here; the page is in the file above\n"
    assert "message" in page.read_text()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
    assert page.parent.parent == tmp_path

    os.utime(page, (0, 0))
    second = Path(run("open", "last", "--no-browser").stdout.strip())
    assert (page.exists(), second.exists()) == (False, True)
    page.parent.chmod(0o755)
    third = Path(run("open", "last", "--no-browser").stdout.strip())
    assert third.parent != second.parent
    assert run("open", "ffffffff").exit_code == 5


def test_open_leaves_what_has_its_folder_s_name_and_removes_its_own_old_folders(
    run: Any, lite: DatabaseUrl, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert lite.path is not None
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (tmp_path / "chatdb-pages-link").symlink_to(theirs)
    taken = tmp_path / f"chatdb-pages-{os.geteuid()}"

    def opened() -> Path:
        done = run("open", "last", "--no-browser")
        assert (done.exit_code, done.stderr) == (0, "")
        return Path(done.stdout.strip())

    taken.write_text("a file")
    first = opened()
    taken.unlink()
    taken.symlink_to(tmp_path / "nowhere")
    os.utime(first.parent, (0, 0))
    second = opened()
    assert (first.parent.exists(), taken.is_symlink()) == (False, True)
    taken.unlink()
    taken.mkdir()
    taken.chmod(0o777)
    os.utime(second.parent, (0, 0))
    os.utime(theirs, (0, 0))
    os.utime(taken, (0, 0))
    pages = [opened(), opened()]
    assert all(each.exists() and each.parent != taken for each in pages)
    assert (second.parent.exists(), taken.exists(), theirs.exists()) == (False, True, True)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    done = run("open", "last", "--no-browser")
    assert (done.exit_code, list(taken.iterdir())) == (1, [])
    assert f"error: {tmp_path}/gone/chatdb-pages-{os.geteuid()} cannot be written" in done.stderr


def test_open_starts_the_browser_that_is_set(
    run_process: Any, lite: DatabaseUrl, tmp_path: Path
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {tmp_path}/opened\n')
    browser.chmod(0o755)

    done = run_process("open", "last", env={"BROWSER": str(browser), "TMPDIR": str(tmp_path)})

    assert lite.path is not None
    assert (done.exit_code, done.stderr) == (0, "")
    assert (tmp_path / "opened").read_text() == Path(done.stdout.strip()).as_uri()
