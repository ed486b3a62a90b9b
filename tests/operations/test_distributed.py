"""A database that Citus distributes is neither backed up nor restored as if it were one server.

Citus is not there: a table of the name and place of its catalogue, which a superuser makes, stands
in for it. What it would do to the commands was tried on a cluster.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from tests.operations.restoring import (
    Run,
    conversations_in,
    execute,
    fill,
    foreign_backup,
    kept_removed,
)
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.postgresql

CATALOGUE = (
    "SET allow_system_table_mods = on",
    'CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod "char")',
)
DISTRIBUTED = "INSERT INTO pg_dist_partition VALUES ('messages', 'h'), ('organizations', 'n')"
REFUSED = [
    ["backup", "create"],
    ["backup", "create", "--org", "default"],
    ["backup", "create", "--jobs", "2"],
    ["restore", "FILE", "--yes"],
    ["restore", "FILE", "--yes", "--force"],
    ["restore", "FILE", "--dry-run"],
    ["restore", "FILE", "--in-place", "--yes"],
]


@pytest.fixture
def backup(postgresql_url: DatabaseUrl, postgres: PostgresServer, tmp_path: Path) -> Path:
    """A backup from before the catalogue was there, which has no table in it yet."""
    fill(postgresql_url)
    path = foreign_backup(postgresql_url, tmp_path, postgres)
    execute(postgresql_url, *CATALOGUE)
    return path


@pytest.fixture
def chatdb(run: Run, postgresql_url: DatabaseUrl) -> Callable[..., Any]:
    """Run a command on the database."""
    return lambda *words: run(*words, "-d", postgresql_url.exposed())


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_it_is_refused_with_one_sentence_and_nothing_is_written(
    chatdb: Callable[..., Any], postgresql_url: DatabaseUrl, backup: Path, words: list[str]
) -> None:
    execute(postgresql_url, DISTRIBUTED)

    done = chatdb(*(str(backup) if word == "FILE" else word for word in words))

    assert (done.exit_code, done.stdout) == (6, "")
    assert "error: Citus distributes messages and 1 more tables of " in done.stderr
    assert "--org KEY" in done.stderr
    assert not list(Path.cwd().glob("backups/*"))
    assert conversations_in(postgresql_url) == 3


def test_with_the_extension_and_no_distributed_table_all_goes_on(
    chatdb: Callable[..., Any], postgresql_url: DatabaseUrl, backup: Path
) -> None:
    made = chatdb("backup", "create")
    planned = chatdb("restore", backup, "--dry-run")

    assert (made.exit_code, planned.exit_code) == (0, 0), made.stderr + planned.stderr
    assert conversations_in(postgresql_url) == 3


def test_some_of_a_backup_is_still_merged_in(
    chatdb: Callable[..., Any], postgresql_url: DatabaseUrl, backup: Path
) -> None:
    execute(postgresql_url, DISTRIBUTED, "DELETE FROM conversations")

    done = chatdb("restore", backup, "--org", "default")

    assert done.exit_code == 0, done.stderr
    assert conversations_in(postgresql_url) == 3


def test_what_a_restore_kept_does_not_replace_what_was_distributed_since(
    chatdb: Callable[..., Any], postgresql_url: DatabaseUrl, backup: Path
) -> None:
    with kept_removed(postgresql_url):
        assert chatdb("restore", backup, "--yes").exit_code == 0
        execute(postgresql_url, *CATALOGUE, DISTRIBUTED)

        undone = chatdb("restore", "--undo", "--yes")

        assert undone.exit_code == 6
        assert "Citus distributes" in undone.stderr
        assert execute(postgresql_url, "SELECT count(*) FROM pg_dist_partition") == [(2,)]
