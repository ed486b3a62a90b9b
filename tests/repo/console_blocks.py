"""The ```console blocks of a page: run as they stand there, and compared with what they show.

A line that begins with `$ ` is a command, the lines below it are its output; `...` stands for lines
that are left out, or for a part of one. A command whose output shows an error has to fail, any
other to succeed. What differs from run to run (times, ids, sizes, durations) or will
change (versions, the newest revision) is not compared.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

_MARK = "\x1e"
_CHANGING = (
    (r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?Z?", "TIME"),
    (r"\d{4}-\d\d-\d\d", "DAY"),
    (r"\d{8}T\d{6}(_?\d+)?Z|\d{8}T\d{6}_\d+Z", "TIME"),
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
    (r"\bage1[0-9a-z]{58}\b", "AGE"),
    (r"\b[0-9a-f]{64}\b", "HASH"),
    (r"\b(?=[0-9a-f]*\d)[0-9a-f]{8}\b", "ID"),
    (r"\b\d+(\.\d+)? (s|ms|minutes?|seconds)\b", "DURATION"),
    (r"\bjust now\b|\bDURATION ago\b", "AGO"),
    (r"\b\d+(\.\d+)? [kMG]?B\b", "SIZE"),
    (r"127\.0\.0\.1:\d+", "ADDRESS"),
    (r"PostgreSQL \d+(\.\d+)?|^version +\d+\.\d+", "POSTGRESQL"),
    (r"\b00(?!0[1-4])\d\d\b", "REVISION"),
    (r"\b\d+ attempts", "ATTEMPTS"),
    (r"─+", "─"),
    (r"[ \t]+", " "),
)


@dataclass
class Step:
    """A command of a page, and the lines that the page shows below it."""

    command: str
    shown: list[str] = field(default_factory=list)

    @property
    def fails(self) -> bool:
        """Tell whether the page shows an error."""
        return any(line.startswith("error") for line in self.shown)


@dataclass(frozen=True)
class Answer:
    """What a command left: its exit code, and both streams in one."""

    exit_code: int
    lines: list[str]


def steps_of(text: str) -> list[Step]:
    """Return the commands of a page, in their order."""
    steps: list[Step] = []
    for block in re.findall(r"(?ms)^```console\n(.*?)^```", text):
        for line in block.splitlines():
            if line.startswith("$ "):
                steps.append(Step(line.removeprefix("$ ")))
            elif steps[-1].command.endswith("\\"):
                steps[-1].command += "\n" + line.removeprefix("> ")
            else:
                steps[-1].shown.append(line)
    return steps


def run_steps(steps: Sequence[Step], places: Mapping[str, str]) -> list[Answer]:
    """Run the commands in one shell; `places` has real URLs by those that the page writes."""
    script = ["exec 2>&1"]
    for step in steps:
        command = step.command
        for written, real in places.items():
            command = command.replace(written, real)
        script += [f"printf '{_MARK}'", command, f"printf '{_MARK}%s' $?"]
    folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env=environment,
        encoding="utf-8",
        check=False,
        timeout=900,
    )
    parts = done.stdout.split(_MARK)[1:]
    answers = [
        Answer(int(code), said.splitlines())
        for said, code in zip(parts[::2], parts[1::2], strict=True)
    ]
    assert len(answers) == len(steps), done.stdout
    return answers


def settled(line: str, places: Mapping[str, str], names: Mapping[str, str]) -> str:
    """Return a line without what differs from run to run, places and names as the page has them."""
    for written, real in places.items():
        shown = re.sub(r"(://[^:/@]+):[^@]+@", r"\1:***@", real)
        for address in (real, shown):
            line = line.replace(address, written)
    for written, real in names.items():
        line = line.replace(real, written)
    line = re.sub(r"(://[^:/@\s]+):\*\*\*@", r"\1@", line)
    for pattern, word in _CHANGING:
        line = re.sub(pattern, word, line)
    return line.strip()


def check(
    page: Path, places: Mapping[str, str], *, least: int, names: Mapping[str, str] | None = None
) -> None:
    """Run a page of at least so many commands and compare what it shows.

    `names` has other names of the output by those that the page writes.
    """
    steps = steps_of(page.read_text())
    assert len(steps) >= least
    for step, answer in zip(steps, run_steps(steps, places), strict=True):
        said = "\n".join(answer.lines)
        assert (answer.exit_code != 0) == step.fails, f"{step.command}\n{answer.exit_code}\n{said}"
        if step.shown:
            assert matches(step.shown, answer.lines, places, names or {}), f"{step.command}\n{said}"


def matches(
    shown: Sequence[str], lines: Sequence[str], places: Mapping[str, str], names: Mapping[str, str]
) -> bool:
    """Tell whether the lines are those shown, where `...` stands for any number of them."""
    pattern = "".join(
        r"(?:.*\n)*" if line == "..." else _pattern(settled(line, places, names)) for line in shown
    )
    text = "".join(settled(line, places, names) + "\n" for line in lines)
    return re.fullmatch(pattern, text) is not None


def _pattern(line: str) -> str:
    return re.escape(line).replace(re.escape("..."), ".*") + r"\n"


def blocks_of(page: Path, language: str) -> list[str]:
    """Return the blocks of a page in a language."""
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```", page.read_text())


def write_file(page: Path, language: str, name: str) -> None:
    """Write the page's only block of a language to the file that the page calls it."""
    (text,) = blocks_of(page, language)
    Path(name).write_text(text)
