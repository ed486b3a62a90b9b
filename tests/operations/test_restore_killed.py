"""A restore that is killed, interrupted or runs out of disk: the database is whole, old or new."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.opening import open_replacement
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseLockedError
from tests.cli.conftest import ROOT, process_environment
from tests.db.test_replacement import left_over
from tests.migrations.test_pooler import pooled_url  # noqa: F401 - a fixture
from tests.operations.restoring import (
    Run,
    conversations_in,
    execute,
    fill,
    foreign_backup,
)
from tests.postgres_server import PostgresServer, running_server, stop, wait_until
from tests.servers.projects import open_folder
from tests.small_disk import enlarge, small_disk

RESTORE = """
import os, signal, sys
from chatdb.backups.inventory import find
from chatdb.backups.reading import recognised
from chatdb.db.url import parse_url
from chatdb.servers.dump_programs import DumpPrograms
from chatdb.operations.restoring.restore import planned_restore
from chatdb.operations.restoring.parts import RestoreOptions

url, path, moment, number = sys.argv[1:]

def end():
    os.kill(os.getpid(), int(number))

class Watch:
    note = warning = advance = lambda self, what: None
    def begin(self, what, total):
        if what == moment:
            end()

# An audited event that concerns the database's own folder: before a file gets its name.
sys.addaudithook(lambda event, words: end() if event == moment and "chatdb" in str(words) else None)
backup = recognised(find(path, os.path.dirname(path)))
options = RestoreOptions(programs=DumpPrograms(os.environ))
with planned_restore(backup, parse_url(url), options, Watch()) as planned:
    planned.run()
"""


def killed_restore(
    url: DatabaseUrl, path: Path, moment: str, number: signal.Signals = signal.SIGKILL
) -> int:
    """Restore in a process of its own that ends itself at a moment; return its exit code."""
    words = [sys.executable, "-c", RESTORE, url.exposed(), str(path), moment, str(int(number))]
    done = subprocess.run(
        words,
        cwd=ROOT,
        env=process_environment(),
        stderr=subprocess.PIPE,
        check=False,
        timeout=60,
    )
    return done.returncode


def is_free(url: DatabaseUrl) -> bool:
    """Tell whether the server has noticed that a killed process is gone."""
    try:
        with open_replacement(url, lambda _: None):
            return True
    except DatabaseLockedError:
        return False


@pytest.fixture
def backup(filled: DatabaseUrl, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A backup of it, of which one conversation has been deleted since."""
    server = request.getfixturevalue("postgres") if filled.path is None else None
    path = foreign_backup(filled, tmp_path, server)
    execute(filled, "DELETE FROM conversations WHERE title LIKE '% 3'")
    return path


@pytest.mark.large
def test_a_kill_at_any_moment_leaves_the_old_or_the_new_and_the_next_restore_sweeps(
    run: Run, filled: DatabaseUrl, backup: Path
) -> None:
    moments = ["restoring", "comparing", "swapping"]
    if filled.path is not None:
        moments += ["os.link", "os.rename"]
    for moment in moments:
        assert killed_restore(filled, backup, moment) == -signal.SIGKILL, moment
        assert conversations_in(filled) == 2, moment
        wait_until(lambda: is_free(filled))

    done = run("restore", backup, "--yes", "-d", filled.exposed())

    assert done.exit_code == 0, done.stderr
    assert conversations_in(filled) == 3
    if filled.path is not None:
        assert execute(filled, "PRAGMA integrity_check") == [("ok",)]
    assert left_over(filled) == []


@pytest.mark.large
def test_ctrl_c_removes_what_was_begun(filled: DatabaseUrl, backup: Path) -> None:
    assert killed_restore(filled, backup, "comparing", signal.SIGINT) != 0

    assert conversations_in(filled) == 2
    wait_until(lambda: is_free(filled))
    assert filled.path is None or left_over(filled) == []


def test_a_full_disk_leaves_the_file_and_nothing_else(run: Run, tmp_path: Path) -> None:
    large = tmp_path / "large.db"
    with closing(sqlite3.connect(large)) as file:
        file.execute("CREATE TABLE t AS SELECT zeroblob(30000000) AS b")
        file.commit()
    packed = tmp_path / "large_20251125_100000.db.zst"
    packed.write_bytes(zstandard.compress(large.read_bytes()))
    with small_disk(tmp_path / "disk", 24) as disk:
        place = disk / "chatdb.db"
        place.write_bytes(b"")

        for backup in (packed, large):
            done = run("restore", backup, "--yes", "--confirm", "chatdb.db", "-d", place)

            assert done.exit_code == 1
            assert "No space left" in done.stderr or "not enough space" in done.stderr
            assert [path.name for path in disk.iterdir()] == ["chatdb.db"]


@pytest.fixture
def other_server(request: pytest.FixtureRequest) -> Iterator[PostgresServer]:
    """A server of this test's own: where a disk is full, no checkpoint of a server succeeds."""
    with open_folder() as folder:
        yield running_server(folder, request.config.getoption("--pg"))
        stop(folder)


@pytest.mark.large
@pytest.mark.postgresql
def test_a_full_disk_of_the_server_leaves_the_database_as_it_was(
    run: Run, other_server: PostgresServer, tmp_path: Path
) -> None:
    with other_server.new_database() as large:
        rows = "SELECT repeat('x', 1000) AS text FROM generate_series(1, 20000)"
        execute(large, f"CREATE TABLE bulky AS {rows}")
        backup = foreign_backup(large, tmp_path, other_server)
    folder = other_server.folder / "disk"
    with small_disk(folder, 22) as disk:
        owner = (other_server.folder / "data").stat()
        os.chown(folder, owner.st_uid, owner.st_gid)
        other_server.execute(
            f"CREATE TABLESPACE small LOCATION '{folder}'", "CREATE DATABASE chat TABLESPACE small"
        )
        url = other_server.url("chat")
        with Database.open(url) as database:
            upgrade(database)
        fill(url)

        done = run("restore", backup, "--yes", "-d", url.exposed())

        assert done.exit_code == 1
        assert "the server's disk is full" in done.stderr
        assert conversations_in(url) == 3

        enlarge(disk, 80)
        assert run("restore", backup, "--yes", "-d", url.exposed()).exit_code == 0
        assert left_over(url) == []


def test_a_pooler_is_refused(
    run: Run,
    pooled_url: DatabaseUrl,  # noqa: F811
    postgres: PostgresServer,
    tmp_path: Path,
) -> None:
    path = foreign_backup(postgres.url("chatdb_template"), tmp_path, postgres)

    done = run("restore", path, "--yes", "-d", pooled_url.exposed())

    assert done.exit_code == 6
    assert "--direct-url" in done.stderr
