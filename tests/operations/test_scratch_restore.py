"""A backup tried out where nobody looks: what is wrong with it is told, nothing is left."""

import os
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatdb.backups.inventory import Backup, find
from chatdb.backups.reading import recognised
from chatdb.db.url import DatabaseUrl
from chatdb.errors import RefusedError, UsageError
from chatdb.operations.restoring.parts import RestoreOptions
from chatdb.operations.restoring.scratch_restore import verify_by_restoring
from chatdb.servers.dump_programs import DumpPrograms
from tests.operations.restoring import Silence, execute, fill, foreign_backup
from tests.postgres_server import PostgresServer


def backup_of(path: Path) -> Backup:
    """Return the backup that a file is."""
    return recognised(find(str(path), str(path.parent)))


def problems(path: Path, url: DatabaseUrl, server: PostgresServer | None) -> tuple[str, ...]:
    """Return what trying a backup finds."""
    bindir = None if server is None else server.binaries
    options = RestoreOptions(programs=DumpPrograms(os.environ, bindir=bindir))
    return verify_by_restoring(backup_of(path), url, options, Silence()).problems


@pytest.fixture
def server(database_url: DatabaseUrl, request: pytest.FixtureRequest) -> Any:
    """The server, where there is one."""
    return request.getfixturevalue("postgres") if database_url.path is None else None


def test_a_good_backup_has_no_problem_and_leaves_nothing(
    database_url: DatabaseUrl, server: PostgresServer | None, tmp_path: Path
) -> None:
    fill(database_url)
    path = foreign_backup(database_url, tmp_path, server)
    before = sorted(tmp_path.iterdir())

    assert problems(path, database_url, server) == ()

    assert sorted(tmp_path.iterdir()) == before


def test_what_does_not_hold_together_is_named(
    database_url: DatabaseUrl, server: PostgresServer | None, tmp_path: Path
) -> None:
    fill(database_url)
    if database_url.path is None:
        execute(
            database_url,
            "ALTER TABLE messages DROP CONSTRAINT fk_messages_conversations",
            "DELETE FROM conversations WHERE title LIKE '% 3'",
        )
        expected = ["2 messages belong to no conversation", "fk_messages_conversations"]
    else:
        with sqlite3.connect(database_url.sqlite_path) as file:  # which checks no foreign keys
            file.execute("DELETE FROM conversations WHERE title LIKE '% 3'")
        expected = [
            "2 messages belong to no conversation",
            "2 rows of messages refer to missing rows",
        ]
    path = foreign_backup(database_url, tmp_path, server)

    found = problems(path, database_url, server)

    for text in expected:
        assert any(text in problem for problem in found), found


def test_a_file_that_is_none_is_a_problem_and_no_error(
    database_url: DatabaseUrl, server: PostgresServer | None, tmp_path: Path
) -> None:
    path = foreign_backup(database_url, tmp_path, server)
    path.write_bytes(path.read_bytes()[:3000])

    assert len(problems(path, database_url, server)) > 0


def test_a_user_who_may_not_try_it_is_told_and_the_backup_is_not_called_damaged(
    postgresql_url: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    path = foreign_backup(postgresql_url, tmp_path, postgres)
    role = f"poor_{postgresql_url.database}"
    postgres.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'abc'")

    try:
        with pytest.raises(RefusedError, match="may not create databases"):
            problems(path, replace(postgresql_url, user=role, password="abc"), postgres)
    finally:
        postgres.execute(f"DROP ROLE {role}")


def test_a_dump_needs_a_server_to_be_tried_on(
    sqlite_url: DatabaseUrl, postgresql_url: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    path = foreign_backup(postgresql_url, tmp_path, postgres)

    with pytest.raises(UsageError, match="is not a server"):
        problems(path, sqlite_url, postgres)
