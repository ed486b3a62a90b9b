"""`chatdb import` in trouble: killed, interrupted, raced, locked, lost, on a full disk."""

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError
from chatdb.formats.native import conversation_line, header_line
from tests import postgres_server
from tests.cli.conftest import Run, command_line, process_environment
from tests.cli.importing import count_of, native
from tests.operations.importing import (
    check_search,
    conversation,
    load,
    message,
    stored,
)
from tests.postgres_server import PostgresServer, wait_until
from tests.small_disk import small_disk

Invoke = Callable[..., Any]


pytestmark = pytest.mark.large


def start(url: DatabaseUrl, *words: object) -> subprocess.Popen[str]:
    """Start an import as a process."""
    return subprocess.Popen(
        command_line("import", *map(str, words)),
        env=process_environment({"DATABASE_URL": url.exposed()}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_a_batch(url: DatabaseUrl, process: subprocess.Popen[str]) -> None:
    """Wait until the first batch of a running import is committed."""

    def some_are_in() -> bool:
        assert process.poll() is None, process.communicate()
        with contextlib.suppress(ChatdbError):
            return count_of(url) > 0
        return False

    wait_until(some_are_in, seconds=60)


BATCHES = 6_000
"""Conversations of a file whose import takes several batches and a second or more."""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return native(tmp_path_factory.mktemp("large") / "large.jsonl", BATCHES, 2)


def check_complete(url: DatabaseUrl, run_process: Run, path: Path) -> None:
    """Hold that nothing is half-written, and that the same import completes the rest."""
    with Database.open(url) as database, database.transaction() as connection:
        broken = connection.scalar(
            sa.text("SELECT count(*) FROM conversation_summaries WHERE message_count <> 2")
        )
    assert broken == 0
    done = run_process("import", str(path), "--format", "json", env={"DATABASE_URL": url.exposed()})
    answer = json.loads(done.stdout)
    assert answer["unchanged"] > 0
    assert answer["new"] + answer["unchanged"] == BATCHES
    with Database.open(url) as database:
        check_search(database, "m1", BATCHES)


def test_kill_in_the_middle_leaves_nothing_half_and_the_next_run_completes(
    database_url: DatabaseUrl, run_process: Run, large: Path
) -> None:
    process = start(database_url, large)
    wait_for_a_batch(database_url, process)
    process.kill()
    process.communicate()

    assert 0 < count_of(database_url) < BATCHES
    check_complete(database_url, run_process, large)


def test_control_c_says_how_far_it_came_and_the_next_run_goes_on(
    database_url: DatabaseUrl, run_process: Run, large: Path
) -> None:
    process = start(database_url, large)
    wait_for_a_batch(database_url, process)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "conversations are in the database; run the same command again" in errors
    with Database.open(database_url) as database, database.transaction() as connection:
        query = sa.select(schema.log.c.outcome).where(schema.log.c.kind == "import")
        assert connection.scalars(query).all() == ["interrupted"]
    check_complete(database_url, run_process, large)


def test_two_imports_of_one_file_at_once_are_one(database_url: DatabaseUrl, large: Path) -> None:
    processes = [start(database_url, large, "--format", "json") for _ in range(2)]
    answers = [process.communicate(timeout=120) for process in processes]

    assert [process.returncode for process in processes] == [0, 0], answers
    counts = [json.loads(answer[0]) for answer in answers]
    assert sum(each["new"] for each in counts) == BATCHES
    assert all(each["new"] + each["unchanged"] == BATCHES for each in counts)
    with Database.open(database_url) as database:
        check_search(database, "m1", BATCHES)


@pytest.fixture
def own_server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A PostgreSQL of this test's own, which may be killed."""
    folder = Path(tempfile.mkdtemp(prefix="chatdb-tests-"))
    folder.chmod(0o777)
    try:
        yield postgres_server.running_server(folder, request.config.getoption("--pg"))
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            postgres_server.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.postgresql
def test_a_server_that_goes_away_ends_it_with_3_and_how_far(
    own_server: PostgresServer, large: Path, run_process: Run
) -> None:
    with own_server.new_database() as url:
        migrated = run_process("migrate", env={"DATABASE_URL": url.exposed()})
        assert migrated.exit_code == 0, migrated
        process = start(url, large)
        wait_for_a_batch(url, process)
        pid = int((own_server.folder / "data" / "postmaster.pid").read_text().split()[0])
        os.kill(pid, signal.SIGQUIT)
        _, errors = process.communicate(timeout=60)

        assert process.returncode == 3, errors
        assert "conversations are in the database; run the same command again" in errors
        wait_until(lambda: not (own_server.folder / "data" / "postmaster.pid").exists())
        postgres_server._start(own_server)
        check_complete(url, run_process, large)


@pytest.mark.postgresql
def test_a_lost_connection_is_made_again(
    postgres: PostgresServer, postgresql_url: DatabaseUrl, large: Path
) -> None:
    process = start(postgresql_url, large, "--format", "json")
    wait_for_a_batch(postgresql_url, process)
    postgres.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{postgresql_url.database}' AND pid <> pg_backend_pid()"
    )
    output, errors = process.communicate(timeout=60)

    assert process.returncode == 0, errors
    answer = json.loads(output)
    assert answer["new"] + answer["unchanged"] == BATCHES
    assert count_of(postgresql_url) == BATCHES


def test_a_locked_file_is_an_error_after_a_while(
    run_process: Run, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    path = native(tmp_path / "chats.jsonl")
    holder = sqlite3.connect(sqlite_url.sqlite_path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    started = time.monotonic()
    try:
        done = run_process("import", str(path), "-d", sqlite_url.exposed())
    finally:
        holder.close()

    assert done.exit_code == 1
    assert "is locked by another program" in done.stderr
    assert time.monotonic() - started > 5


def test_a_full_disk_leaves_the_file_sound(
    run_process: Run, sqlite_url: DatabaseUrl, tmp_path: Path, large: Path
) -> None:
    with small_disk(tmp_path / "disk", 4) as disk:
        path = disk / "chatdb.db"
        shutil.copy(sqlite_url.sqlite_path, path)
        done = run_process("import", str(large), "-d", f"sqlite:///{path}")
        connection = sqlite3.connect(path)
        verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
        halves = connection.execute(
            "SELECT count(*) FROM conversation_summaries WHERE message_count <> 2"
        ).fetchone()[0]
        connection.close()

    assert done.exit_code == 1
    assert "disk is full" in done.stderr
    assert (verdict, halves) == ("ok", 0)


@pytest.mark.large
def test_a_message_of_fifty_megabytes_goes_in(
    run_process: Run, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    path = tmp_path / "big.jsonl"
    huge = message("huge", content="lorem ipsum 東京 " * 3_000_000)
    header = header_line(created=datetime(2026, 1, 1, tzinfo=UTC))
    path.write_bytes(header + conversation_line(conversation("big", [huge])))

    done = run_process("import", str(path), env={"DATABASE_URL": database_url.exposed()})

    assert (done.exit_code, done.stderr.count("error")) == (0, 0)
    with Database.open(database_url) as database:
        assert stored(database)[0].messages[0].content == huge.content


def test_an_index_that_cannot_be_dropped_stays(
    postgresql_url: DatabaseUrl,
) -> None:
    with Database.open(postgresql_url) as database:
        with database.transaction(write=True) as reader:
            reader.execute(sa.text("LOCK TABLE messages IN ACCESS SHARE MODE"))
            load(database, [conversation("talk", [message("a")])])

        check_search(database, "text", 1)
