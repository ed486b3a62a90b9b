"""`chatdb export` when its reader, its disk, its database or its user goes away."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from tests.cli.conftest import command_line, process_environment
from tests.operations.export_rows import conversation, fill, insert, message

Runner = Callable[..., Any]
LARGE = 4_000


def test_head_ends_the_export_quietly(sqlite_url: DatabaseUrl) -> None:
    fill(sqlite_url, LARGE // 10, 2000)
    words = [*command_line("export", "-d", sqlite_url.exposed())]
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=process_environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(10)
        process.stdout.close()
        stderr = process.stderr.read()

    assert process.returncode == 0
    assert stderr == b""


def slow_export(url: DatabaseUrl, output: Path) -> "subprocess.Popen[bytes]":
    """Start an export and return when its partial file is there and growing."""
    words = command_line("export", "-d", url.exposed(), "--output", str(output))
    process = subprocess.Popen(words, stderr=subprocess.PIPE, env=process_environment())
    partial = output.with_name(output.name + ".partial")
    ends = time.monotonic() + 30
    while not partial.exists() and process.poll() is None and time.monotonic() < ends:
        time.sleep(0.002)
    return process


@pytest.fixture
def large(sqlite_url: DatabaseUrl) -> DatabaseUrl:
    """A database whose compressed export takes a while."""
    with Database.open(sqlite_url) as database:
        text = os.urandom(3_000_000).hex()
        insert(database, [conversation(n, [message(1, text)]) for n in range(1, 6)])
    return sqlite_url


def test_ctrl_c_removes_the_partial_file(large: DatabaseUrl, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl.gz"
    process = slow_export(large, output)

    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)

    assert process.returncode == 130
    assert not list(tmp_path.glob("out*"))


def test_kill_9_leaves_only_the_partial_file(large: DatabaseUrl, tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl.gz"
    process = slow_export(large, output)

    process.kill()
    process.communicate(timeout=30)

    assert [path.name for path in tmp_path.glob("out*")] == ["out.jsonl.gz.partial"]
    done = subprocess.run(
        command_line("export", "-d", large.exposed(), "--user", "x", "-o", str(output)),
        env=process_environment(),
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0
    assert [path.name for path in tmp_path.glob("out*")] == ["out.jsonl.gz"]


@pytest.mark.postgresql
def test_a_database_that_goes_away_is_told(postgresql_url: DatabaseUrl, postgres: Any) -> None:
    fill(postgresql_url, 300, 60_000)
    words = command_line("export", "-d", postgresql_url.exposed())
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=process_environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.read(1000)
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{postgresql_url.database}'"
        )
        process.stdout.read()
        stderr = process.stderr.read()

    assert process.returncode == 3
    assert b"no connection" in stderr
    assert b"Traceback" not in stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.usefixtures("lite")
def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            command_line("export"),
            stdout=full,
            stderr=subprocess.PIPE,
            env=process_environment(),
            check=False,
        )

    assert done.returncode == 1
    assert b"no space left" in done.stderr.lower()
    assert b"Traceback" not in done.stderr


def test_a_disk_that_fills_up_leaves_nothing(large: DatabaseUrl, tmp_path: Path) -> None:
    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    done = subprocess.run(
        command_line("export", "-d", large.exposed(), "-o", str(tmp_path / "out.jsonl")),
        stderr=subprocess.PIPE,
        env=process_environment(),
        preexec_fn=small_files,
        check=False,
    )

    assert done.returncode == 1
    assert b"cannot be written" in done.stderr
    assert not list(tmp_path.glob("out*"))


def test_a_terminal_gets_safe_text(run_on_terminal: Runner, sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        insert(database, [conversation(1, [message(1, "a\x1b]0;x\x07b\u202ec\x9b")])])

    for to in ("markdown", "html", "json"):
        words = ("export", "-d", sqlite_url.exposed(), "--to", to)
        result = run_on_terminal(*words, env={"PAGER": "cat"})

        assert result.exit_code == 0
        assert not set("\x1b\x07\u202e\x9b") & set(result.stdout)


@pytest.mark.large
def test_memory_does_not_grow_with_the_number_of_conversations(sqlite_url: DatabaseUrl) -> None:
    program = (
        "import resource, sys; from chatdb.cli.app import app;"
        "app(sys.argv[1:], standalone_mode=False);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )

    def peak() -> int:
        done = subprocess.run(
            [sys.executable, "-c", program, "-q", "export", "-d", sqlite_url.exposed()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=process_environment(),
            check=True,
        )
        return int(done.stderr.split()[-1])

    small = peak()
    fill(sqlite_url, LARGE // 2, 20_000)

    assert peak() < small * 1.3


@pytest.mark.parametrize(
    "command",
    [
        ["export"],
        ["export", "--to", "markdown"],
        ["conversations", "list"],
        ["conversations", "show", "last"],
    ],
    ids=" ".join,
)
def test_text_that_is_not_utf_8_in_a_sqlite_file_is_named(
    run: Runner, sqlite_url: DatabaseUrl, command: list[str]
) -> None:
    fill(sqlite_url)
    other = sqlite3.connect(sqlite_url.sqlite_path)
    other.execute("UPDATE conversations SET title = CAST(x'41ff42' AS TEXT)")
    other.commit()
    other.close()

    result = run(*command, "-d", sqlite_url.exposed())

    assert result.exit_code == 1
    assert "contains text that is not UTF-8 in a column 'title'" in result.stderr
