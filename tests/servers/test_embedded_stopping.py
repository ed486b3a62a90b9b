"""`up` beside a server that is being stopped, and beside others who make the same database."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.servers.base import DevServer
from chatdb.servers.embedded import process as embedded_process
from chatdb.servers.embedded.engine import EmbeddedEngine
from chatdb.servers.embedded.home import find_home
from chatdb.servers.target_database import make_database
from tests.postgres_server import wait_until
from tests.servers.projects import (
    is_alive,
    open_folder,
    pid_of,
    query,
    removed_at_the_end,
    server_at,
    start,
)


@pytest.fixture(scope="module")
def made() -> Iterator[DevServer]:
    """A running server, which each test leaves running."""
    with open_folder() as folder, removed_at_the_end(server_at(folder)) as server:
        start(server)
        yield server


def test_up_beside_a_server_that_is_being_stopped_waits_for_its_end(made: DevServer) -> None:
    old, home = pid_of(made), find_home(made)
    process = embedded_process.find(home)
    assert process is not None
    notes: list[str] = []
    engine = EmbeddedEngine()
    with ThreadPoolExecutor(1) as beside, connect_postgresql(made.url) as session:
        os.kill(old, signal.SIGTERM)  # it waits for its sessions to end
        wait_until(lambda: embedded_process.is_stopping(home, process))
        started = beside.submit(engine.start, made, seconds=60, note=notes.append)
        wait_until(lambda: bool(notes))
        assert is_alive(old)
        session.close()
        started.result(60)

    assert notes[0] == f"waiting for the server (pid {old}), which is being stopped"
    assert pid_of(made) != old
    assert query(made, "SELECT 1") == [(1,)]


def test_up_in_the_very_moment_of_a_stop_starts_it_again(made: DevServer) -> None:
    for _ in range(3):
        old = pid_of(made)
        os.kill(old, signal.SIGINT)

        start(made)

        assert pid_of(made) != old
        assert query(made, "SELECT 1") == [(1,)]


def test_a_database_that_another_makes_in_this_moment_is_taken(made: DevServer) -> None:
    """Both are past the look whether it is there when they come to write it down."""
    address = made.url.with_database("postgres")
    target = replace(made, database="another")
    blocked = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE %%'"

    def make() -> str:
        notes: list[str] = []
        make_database(target, notes.append)
        return notes[0]

    with (
        ThreadPoolExecutor(2) as beside,
        connect_postgresql(address) as gate,
        connect_postgresql(address, autocommit=True) as watch,
    ):
        gate.execute("LOCK TABLE pg_database IN SHARE ROW EXCLUSIVE MODE")
        both = [beside.submit(make), beside.submit(make)]

        def are_waiting() -> bool:
            return watch.execute(blocked + " AND wait_event_type = 'Lock'").fetchone() == (2,)

        wait_until(are_waiting)
        gate.commit()
        assert [each.result(60) for each in both] == ["creating the database another"] * 2

    with psycopg.connect(target.url.exposed()) as there:
        assert there.execute("SELECT 1").fetchone() == (1,)
