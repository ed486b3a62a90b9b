"""A file is written whole or not at all, whatever happens and whenever."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chatdb.db.url import parse_url
from chatdb.errors import StorageError
from chatdb.operations.dev_db.env_file import put_database_url
from chatdb.primitives.atomic_write import atomic_write
from tests.cli.conftest import process_environment

INTERRUPTED = """
import signal, sys
from contextlib import suppress
from pathlib import Path
from chatdb.primitives.atomic_write import atomic_write

signal.signal(signal.SIGALRM, signal.default_int_handler)
folder = Path(sys.argv[1])
for attempt in range(600):
    with suppress(KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, (attempt % 60 + 1) * 2e-6)
        with atomic_write(folder / "a") as stream:
            while True:
                stream.write(b"data")
    left = [path.name for path in folder.glob("a*")]
    assert left == [], (attempt, left)
"""
"""SIGALRM interrupts as Ctrl-C does."""


def test_an_interrupt_at_any_moment_leaves_nothing_behind(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", INTERRUPTED, tmp_path],
        env=process_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_the_mode_is_that_asked_for(tmp_path: Path) -> None:
    for mode in (0o600, 0o644):
        with atomic_write(tmp_path / "a", mode=mode) as stream:
            stream.write(b"data")

        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_two_at_once_do_not_write_one_env_file(tmp_path: Path) -> None:
    path = tmp_path / ".env"

    with atomic_write(path) as stream:
        stream.write(b"A=1\n")
        with pytest.raises(StorageError, match="another process"):
            put_database_url(path, parse_url("sqlite:///other.db"))

    assert path.read_bytes() == b"A=1\n"
