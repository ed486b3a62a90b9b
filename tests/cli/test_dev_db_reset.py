"""`chatdb dev-db reset` makes the new database beside the old one, which stays when that fails."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl
from tests.cli.conftest import command_line, process_environment
from tests.cli.dev_projects import Run, project_folder
from tests.postgres_server import wait_until

pytestmark = pytest.mark.large


@pytest.fixture
def at(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseUrl]:
    """The database of a project with a running server, the directory; it has a table `mine`."""
    with project_folder(monkeypatch):
        assert run("dev-db", "up", "--engine", "embedded", "--migrate").exit_code == 0
        url = DatabaseUrl(
            dialect_name="postgresql",
            user="chatdb",
            password="chatdb",
            host="127.0.0.1",
            port=os.environ["CHATDB_DEV_PORT"],
            database="chatdb_dev",
        )
        execute(url, "CREATE TABLE mine AS SELECT 1 AS n")
        yield url


def execute(url: DatabaseUrl, statement: str) -> list[tuple[object, ...]]:
    with closing(connect_postgresql(url, autocommit=True)) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def databases(url: DatabaseUrl) -> set[object]:
    rows = execute(url, "SELECT datname::text FROM pg_database WHERE NOT datistemplate")
    return {name for (name,) in rows}


def test_a_migration_that_fails_leaves_the_old_database_as_it_was(
    run: Run, at: DatabaseUrl
) -> None:
    template = at.with_database("template1")
    execute(template, "CREATE TABLE conversations (theirs int)")  # of every new database

    failed = run("dev-db", "reset", "--yes")

    execute(template, "DROP TABLE conversations")
    assert failed.exit_code == 6
    assert "conversations" in failed.stderr
    assert execute(at, "SELECT n FROM mine") == [(1,)]
    assert databases(at) == {"postgres", "chatdb_dev"}


def test_a_reset_that_was_killed_leaves_the_old_database_and_the_next_one_tidies_up(
    run: Run, at: DatabaseUrl
) -> None:
    def is_making() -> bool:
        return any(str(name).startswith("chatdb_making_") for name in databases(at))

    with subprocess.Popen(
        command_line("dev-db", "reset", "--yes", "--seed"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=process_environment(),
    ) as process:
        wait_until(lambda: is_making() or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert execute(at, "SELECT n FROM mine") == [(1,)]

    done = run("dev-db", "reset", "--yes")

    assert done.exit_code == 0, done.stderr
    assert execute(at, "SELECT to_regclass('mine')::text") == [(None,)]
    assert not is_making()
    assert len(databases(at)) == 3  # the old one is a checkpoint
