"""What the demo shows, and `make help` lists, works as it stands there."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs/examples/chatgpt-export.json"


def demo_commands() -> list[list[str]]:
    """Return the word lists of the commands that `make demo` shows."""
    found = re.findall(r"\$\(call show,(.*)\)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    return [shlex.split(line) for line in found]


def test_the_commands_of_the_demo_work_in_their_order(run: Any) -> None:
    shutil.copy(EXAMPLE, ".")
    commands = demo_commands()

    assert len(commands) >= 6
    for words in commands:
        result = run(*words)

        assert result.exit_code == 0, (words, result.stderr)
        assert result.stdout or result.stderr, words


def test_make_help_lists_every_target() -> None:
    listed = subprocess.run(
        ["make", "--silent", "help"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    ).stdout

    names = {line.split()[0] for line in listed.splitlines()}
    assert names >= {
        *("help", "demo", "install", "format", "lint", "types", "test", "check", "docs"),
        *("migration", "bench", "bench-quick", "wheel"),
    }
