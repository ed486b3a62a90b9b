"""Shell completion knows the commands without their modules being asked for more than needed."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from tests.cli.conftest import command_line, process_environment
from tests.operations.conversation_rows import add_conversation, add_organization


@pytest.fixture
def chatdb_on_path(tmp_path: Path) -> str:
    """A folder with a `chatdb` that runs this checkout: completion scripts call it by name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    python, *rest = command_line()
    script = folder / "chatdb"
    script.write_text(f'#!/bin/sh\nexec "{python}" {" ".join(rest)} "$@"\n')
    script.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def completed_in_bash(path: str, *words: str) -> list[str]:
    """Return what bash offers for the last of the words."""
    source = subprocess.run(
        command_line("--show-completion", "bash"),
        env=process_environment({"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}),
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    ).stdout
    line = " ".join(f"'{word}'" for word in words)
    script = (
        f"{source}\nCOMP_WORDS=({line})\nCOMP_CWORD={len(words) - 1}\n"
        '_chatdb_completion chatdb\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=process_environment({"PATH": path}),
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return sorted(done.stdout.split())


def test_bash_completes_commands(chatdb_on_path: str) -> None:
    assert completed_in_bash(chatdb_on_path, "chatdb", "con") == [
        "config",
        "connect",
        "conversations",
        "convert",
    ]


def test_bash_completes_subcommands_and_options(chatdb_on_path: str) -> None:
    assert completed_in_bash(chatdb_on_path, "chatdb", "config", "s") == [
        "set",
        "show",
    ]
    assert completed_in_bash(chatdb_on_path, "chatdb", "config", "show", "--f") == ["--format"]
    assert completed_in_bash(chatdb_on_path, "chatdb", "config", "show", "--format", "j") == [
        "json",
        "jsonl",
    ]


def test_bash_completes_global_options_after_the_command(chatdb_on_path: str) -> None:
    assert completed_in_bash(chatdb_on_path, "chatdb", "config", "show", "--dat") == [
        "--database-url"
    ]


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", ".bash_completions/chatdb.sh"),
        ("zsh", ".zfunc/_chatdb"),
        ("fish", ".config/fish/completions/chatdb.fish"),
    ],
)
def test_completion_installs_for_each_shell(run_process: Any, shell: str, file: str) -> None:
    env = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "HOME": str(Path.cwd())}

    answer = run_process("--install-completion", shell, env=env)

    assert answer.exit_code == 0
    assert "_CHATDB_COMPLETE=complete_" + shell in Path(file).read_text()


@pytest.mark.parametrize(
    ("shell", "env"),
    [
        ("zsh", {"_TYPER_COMPLETE_ARGS": "chatdb conf"}),
        (
            "fish",
            {"_TYPER_COMPLETE_ARGS": "chatdb conf", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        ),
    ],
)
def test_other_shells_get_the_command_with_its_help(
    run_process: Any, shell: str, env: dict[str, str]
) -> None:
    answer = run_process(env={"_CHATDB_COMPLETE": f"complete_{shell}", **env})

    assert answer.exit_code == 0
    assert "config" in answer.stdout
    assert "Show the settings" in answer.stdout


HOSTILE = "\\\"; touch owned; $(touch owned) `touch owned` \x1b]0;x\x07 (a):b 'c'\n\u202eevil"


def offered(run_process: Any, line: str, environment: Mapping[str, str] | None = None) -> str:
    """Return what zsh gets, which it evaluates; nothing may be said beside."""
    env = {"_CHATDB_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": line}
    done = run_process(env=env | dict(environment or {}))
    assert (done.exit_code, done.stderr) == (0, "")
    return str(done.stdout)


def test_ids_are_offered_with_titles_that_no_shell_can_run(
    run_process: Any, database: Database
) -> None:
    plain = add_conversation(database, ["x"], number=1, title="Red car: café")
    evil = add_conversation(database, ["x"], number=2, title=HOSTILE)
    add_organization(database, "acme")
    quoted = f"'{database.url.exposed()}'"

    text = offered(run_process, f"chatdb -d {quoted} show ")
    assert f'"{plain.hex[-8:]}":"Red car caf' in text
    assert f'"{evil.hex[-8:]}":"touch owned touch owned touch owned 0 x a b c evil"' in text
    begun = offered(run_process, f"chatdb -d {quoted} export --id {str(plain)[:12]}")
    assert f'"{plain}":"Red car caf' in begun
    assert '"acme":"acme"' in offered(run_process, f"chatdb -d {quoted} list --org a")


def test_options_offer_what_they_take(run_process: Any, tmp_path: Path) -> None:
    folder = tmp_path / "work" / "backups"
    folder.mkdir()
    for name in ("a_20260101T000000Z", "a_20260201T000000Z", "$(x)_20260201T000000Z"):
        (folder / f"{name}.manifest.json").touch()

    for line, expected in [
        ("chatdb export --to mark", '"markdown":'),
        ("chatdb import --from chatgpt-g", '"chatgpt-group":'),
        ("chatdb convert --from clau", '"claude":'),
        ("chatdb search --role a", '(("assistant"))'),
        ("chatdb restore a_", '(("a_20260201T000000Z"\n"a_20260101T000000Z"))'),
        ("chatdb backup verify la", '"latest":'),
        ("chatdb config set time", '"timezone"'),
    ]:
        assert expected in offered(run_process, line), line
    environment = {"CHATDB_BACKUP_URL": f"file://{folder}"}
    assert '"a_20260201T000000Z"' in offered(run_process, "chatdb restore a_", environment)


def test_a_database_that_is_not_there_offers_nothing_and_is_not_made(run_process: Any) -> None:
    Path(".env").write_text("=nonsense\n")
    for url in ("new.db", "postgresql://127.0.0.1:1/x", "nonsense://x", "data/"):
        assert offered(run_process, f"chatdb -d {url} show x") == "_files\n"
    assert not Path("new.db").exists()
