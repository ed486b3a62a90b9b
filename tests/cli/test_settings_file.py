"""The user's own settings file: below `.env`, above the defaults, changed one setting at a time."""

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatdb import config, user_file
from chatdb.errors import ConfigurationError, UsageError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a settings file that is not there yet."""
    path = tmp_path / "own" / "chatdb.toml"
    monkeypatch.setenv("CHATDB_CONFIG_FILE", str(path))
    return path


def source(name: str, **typed: Any) -> tuple[str, str]:
    """Return a setting as (value, source)."""
    found = getattr(config.load(**typed), name)
    return found.value, found.source


def test_the_file_comes_after_the_dotenv_and_before_the_defaults(
    run: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("config", "set", "org", "mine").exit_code == 0
    here = f"settings file {file}"
    assert source("org") == ("mine", here)
    assert source("timezone") == ("UTC", "default")
    Path(".env").write_text("CHATDB_ORG=projects\n")
    assert source("org") == ("projects", ".env line 1")
    monkeypatch.setenv("CHATDB_ORG", "shells")
    assert source("org") == ("shells", "environment CHATDB_ORG")
    assert source("org", org="typed") == ("typed", "option --org")
    assert "environment CHATDB_ORG comes first" in run("config", "set", "org", "x").stderr

    assert run("config", "set", "pager", "more -s").exit_code == 0
    assert config.load().pager.value == "more -s"
    typed = {"PAGER": "", "CHATDB_CONFIG_FILE": str(file)}
    assert config.load(environment=typed).pager.value == ""
    shown = {row["name"]: row for row in json.loads(run("config", "show", "--format=json").stdout)}
    assert shown["pager"] == {"name": "pager", "value": "more -s", "source": here}
    assert shown["config_file"]["value"] == str(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_where_the_file_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for environment, expected in [
        ({"CHATDB_CONFIG_FILE": "x.toml", "XDG_CONFIG_HOME": "/c"}, Path("x.toml")),
        ({"XDG_CONFIG_HOME": "/c"}, Path("/c/chatdb/config.toml")),
        ({"XDG_CONFIG_HOME": "relative"}, tmp_path / ".config/chatdb/config.toml"),
        ({}, tmp_path / ".config/chatdb/config.toml"),
    ]:
        assert config.user_file_path(environment) == expected


def test_a_setting_is_checked_and_kept_as_it_is_good_anywhere(run: Any, file: Path) -> None:
    for words, said in [
        (("orgg", "x"), "the settings are database_url, org, timezone, pager"),
        (("timezone", "Mars"), "unknown time zone 'Mars'"),
        (("database_url", "mysql://h/d"), "mysql"),
        (("org", " "), "chatdb config unset org"),
        (("pager", "\udcff"), "not valid UTF-8"),
    ]:
        done = run("config", "set", *words)
        assert (done.exit_code, said in done.stderr) == (2, True), done.stderr
    assert not file.exists()

    run("config", "set", "database_url", "own.db")
    assert source("database_url")[0] == f"sqlite:///{Path.cwd() / 'own.db'}"
    assert run("config", "unset", "database_url").stderr.endswith(f"removed from {file}\n")
    assert run("config", "unset", "database_url").stderr.endswith(f"was not in {file}\n")
    assert run("config", "unset", "databse").exit_code == 2


def test_a_password_in_the_file_is_warned_of(run: Any, file: Path) -> None:
    done = run("config", "set", "database_url", "postgresql://me:hunter2@127.0.0.1:1/d")
    shown = run("config", "show")
    assert f"warning: {file} holds a password" in done.stderr
    assert f"warning: {file} holds a password" in shown.stderr
    assert "hunter2" not in done.stderr + shown.stderr + shown.stdout
    assert config.load().notes == ()

    file.chmod(0o644)
    assert f"chmod 600 {file}" in config.load().notes[0]
    # A project's own way round a pooler does not lead to the user's database.
    Path(".env").write_text("DIRECT_URL=postgresql://elsewhere/x\n")
    assert config.load().direct_url is None
    assert config.load().foreign_direct_url is not None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("databse_url = 'x'\n", "unknown setting 'databse_url'"),
        ("org = 7\n", "org is not a text in quotes"),
        ("org = \n", "is not valid TOML"),
        ("[org]\nx = 1\n", "org is not a text in quotes"),
        ("org = '\udcff'\n", "it is not UTF-8"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name(
    run: Any, file: Path, text: str, said: str
) -> None:
    file.parent.mkdir()
    file.write_bytes(text.encode(errors="surrogateescape"))

    done = run("list")

    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert str(file) in done.stderr
    if "databse" in text:
        assert "known are database_url, org" in done.stderr
        assert run("config", "unset", "databse_url").exit_code == 0
        assert file.read_text() == ""


def test_comments_and_order_stay_and_what_cannot_be_changed_is_refused(file: Path) -> None:
    file.parent.mkdir()
    file.write_text("\ufeff# mine\n 'org' = 'a' # which\n\ntimezone = \"UTC\"", encoding="utf-8")
    file.chmod(0o600)

    assert user_file.change(file, "org", 'b "\\\n\x00é') is True
    user_file.change(file, "pager", "cat")
    assert file.read_text() == (
        '# mine\norg = "b \\"\\\\\\n\\u0000é"\n\ntimezone = "UTC"\npager = "cat"\n'
    )
    assert user_file.read(file).values["org"] == 'b "\\\n\x00é'

    file.write_text('org = """\npager = "x"\n"""\n')
    with pytest.raises(ConfigurationError, match="only an editor can change"):
        user_file.change(file, "org", "b")
    assert file.read_text() == 'org = """\npager = "x"\n"""\n'
    with pytest.raises(UsageError):
        user_file.change(file, "schema", "b")


@given(value=st.text())
def test_any_text_is_quoted_so_that_it_is_read_back(value: str) -> None:
    import tomllib

    try:
        value.encode()
    except UnicodeEncodeError:
        return
    assert tomllib.loads(f"x = {user_file.quoted(value)}\n") == {"x": value}


def test_two_at_once_lose_nothing(file: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda name: user_file.change(file, name, "x"), [*user_file.SETTINGS] * 5))

    assert dict(user_file.read(file).values) == dict.fromkeys(user_file.SETTINGS, "x")


def test_edit_opens_the_editor_and_checks_what_was_saved(
    run: Any, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\nprintf "$LINE" >> "$2"\n')
    script.chmod(0o755)
    monkeypatch.setenv("VISUAL", f"{script} -x")
    monkeypatch.setenv("LINE", 'org = "acme"\\n')

    assert run("config", "edit").exit_code == 0
    assert source("org")[0] == "acme"
    assert "# timezone" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    monkeypatch.setenv("LINE", 'timezone = "Mars"\\n')
    assert "unknown time zone 'Mars'" in run("config", "edit").stderr
    monkeypatch.setenv("VISUAL", os.devnull)
    assert run("config", "edit").exit_code == 1


@pytest.mark.usefixtures("file")
def test_an_empty_pager_of_the_file_is_none(run: Any) -> None:
    assert run("config", "set", "pager", "").exit_code == 0

    shown = {row["name"]: row for row in json.loads(run("config", "show", "--format=json").stdout)}

    assert (shown["pager"]["value"], config.load().pager.value) == ("", "")
    assert shown["pager"]["source"].startswith("settings file")


def test_a_home_that_may_not_be_read_has_no_settings_file(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".config" / "chatdb").mkdir(parents=True)
    (home / ".config" / "chatdb" / "config.toml").write_text('org = "mine"')
    home.chmod(0)
    script = (
        "import os\n"
        "from chatdb import config\n"
        "config.load()\n"
        "if os.geteuid() == 0:\n"
        "    os.setgid(65534); os.setuid(65534)\n"
        "print(config.load().org.source)"
    )
    environment = {**os.environ, "HOME": str(home), "PYTHONPATH": str(ROOT)}
    environment.pop("CHATDB_CONFIG_FILE", None)

    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        cwd="/",
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    home.chmod(0o700)

    assert done.stdout == "default\n", done.stderr


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("editor", ["vim '", "./no-program"])
def test_an_editor_that_cannot_be_started_is_named(
    run: Any, monkeypatch: pytest.MonkeyPatch, editor: str
) -> None:
    Path("no-program").write_text("neither a script nor a program")
    Path("no-program").chmod(0o755)
    monkeypatch.setenv("EDITOR", editor)

    done = run("config", "edit")

    assert done.exit_code == 1
    assert f"there is no editor {editor!r}" in done.stderr
    assert "name one in EDITOR" in done.stderr
