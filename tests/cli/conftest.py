"""More ways to run the command line: as a process of its own, and on a terminal."""

import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from tests.cli.dev_projects import project_folder
from tests.operations.app_roles import Deployment, new_deployment
from tests.operations.export_rows import fill
from tests.postgres_server import TEMPLATE, PostgresServer
from tests.programs import program

ROOT = Path(__file__).resolve().parents[2]

Run = Callable[..., "Answer"]


@dataclass(frozen=True)
class Answer:
    """What a command left: exit code and both streams."""

    exit_code: int
    stdout: str
    stderr: str


@pytest.fixture
def sqlite3_program() -> str:
    """The client of SQLite, which a machine may lack."""
    return program("sqlite3")


@pytest.fixture
def run_process() -> Run:
    """Return a function that runs a command line as a process of its own."""

    def run(
        *words: str,
        stdin: str | None = None,
        env: Mapping[str, str] | None = None,
        stdout: int | None = None,
    ) -> Answer:
        done = subprocess.run(
            command_line(*words),
            input=stdin,
            stdout=subprocess.PIPE if stdout is None else stdout,
            stderr=subprocess.PIPE,
            env=process_environment(env),
            encoding="utf-8",
            check=False,
            timeout=120,
        )
        return Answer(done.returncode, done.stdout or "", done.stderr)

    return run


@pytest.fixture
def run_on_terminal() -> Run:
    """Return a function that runs a command line on a pseudo-terminal of a given width.

    Both streams end on the terminal: `stdout` of the answer has them in their order. `keys` is
    typed when the output contains `prompt`.
    """

    def run(
        *words: str,
        columns: int = 80,
        env: Mapping[str, str] | None = None,
        prompt: str = "",
        keys: str = "",
    ) -> Answer:
        surroundings = process_environment({"TERM": "xterm", **(env or {})})
        for name in ("NO_COLOR", "COLUMNS"):
            if name not in (env or {}):
                surroundings.pop(name, None)
        return run_on_pty(command_line(*words), columns, surroundings, prompt, keys)

    return run


def command_line(*words: str) -> list[str]:
    """Return the argument list that runs chatdb from this checkout."""
    return [sys.executable, "-m", "chatdb", *words]


def process_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment for a process that must find this checkout from any directory."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **(extra or {})}


def run_on_pty(
    words: Sequence[str], columns: int, env: Mapping[str, str], prompt: str, keys: str
) -> Answer:
    """Run a program on a pseudo-terminal and return all that it wrote there."""
    controller, terminal = pty.openpty()
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    process = subprocess.Popen(
        words, stdin=terminal, stdout=terminal, stderr=terminal, env=dict(env), close_fds=True
    )
    os.close(terminal)
    written = bytearray()
    typed = False
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        ready, _, _ = select.select([controller], [], [], 0.2)
        if not ready:
            if process.poll() is not None:
                break
            continue
        try:
            chunk = os.read(controller, 65536)
        except OSError:  # Linux says EIO when the other side has closed.
            break
        if not chunk:
            break
        written += chunk
        if keys and not typed and prompt.encode() in written:
            typed = True
            os.write(controller, keys.encode())
    os.close(controller)
    return Answer(process.wait(timeout=30), written.decode().replace("\r\n", "\n"), "")


@pytest.fixture(scope="module")
def deployment(postgres: PostgresServer) -> Iterator[Deployment]:
    """A database with roles of an application; tests put back what they change."""
    with new_deployment(postgres, TEMPLATE) as made:
        yield made


@pytest.fixture
def sqlite_database(sqlite_url: DatabaseUrl) -> Iterator[Database]:
    """For what is shown on a terminal: it does not depend on the kind of database."""
    with Database.open(sqlite_url) as handle:
        yield handle


@pytest.fixture
def command(run: Callable[..., Any], database: Database) -> Callable[..., Any]:
    """Run a command on the test's database."""

    def on_database(*words: str, **options: Any) -> Any:
        return run("--database-url", database.url.exposed(), *words, **options)

    return on_database


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project, the current directory."""
    with project_folder(monkeypatch) as folder:
        yield folder


@pytest.fixture
def filled_url(database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> DatabaseUrl:
    """A database with three conversations, which the command finds by itself."""
    fill(database_url)
    monkeypatch.setenv("DATABASE_URL", database_url.exposed())
    return database_url


@pytest.fixture
def lite(sqlite_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> DatabaseUrl:
    """The same on SQLite only, for what has nothing to do with the database."""
    fill(sqlite_url)
    monkeypatch.setenv("DATABASE_URL", sqlite_url.exposed())
    return sqlite_url
