"""Pages whose commands are run in their order, and what they print compared with the page.

`python -m tests.repo.consoles PAGE ...` writes anew what has changed. A line of `...` on a page
stands for any lines, at the end of a line for its rest. What differs from run to run (times, sizes,
addresses, space) is not compared.
"""

import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from itertools import groupby
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_BLOCK = re.compile(r"(?ms)^(```+)console\n(.*?)^\1$")
_ANY = "..."
_VARIES = [
    (re.compile(r"\d{8}T\d{6}(_\d{6})?Z"), "TIME"),
    (re.compile(r"\d+(\.\d+)? (ms|s|min|B|kB|MB)\b"), "AMOUNT"),
    (re.compile(r"revision \d{4}"), "revision"),
    (re.compile(r"postgresql://\S+"), "URL"),
    (re.compile(r"─+"), "─"),
    (re.compile(r"\s+"), " "),
]

Step = tuple[str, list[str]]
"""A command and the lines below it."""


def steps_of(page: str) -> list[Step]:
    """Return the commands of a page's console blocks, each with the lines that it prints."""
    return [step for _, block in _BLOCK.findall(page) for step in _steps(block)]


def _steps(block: str) -> Iterator[Step]:
    starts = 0

    def number(line: str) -> int:
        nonlocal starts
        starts += line.startswith("$ ")
        return starts

    for _, lines in groupby(block.splitlines(), number):
        command, *printed = lines
        yield command.removeprefix("$ "), printed


def run_all(page: str, folder: Path) -> list[tuple[Step, list[str]]]:
    """Run the commands of a page in a folder; return each step with the lines that it printed."""
    with chdir(folder):
        return [(step, _printed(step[0])) for step in steps_of(page)]


def _printed(command: str) -> list[str]:
    words = [name for word in shlex.split(command, comments=True) for name in _named(word)]
    return _outputs(words) if words[0] == "chatdb" else _others(command)


def _named(word: str) -> list[str]:
    """Return the files that a word with a star names, as a shell does."""
    return (sorted(map(str, Path().glob(word))) if "*" in word else []) or [word]


def _outputs(words: list[str]) -> list[str]:
    from typer.testing import CliRunner

    from chatdb.cli.app import app

    done = CliRunner().invoke(app, words[1:], catch_exceptions=False)
    return [line.rstrip() for line in done.output.strip("\n").splitlines()]


def _others(command: str) -> list[str]:
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, encoding="utf-8", check=True, timeout=60
    )
    return done.stdout.splitlines()


def is_printed(wanted: list[str], printed: list[str]) -> bool:
    """Tell whether the lines of a page are what was printed."""
    pattern = "\n".join(map(_pattern, wanted))
    return re.fullmatch(pattern, "\n".join(map(_same, printed))) is not None


def _pattern(line: str) -> str:
    if line == _ANY:
        return r"(?s:.*)"
    start, rest, end = line.rpartition(f" {_ANY}")
    return re.escape(_same(start)) + ".*" if rest and not end else re.escape(_same(line))


def _same(line: str) -> str:
    for pattern, word in _VARIES:
        line = pattern.sub(word, line)
    return line.strip()


def written_anew(page: str, folder: Path) -> str:
    """Return the page with what its commands print now, where that differs."""
    results = iter(run_all(page, folder))

    def block(found: re.Match[str]) -> str:
        lines = []
        for _ in _steps(found[2]):
            (command, wanted), now = next(results)
            lines += [f"$ {command}", *(wanted if is_printed(wanted, now) else now)]
        fence = "````" if any("```" in line for line in lines) else "```"
        return "\n".join([f"{fence}console", *lines, fence])

    return _BLOCK.sub(block, page)


def main(paths: list[str]) -> None:
    """Write pages anew."""
    for path in map(Path, paths):
        page = path.read_text()
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "docs").symlink_to(ROOT / "docs")
            path.write_text(written_anew(page, Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
