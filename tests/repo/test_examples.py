"""What the README and the demo tell people to type works as it stands there."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs/examples/chatgpt-export.json"


def demo_commands() -> list[list[str]]:
    """Return the word lists of the commands that `make demo` shows."""
    found = re.findall(r"\$\(call show,(.*)\)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return [shlex.split(line) for line in found]


def readme_commands(heading: str) -> list[list[str]]:
    """Return the word lists of the chatdb commands under a heading of the README."""
    section = (ROOT / "README.md").read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\$ chatdb (.*)$", section, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


@pytest.mark.parametrize(
    ("commands", "least"),
    [(demo_commands(), 6), (readme_commands("Sixty seconds on SQLite"), 5)],
    ids=["make demo", "README"],
)
def test_the_commands_work_in_their_order(run: Any, commands: list[list[str]], least: int) -> None:
    Path("docs/examples").mkdir(parents=True)
    shutil.copy(EXAMPLE, "docs/examples")
    shutil.copy(EXAMPLE, ".")

    assert len(commands) >= least
    for words in commands:
        result = run(*words)

        assert result.exit_code == 0, (words, result.stderr)
        assert result.stdout or result.stderr, words


def test_searches_in_the_readme_find_something_in_the_example(run: Any) -> None:
    run("import", EXAMPLE)
    commands = readme_commands("Sixty seconds on SQLite")
    searches = [words for words in commands if words[0] == "search"]

    assert searches
    for words in searches:
        assert run(*words, "--format", "jsonl").stdout, words


def test_make_help_lists_every_target() -> None:
    listed = subprocess.run(
        ["make", "--silent", "help"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout

    names = {line.split()[0] for line in listed.splitlines()}
    assert names >= {
        *("help", "demo", "install", "format", "lint", "types", "test", "check", "docs"),
        *("migration", "bench", "bench-quick", "wheel"),
    }
