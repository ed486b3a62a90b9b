"""Programs that tests run and that a fresh machine may lack.

`.ci/install` brings them; a test that wants one that is missing is skipped with the command that
installs it, and fails where `CI=true`. The run's last lines count such tests.
"""

import os
import shutil
from collections import Counter
from pathlib import Path
from typing import NoReturn

import pytest

PACKAGES = {
    "age": "age",
    "cc": "gcc libc6-dev",
    "chromium": "chromium",
    "docker": "docker.io",
    "docker-compose": "docker-compose",
    "dockerd": "docker.io",
    "git": "git",
    "pgbouncer": "pgbouncer",
    "sqlite3": "sqlite3",
    "ssh-keygen": "openssh-client",
    "systemd-analyze": "systemd",
}
"""A program, and the package of Debian that has it."""

COMPOSE_PLUGIN = Path(__file__).parents[1] / ".ci" / "compose" / "bin" / "docker-compose"
"""Compose 2 or newer, where `.ci/install` puts it."""

_IN_CI = os.environ.get("CI") == "true"


def program(name: str) -> str:
    """Return the path of a program, or leave the test out."""
    # Debian keeps servers where the PATH of a user does not look.
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    return found or leave_out(f"{name} is not installed", f"apt-get install {PACKAGES[name]}")


def leave_out(reason: str, cure: str | None = None) -> NoReturn:
    """Skip the test, saying why and what to type as root; where `CI=true`, fail it."""
    text = f"{reason}; as root: {cure}" if cure else reason
    if _IN_CI:
        pytest.fail(f"{text} (CI skips nothing)")
    pytest.skip(text)


def left_out_lines(terminal: pytest.TerminalReporter) -> list[str]:
    """Return a line a reason, with the number of tests that were skipped for it."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in terminal.getreports("skipped")
        if isinstance(report.longrepr, tuple)
    )
    return [f"left out: {count:4} tests: {reason}" for reason, count in reasons.most_common()]
