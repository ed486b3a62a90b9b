"""Several migrators at once, locks that others hold, and migrators that die."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chatdb.db.connect import connect_postgresql, connect_sqlite
from chatdb.db.database import Database
from chatdb.db.migrating.migration_log import read_runs
from chatdb.db.migrating.migrations import MigrationSettings, upgrade
from chatdb.db.migrating.revision import look
from chatdb.db.migrating.scripts import head_revision, scripts
from chatdb.db.postgresql.migration import LOCK_KEY, PostgresqlMigrationWays
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseLockedError
from tests.migrations.conftest import NEXT, Listener, WriteScript, counts, fill, start_migrator
from tests.postgres_server import wait_until

MIGRATORS = 6

SLOW = """
op.create_table("extra", sa.Column("id", sa.Integer(), nullable=False))
if sqlite:
    op.execute(
        "INSERT INTO extra WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
        " SELECT i FROM n WHERE i < 0"
    )
else:
    op.execute("SELECT pg_sleep(120)")
"""
QUICK = 'op.create_table("extra", sa.Column("id", sa.Integer(), nullable=False))'


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


@pytest.mark.large
def test_several_migrators_at_once_do_each_revision_once(
    empty_database_url: DatabaseUrl,
) -> None:
    processes = [start_migrator(empty_database_url) for _ in range(MIGRATORS)]
    answers = [finish(process) for process in processes]

    assert [(code, err) for code, _, err in answers] == [(0, "")] * MIGRATORS
    told = [line for _, out, _ in answers for line in out.splitlines() if "applied" in line]
    assert sorted(told) == [f"applied {script.revision}" for script in scripts()]
    with Database.open(empty_database_url) as database, database.transaction() as connection:
        runs = read_runs(connection)
    assert [run.revision for run in runs] == [script.revision for script in scripts()]


@pytest.mark.large
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "kill -9"])
def test_a_migrator_that_dies_leaves_nothing_and_the_next_run_completes(
    database: Database, longer_chain: WriteScript, end: signal.Signals
) -> None:
    fill(database)
    before = counts(database)
    directory = longer_chain(SLOW)
    process = start_migrator(database.url, directory)
    wait_until(lambda: process.poll() is not None or is_at_work(database.url))

    os.kill(process.pid, end)
    code, out, err = finish(process)

    assert code == (130 if end is signal.SIGINT else -signal.SIGKILL), err
    assert ("interrupted" in out) == (end is signal.SIGINT)
    assert look(database.url).revision == head_revision()
    longer_chain(QUICK)
    if end is signal.SIGKILL:
        end_orphans(database.url)
    settings = MigrationSettings(directory=directory)
    assert [item.revision for item in upgrade(database, settings=settings)] == [NEXT]
    assert counts(database) == before


def is_at_work(url: DatabaseUrl) -> bool:
    """Tell whether the slow statement runs."""
    if url.dialect_name == "postgresql":
        return bool(sessions(url, "query LIKE 'SELECT pg_sleep%' AND state = 'active'"))
    if not list(url.sqlite_path.parent.glob("*.before_*.db")):
        return False
    time.sleep(0.5)
    return True


def end_orphans(url: DatabaseUrl) -> None:
    """A server notices that a client is gone when its statement ends: end it for the test."""
    if url.dialect_name == "postgresql":
        sessions(url, "query LIKE 'SELECT pg_sleep%' AND pg_terminate_backend(pid)")


def sessions(url: DatabaseUrl, condition: str) -> list[int]:
    with connect_postgresql(url, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
            f" AND datname = current_database() AND {condition}"
        ).fetchall()
    return [row[0] for row in rows]


@contextmanager
def holding(url: DatabaseUrl, statement: str) -> Iterator[psycopg.Connection[Any]]:
    """Hold a lock in a transaction of another session."""
    with connect_postgresql(url, application_name="a nightly report") as connection:
        connection.execute(statement.encode())
        yield connection
        connection.rollback()


def test_a_second_migrator_names_the_first_when_it_gives_up(
    empty_postgresql_url: DatabaseUrl, listener: Listener
) -> None:
    with (
        holding(empty_postgresql_url, f"SELECT pg_advisory_xact_lock({LOCK_KEY})") as holder,
        Database.open(empty_postgresql_url) as database,
    ):
        pid = holder.info.backend_pid
        with pytest.raises(DatabaseLockedError) as caught:
            upgrade(database, settings=MigrationSettings(lock_wait=1.3), watch=listener)

    for text in (caught.value.text, listener.notes[0]):
        assert f"pid {pid} (a nightly report)" in text
        assert "SELECT pg_advisory_xact_lock" in text


def test_a_migrator_goes_on_when_the_first_is_done(
    empty_postgresql_url: DatabaseUrl,
) -> None:
    with (
        holding(empty_postgresql_url, f"SELECT pg_advisory_xact_lock({LOCK_KEY})") as holder,
        Database.open(empty_postgresql_url) as database,
    ):
        timer = threading.Timer(0.5, holder.commit)
        timer.start()
        applied = upgrade(database, settings=MigrationSettings(lock_wait=20))
        timer.join()

    assert len(applied) == len(scripts())


def test_a_tables_lock_is_tried_again_and_had_when_it_is_free(
    postgresql_url: DatabaseUrl, longer_chain: WriteScript, listener: Listener
) -> None:
    directory = longer_chain('op.add_column("messages", sa.Column("mood", sa.Text()))')
    settings = MigrationSettings(lock_timeout=0.2, directory=directory)
    with (
        holding(postgresql_url, "SELECT count(*) FROM messages") as holder,
        Database.open(postgresql_url) as database,
    ):

        def free_when_named() -> None:
            wait_until(lambda: listener.notes)
            holder.commit()

        freeing = threading.Thread(target=free_when_named)
        freeing.start()
        applied = upgrade(database, settings=settings, watch=listener)
        freeing.join()

    assert [item.revision for item in applied] == [NEXT]
    assert "held by pid" in listener.notes[0]
    assert "a nightly report" in listener.notes[0]
    assert "(1 of 3)" in listener.notes[0]


@pytest.mark.large
def test_a_tables_lock_that_is_never_free_names_its_holder(
    postgresql_url: DatabaseUrl, longer_chain: WriteScript, listener: Listener
) -> None:
    directory = longer_chain('op.add_column("messages", sa.Column("mood", sa.Text()))')
    settings = MigrationSettings(lock_timeout=0.05, directory=directory)
    with (
        holding(postgresql_url, "SELECT count(*) FROM messages"),
        Database.open(postgresql_url) as database,
    ):
        with pytest.raises(DatabaseLockedError, match=r"a nightly report.*FROM messages"):
            upgrade(database, settings=settings, watch=listener)
        with database.transaction() as connection:
            last = read_runs(connection)[-1]

    assert (last.revision, last.outcome) == (NEXT, "failed")
    assert len(listener.notes) == 3
    assert look(postgresql_url).revision == head_revision()


def test_a_sqlite_file_that_another_program_writes_to_is_waited_for(
    tmp_path: Path, listener: Listener
) -> None:
    url = DatabaseUrl(dialect_name="sqlite", path=tmp_path / "busy.db")
    other = connect_sqlite(url, create=True)
    other.execute("CREATE TABLE theirs (id)")
    other.execute("BEGIN IMMEDIATE")
    with Database.open(url) as database:
        with pytest.raises(DatabaseLockedError, match="write lock"):
            upgrade(database, settings=MigrationSettings(lock_wait=1.2), watch=listener)
        threading.Timer(0.5, lambda: other.execute("COMMIT")).start()
        applied = upgrade(database, settings=MigrationSettings(lock_wait=20))
    other.close()

    assert "waiting for another program" in listener.notes[0]
    assert len(applied) == len(scripts())


def test_a_direct_connection_is_not_taken_for_a_pooler(postgresql_url: DatabaseUrl) -> None:
    with Database.open(postgresql_url) as database, database.transaction() as connection:
        assert not PostgresqlMigrationWays().is_pooled(connection)
