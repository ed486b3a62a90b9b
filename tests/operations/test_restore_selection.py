"""Some conversations out of a backup: they come back, and nothing that is there goes."""

import json
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from tests.operations.conversation_rows import add_conversation, add_organization
from tests.operations.restoring import Run, conversations_in, execute, fill, foreign_backup
from tests.postgres_server import PostgresServer

TITLES = "SELECT title FROM conversations ORDER BY created_at"


@pytest.fixture
def filled(database_url: DatabaseUrl) -> DatabaseUrl:
    """Three conversations of nobody, two of alice, one of another organization."""
    fill(database_url)
    with Database.open(database_url) as database:
        for number in (4, 5):
            add_conversation(database, ["hers"], number=number, title=f"a{number}", user_id="alice")
        add_organization(database, "acme")
        add_conversation(database, ["x"], number=6, title="theirs", organization="acme")
    return database_url


@pytest.fixture
def restore(run: Run, filled: DatabaseUrl, backup: Path) -> Run:
    """Restore some of the backup into the database; returns the report."""

    def restored(*words: str, code: int = 0) -> Any:
        words = ("restore", str(backup), *words, "--format", "json")
        done = run(*words, "--database-url", filled.exposed())
        assert done.exit_code == code, done.stderr
        return json.loads(done.stdout) if code == 0 else done

    return restored


def test_one_conversation_that_was_deleted_comes_back(
    run: Run, restore: Run, filled: DatabaseUrl
) -> None:
    deleted = "70000000-0000-0000-0000-000000000002"
    words = ("conversations", "delete", deleted, "--yes", "--no-keep")
    assert run(*words, "-d", filled.exposed()).exit_code == 0
    execute(filled, "UPDATE conversations SET title = 'mine now' WHERE title LIKE '% 1'")

    would = restore("--conversation", "000000000002", "--dry-run")
    assert (would["new"], would["dry_run"], conversations_in(filled)) == (1, True, 5)

    done = restore("--conversation", deleted)

    assert (done["new"], done["updated"], done["messages_new"]) == (1, 0, 2)
    titles = [title for (title,) in execute(filled, TITLES)]
    assert "mine now" in titles
    assert conversations_in(filled) == 6
    again = restore("--conversation", deleted)
    assert (again["new"], again["unchanged"]) == (0, 1)


def test_what_is_of_one_user_or_organization_comes_back_alone(
    restore: Run, filled: DatabaseUrl
) -> None:
    execute(filled, "DELETE FROM messages", "DELETE FROM conversations")

    assert restore("--user", "alice")["new"] == 2
    assert execute(filled, TITLES) == [("a4",), ("a5",)]

    execute(filled, "DELETE FROM organizations WHERE key = 'acme'")
    assert restore("--org", "acme")["new"] == 1
    assert execute(filled, TITLES) == [("a4",), ("a5",), ("theirs",)]


def test_what_the_backup_has_not_is_not_found(restore: Run) -> None:
    for words in (
        ("--conversation", "ffffffffffff"),
        ("--user", "nobody"),
        ("--org", "nowhere"),
        ("--conversation", "000000000002", "--org", "acme"),
    ):
        restore(*words, code=5)
    restore("--user", "alice", "--in-place", code=2)


def test_a_dump_comes_into_a_file_by_way_of_a_server(
    run: Run,
    sqlite_url: DatabaseUrl,
    postgresql_url: DatabaseUrl,
    postgres: PostgresServer,
    tmp_path: Path,
) -> None:
    fill(postgresql_url)
    dump = foreign_backup(postgresql_url, tmp_path, postgres)
    words = ("restore", dump, "--org", "default", "-d", sqlite_url.exposed())

    refused = run(*words)
    assert refused.exit_code == 2
    assert "--via" in refused.stderr

    assert run(*words, "--via", postgresql_url.exposed()).exit_code == 0
    assert conversations_in(sqlite_url) == 3
