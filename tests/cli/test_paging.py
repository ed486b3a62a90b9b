"""Long text goes through a pager on a terminal, and plainly elsewhere."""

import sys
from pathlib import Path
from typing import Any

from tests.cli.conftest import process_environment, run_on_pty

SCRIPT = """
import sys
from rich.text import Text
from chatdb.cli.context import CommandContext
from chatdb.cli.options import GlobalOptions
def parts():
    yield "first \x1b]52;c;AAAA\x07"
    yield Text("bold", style="bold")
    for number in range(int(sys.argv[1])):
        yield f"line {number}"
CommandContext(GlobalOptions()).output.page(parts())
sys.stdout.write("after\\n")
"""


def paged(pager: str, lines: int = 0) -> str:
    """Return what a terminal shows of the script with this pager."""
    environment = process_environment({"TERM": "xterm", "PAGER": pager})
    environment.pop("NO_COLOR", None)
    words = [sys.executable, "-c", SCRIPT, str(lines)]
    answer: Any = run_on_pty(words, 80, environment, "", "")
    assert answer.exit_code == 0
    return str(answer.stdout)


def test_the_pager_gets_the_text_made_safe_and_coloured() -> None:
    Path("seen.sh").write_text('#!/bin/sh\necho "LESS=$LESS"\nsed "s/^/> /"\n')
    Path("seen.sh").chmod(0o755)

    text = paged("./seen.sh")

    assert "LESS=FRX\n" in text
    assert "> first \n" in text
    assert "> \x1b[1mbold\x1b[0m\n" in text
    assert "\x1b]52" not in text
    assert text.endswith("after\n")


def test_leaving_the_pager_early_ends_quietly() -> None:
    assert paged("head -n 1", lines=200_000) == "first \nafter\n"


def test_cat_an_empty_and_a_missing_pager_mean_none() -> None:
    for pager in ("cat", "", "no-such-pager-here", "unclosed 'quote"):
        text = paged(pager)

        assert text.startswith("first ")
        assert text.endswith("after\n")


def test_in_a_pipe_no_pager_runs() -> None:
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "1"],
        env=process_environment({"PAGER": "false"}),
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )

    assert done.stdout == "first \nbold\nline 0\nafter\n"


def test_an_export_that_is_read_goes_through_the_pager(run_on_terminal: Any) -> None:
    env = {"PAGER": "sed s/^/>/"}
    run_on_terminal("seed", "--conversations", "1", "--org", "default", "--quiet")

    read = run_on_terminal("export", "--to", "markdown", "--quiet", env=env)
    written = run_on_terminal("export", "--to", "markdown", "--output", "-", "--quiet", env=env)
    left = run_on_terminal("export", "--to", "markdown", "--quiet", env={"PAGER": "true"})

    assert read.stdout.startswith(">---\n>title: ")
    assert read.stdout.replace("\n>", "\n").removeprefix(">") == written.stdout
    assert (left.exit_code, left.stdout) == (0, "")
