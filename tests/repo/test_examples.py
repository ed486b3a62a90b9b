"""What the README and the demo tell people to type works as it stands there."""

import os
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


def test_ci_runs_what_make_check_runs() -> None:
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert "make check" in script.read_text()


def test_ci_installs_what_is_missing_once_and_says_so(tmp_path: Path) -> None:
    """With an apt-get, a make and an id of its own that tell what they were called with."""
    for name in ("apt-get", "make"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho "{name} $*"\n')
    (tmp_path / "id").write_text("#!/bin/sh\necho 0\n")
    for name in ("dirname", "rm", "mkdir", "touch", "chmod"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")
    for name in ("apt-get", "make", "id"):
        (tmp_path / name).chmod(0o755)
    script = (ROOT / ".ci" / "run").read_text()
    copy = tmp_path / "checkout" / ".ci" / "run"
    copy.parent.mkdir(parents=True)
    program = tmp_path / "pgbouncer"
    pip = tmp_path / "checkout" / ".venv" / "bin" / "python"
    pip.parent.mkdir(parents=True)
    place = ".ci/compose/bin"
    made = f"{place}/docker-compose"
    pip.write_text(f"#!/bin/sh\nmkdir -p {place} && touch {made} && chmod +x {made}\n")
    pip.chmod(0o755)

    def said() -> str:
        copy.write_text(
            script.replace("/usr/lib/postgresql/15", str(tmp_path / "15")).replace(
                "/usr/sbin", str(tmp_path / "sbin")
            )
        )
        return subprocess.run(
            ["/bin/bash", copy],
            env={"PATH": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    first = said()
    programs = "postgresql-15 pgbouncer docker.io docker-compose age openssh-client systemd"
    assert f"ci: installing {programs}\napt-get upd" in first
    assert "make install\nci: installing Compose 5\nci: make check\n" in first
    there = ("dockerd", "docker-compose", "age", "ssh-keygen", "systemd-analyze")
    for path in (program, *(tmp_path / name for name in there)):
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    assert "installing postgresql-15\n" in said()
    server = tmp_path / "15" / "bin" / "postgres"
    server.parent.mkdir(parents=True)
    program.rename(server)
    program.symlink_to(server)
    here = "ci: PostgreSQL 15, PgBouncer, Docker, docker-compose and age are here\n"
    assert said() == f"{here}make install\nci: make check\nmake check\n"
