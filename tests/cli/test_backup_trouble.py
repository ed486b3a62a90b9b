"""Backups that are killed, interrupted or run out of disk: a whole one, or none."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from chatdb.backups.folder_store import FolderStore
from chatdb.backups.inventory import find_all
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.operations.backups.verify import find_problems
from tests.cli.conftest import command_line, process_environment
from tests.operations.backups import PROGRAMS, Quiet, back_up
from tests.operations.conversation_rows import add_conversation
from tests.postgres_server import wait_until
from tests.small_disk import small_disk

Reached = Callable[[Path], bool]


@pytest.fixture
def large(database: Database) -> Database:
    """A database of 16 MB that do not compress, which takes a moment to back up."""
    add_conversation(database, [os.urandom(200_000).hex() for _ in range(40)])
    return database


def size_of(folder: Path, pattern: str) -> int:
    total = 0
    for path in folder.glob(f"*.partial/{pattern}"):
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total


POINTS: dict[str, Reached] = {
    "claimed": lambda folder: any(folder.glob("*.partial")),
    "begun": lambda folder: any(folder.glob("*.partial/*")),
    "data written": lambda folder: size_of(folder, "*.zst") > 1_000_000,
    "conversations listed": lambda folder: size_of(folder, "*.conversations.zst") > 0,
    "manifest written": lambda folder: size_of(folder, "*.manifest.json") > 0,
    "archive put": lambda folder: any(folder.glob("*Z.*zst")),
}


def start(url: DatabaseUrl, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        command_line("backup", "--output", str(folder)),
        env=process_environment({"DATABASE_URL": url.exposed()}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stop_at(process: "subprocess.Popen[str]", reached: Reached, folder: Path, number: int) -> str:
    """Send the signal as soon as the point is reached; return what was said on stderr."""
    ends = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < ends:
        with suppress(FileNotFoundError):  # a folder that was renamed while it was looked at
            if reached(folder):
                break
        time.sleep(0.0005)
    process.send_signal(number)
    return process.communicate(timeout=30)[1]


def dumps_of(database: Database) -> list[str]:
    """Return the sessions of pg_dump that still run on the database."""
    if database.url.path is not None:
        return []
    with database.transaction() as connection:
        return list(
            connection.exec_driver_sql(
                "SELECT application_name FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name = 'pg_dump'"
            ).scalars()
        )


def is_left_over(folder: Path) -> bool:
    """Tell whether there is a backup whose making was broken off before its manifest was put."""
    names = FolderStore(folder).leftovers()
    return any(not (folder / f"{name}.manifest.json").exists() for name in names)


@pytest.mark.large
def test_a_killed_backup_leaves_none_and_the_next_one_removes_it(
    large: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "backups"
    left: list[str] = []
    for name, reached in POINTS.items():
        process = start(large.url, folder)
        stop_at(process, reached, folder, signal.SIGKILL)
        left += [name] if is_left_over(folder) else []

        whole = find_all(FolderStore(folder))
        assert {backup.state for backup in whole} <= {"complete", "incomplete"}, name
        for backup in whole:
            if backup.state == "complete":
                assert find_problems(backup, PROGRAMS, Quiet()) == []
    wait_until(lambda: dumps_of(large) == [])
    assert left  # where much else runs, the last points are met too late

    is_left = is_left_over(folder)
    watch = Quiet()
    made = back_up(large, folder, watch)

    found = find_all(FolderStore(folder))
    assert made.name in {backup.name for backup in found}
    assert {backup.state for backup in found} == {"complete"}
    assert list(folder.glob("*.partial")) == []
    assert any("an interrupted backup" in note for note in watch.notes) == is_left


@pytest.mark.large
@pytest.mark.parametrize("point", ["begun", "data written"])
def test_an_interrupted_backup_leaves_nothing(large: Database, tmp_path: Path, point: str) -> None:
    folder = tmp_path / "backups"
    process = start(large.url, folder)

    said = stop_at(process, POINTS[point], folder, signal.SIGINT)

    assert (process.returncode, said) == (130, "interrupted\n")
    assert not folder.exists()
    wait_until(lambda: dumps_of(large) == [])


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 4) as folder:
        yield folder


@pytest.mark.large
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_full_disk_is_named_and_nothing_is_left(
    large: Database, disk: Path, run: Callable[..., Any], jobs: str
) -> None:
    jobs = "1" if large.url.path is not None else jobs
    done = run(
        *("backup", "--output", str(disk / "backups"), "--jobs", jobs),
        *("-d", large.url.exposed()),
    )

    assert done.exit_code == 1
    assert "disk" in done.stderr or "No space left" in done.stderr
    assert str(disk) in done.stderr or jobs == "2"
    assert list(disk.iterdir()) == []
