"""What a person sees: colour, width, questions, the pager."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import process_environment, run_on_pty

ESCAPE = "\x1b["


def test_colour_is_for_a_terminal_only(run_process: Any, run_on_terminal: Any) -> None:
    assert ESCAPE in run_on_terminal("config", "show").stdout
    assert ESCAPE not in run_process("config", "show").stdout


@pytest.mark.parametrize(
    ("words", "env"),
    [
        (("config", "show", "--no-color"), {}),
        (("--no-color", "config", "show"), {}),
        (("config", "show"), {"NO_COLOR": "1"}),
        (("config", "show"), {"TERM": "dumb"}),
        (("nope", "--no-color"), {}),
        (("nope",), {"NO_COLOR": "1"}),
    ],
)
def test_no_colour_means_no_colour(run_on_terminal: Any, words: Any, env: Any) -> None:
    assert "\x1b[3" not in run_on_terminal(*words, env=env).stdout


def test_a_table_fits_a_terminal_of_60_columns(run_on_terminal: Any) -> None:
    answer = run_on_terminal(
        "config", "show", "--no-color", "--org", "a-long-organization-name " * 5, columns=60
    )

    assert answer.exit_code == 0
    assert max(len(line) for line in answer.stdout.splitlines()) <= 60
    start = answer.stdout.splitlines()[0].index("Value")
    joined = "".join(line[start:].split("  ")[0].strip() for line in answer.stdout.splitlines())
    assert "…" not in answer.stdout
    assert joined.count("organization") + joined.count("organizatio") >= 3


def test_a_narrow_terminal_gets_a_block_a_row(run_on_terminal: Any) -> None:
    answer = run_on_terminal("config", "show", "--no-color", columns=26)

    assert answer.stdout.splitlines()[0].split() == ["Name", "database_url"]
    assert max(len(line) for line in answer.stdout.splitlines()) <= 26


def test_the_help_fits_60_columns(run_on_terminal: Any) -> None:
    answer = run_on_terminal("--help", columns=60)

    assert max(len(line) for line in answer.stdout.splitlines()) <= 60


def test_a_long_error_is_broken_between_words_and_its_hint_not_at_all(
    run_on_terminal: Any,
) -> None:
    url = "postgresql://ada@127.0.0.1:1/chat"

    answer = run_on_terminal("wait", "-d", url, "--timeout", "0", "--no-color", columns=60)

    error, _, hint = answer.stdout.partition("hint: ")
    lines = error.splitlines()
    words = f"error: {url} did not answer within 0 s: nothing listens at 127.0.0.1:1".split()
    assert error.split() == words
    assert len(lines) > 1
    assert [line for line in lines if len(line) > 60 and " " in line.strip()] == []
    assert hint.count("\n") == 1
    assert len(hint) > 60


@pytest.mark.parametrize("output_format", ["table", "csv", "json", "jsonl"])
def test_hostile_text_never_reaches_the_terminal_raw(
    run_on_terminal: Any, output_format: str
) -> None:
    Path(".env").write_text("CHATDB_ORG='x\x1b]52;c;ZXZpbA==\x07\x1b[31m\u202ey'\n")

    answer = run_on_terminal("config", "show", "--no-color", "--format", output_format)

    assert answer.exit_code == 0
    for sequence in ("\x1b]", "\x1b[31m", "\x07", "\u202e"):
        assert sequence not in answer.stdout


def test_exported_bytes_are_made_safe_on_a_terminal_only() -> None:
    script = (
        "from chatdb.cli.output import Output\n"
        "with Output().binary() as target:\n"
        "    target.write('größe \\x1b]52;c;AAAA\\x07\\u202eend\\n'.encode())\n"
    )
    words = [sys.executable, "-c", script]

    on_terminal = run_on_pty(words, 80, process_environment(), "", "")
    piped = subprocess.run(words, env=process_environment(), capture_output=True, check=True)

    assert on_terminal.stdout == "größe end\n"
    assert piped.stdout == "größe \x1b]52;c;AAAA\x07\u202eend\n".encode()
