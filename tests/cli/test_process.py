"""The command as a process of its own: start-up, streams, pipes, signals."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from chatdb import __version__
from tests.cli.conftest import ROOT, command_line, process_environment

HEAVY = ("sqlalchemy", "alembic", "psycopg", "msgspec", "rich", "asyncio", "pydantic", "psutil")


def imported_by(*words: str) -> set[str]:
    """Return the modules that a command line has imported at its end."""
    script = (
        "import sys, atexit\n"
        "atexit.register(lambda: sys.stderr.write('MODULES ' + ' '.join(sys.modules)))\n"
        f"sys.argv = ['chatdb', *{list(words)!r}]\n"
        "from chatdb.__main__ import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=process_environment(),
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    return set(done.stderr.partition("MODULES ")[2].split())


def test_version_is_answered_before_typer_is_imported() -> None:
    assert imported_by("--version").isdisjoint(
        (*HEAVY, "typer", "chatdb.cli", "importlib.metadata")
    )


def test_help_imports_no_command_and_nothing_heavy() -> None:
    modules = imported_by("--help")

    assert modules.isdisjoint(HEAVY)
    assert not [name for name in modules if name.startswith("chatdb.cli.commands.")]


def test_completing_a_commands_name_imports_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_CHATDB_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "chatdb con")
    monkeypatch.setenv("COMP_CWORD", "1")

    modules = imported_by()

    assert modules.isdisjoint(HEAVY)
    assert not [name for name in modules if name.startswith("chatdb.cli.commands.")]


def test_reading_and_importing_chats_load_nothing_for_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = (
        "seed --conversations 2",
        "conversations list",
        "export --all-orgs --output all.jsonl",
        "import all.jsonl",
    )

    modules = [imported_by(*line.split()) for line in lines]

    assert all("sqlalchemy" in names and "psutil" not in names for names in modules)


@pytest.mark.parametrize(
    "words", [("config", "show"), ("config", "show", "--format", "json"), ("config", "--help")]
)
def test_config_imports_no_database_library(words: tuple[str, ...]) -> None:
    assert imported_by(*words).isdisjoint(("sqlalchemy", "alembic", "psycopg"))


@pytest.mark.parametrize("words", [("--version",), ("-q", "--version")])
def test_version_names_the_version(run_process: Any, words: tuple[str, ...]) -> None:
    answer = run_process(*words)

    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, f"chatdb {__version__}\n", "")


def test_no_command_is_a_usage_error_that_shows_the_help(run_process: Any) -> None:
    answer = run_process()

    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("Usage: chatdb [OPTIONS] COMMAND")


def test_an_unknown_command_gets_a_suggestion(run_process: Any) -> None:
    answer = run_process("serach")

    assert answer.exit_code == 2
    assert answer.stderr == (
        "error: no such command 'serach'. Did you mean 'search'?\nhint: chatdb --help\n"
    )


def test_a_misspelt_option_gets_a_suggestion(run_process: Any) -> None:
    answer = run_process("config", "show", "--fromat", "json")

    assert answer.exit_code == 2
    assert "--format" in answer.stderr


@pytest.mark.parametrize(
    "words",
    [("--version",), ("--help",), ("config", "show"), ("config", "show", "--format", "csv")],
)
def test_a_reader_that_goes_away_ends_the_command_quietly(words: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        command_line(*words), stdout=writer, stderr=subprocess.PIPE, env=process_environment()
    )
    os.close(writer)

    _, stderr = process.communicate(timeout=60)

    assert (process.returncode, stderr) == (0, b"")


@pytest.mark.parametrize(
    "words",
    [("--version",), ("--help",), ("config", "show"), ("config", "show", "--format", "csv")],
)
def test_a_full_disk_behind_stdout_is_an_error(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command_line(*words),
            stdout=full,
            stderr=subprocess.PIPE,
            env=process_environment(),
            check=False,
            timeout=60,
        )

    assert done.returncode == 1
    assert done.stderr.startswith(b"error: cannot write: no space left on device\n")
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_makes_no_traceback(redirection: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m chatdb config show {redirection}', sys.executable],
        env=process_environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert done.returncode in (0, 1)
    assert b"Traceback" not in done.stdout + done.stderr


def test_output_is_utf8_even_in_an_ascii_locale(run_process: Any) -> None:
    Path(".env").write_text("CHATDB_ORG=größe-漢字", encoding="utf-8")

    answer = run_process(
        "config",
        "show",
        "--format",
        "csv",
        env={
            "LC_ALL": "C",
            "PYTHONUTF8": "0",
            "PYTHONCOERCECLOCALE": "0",
            "PYTHONIOENCODING": "ascii",
        },
    )

    assert (answer.exit_code, answer.stderr) == (0, "")
    assert "org,größe-漢字,.env line 1" in answer.stdout


def test_a_note_is_on_stderr_and_data_on_stdout(run_process: Any) -> None:
    Path(".env").write_text("=broken\n")

    answer = run_process("config", "show", "--format", "json")

    assert json.loads(answer.stdout)
    assert answer.stderr == "warning: .env line 1 cannot be read and is ignored\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_with_its_code(number: signal.Signals) -> None:
    fifo = Path(".env")
    os.mkfifo(fifo)
    process = subprocess.Popen(
        command_line("config", "show"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=process_environment(),
    )
    # The command hangs in reading the .env once somebody writes to it.
    with fifo.open("w"):
        time.sleep(0.2)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=60)

    assert process.returncode == 128 + number
    assert stdout == b""
    assert b"Traceback" not in stderr


def test_the_module_runs_from_another_directory(run_process: Any) -> None:
    assert Path.cwd() != ROOT
    assert run_process("config", "show").exit_code == 0
    assert not list(Path.cwd().iterdir()), "showing the settings makes no file"
