"""`chatdb search-index`, and the commands that tell of a damaged full-text index."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.another_program import execute_as_another_program
from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.operations.searching.search_index import look_at_search_index
from tests.cli.conftest import command_line, process_environment
from tests.cli.test_doctor import findings
from tests.operations.index_damage import INDEX, execute, fill, halve_blocks, invalidate
from tests.postgres_server import wait_until

HINT = "chatdb search-index rebuild"


@pytest.fixture
def damaged_url(database_url: DatabaseUrl) -> DatabaseUrl:
    """A database with messages whose full-text index is damaged."""
    with Database.open(database_url) as database:
        fill(database)
    if database_url.path is None:
        invalidate(database_url)
    else:
        database_url.path.chmod(0o600)
        halve_blocks(database_url)
    return database_url


def test_every_check_tells_of_the_damage_and_one_command_mends_it(
    run: Any, damaged_url: DatabaseUrl
) -> None:
    env = {"DATABASE_URL": damaged_url.exposed()}
    status = run("search-index", "status", "--format", "json", env=env)
    checked = run("search-index", "check", env=env)
    schema = run("schema", "check", env=env)
    smoke = run("smoke-test", "--format", "json", env=env)
    doctor = findings(run, url=damaged_url)["search-index"]
    rebuilt = run("search-index", "rebuild", env=env)
    after = run("search-index", "check", env=env)

    assert (status.exit_code, checked.exit_code, schema.exit_code, smoke.exit_code) == (0, 1, 1, 1)
    assert json.loads(status.stdout)["state"] == "damaged"
    assert "is not intact" in checked.stdout
    for told in (status, checked, schema):
        assert HINT in told.stderr
    outcomes = {row["name"]: row["outcome"] for row in json.loads(smoke.stdout)}
    assert outcomes["search-index"] == "failed"
    assert (doctor["severity"], doctor["fix"]) == ("error", HINT)
    assert (rebuilt.exit_code, rebuilt.stdout) == (0, "")
    assert "built the search index" in rebuilt.stderr
    assert (after.exit_code, "is intact" in after.stdout) == (0, True)
    assert run("schema", "check", env=env).exit_code == 0
    assert findings(run, url=damaged_url)["search-index"]["severity"] == "ok"


def test_an_import_option_builds_a_damaged_index_too(run: Any, damaged_url: DatabaseUrl) -> None:
    env = {"DATABASE_URL": damaged_url.exposed()}

    first = run("import", "--build-search-index", env=env)
    second = run("import", "--build-search-index", env=env)

    assert "search index built" in first.stderr
    assert "already exists" in second.stderr
    assert run("search-index", "check", env=env).exit_code == 0


def test_the_doctor_mends_what_is_safe_after_asking(run: Any, damaged_url: DatabaseUrl) -> None:
    env = {"DATABASE_URL": damaged_url.exposed(), "PATH": "/nowhere"}
    if damaged_url.path is not None:
        damaged_url.path.chmod(0o644)

    refused = run("doctor", "--fix", env=env)
    with Database.open(damaged_url) as database:
        untouched = look_at_search_index(database).state
    mended = run("doctor", "--fix", "--yes", "--format", "json", env=env)
    again = run("doctor", "--fix", env=env)

    assert (refused.exit_code, untouched) == (6, "damaged")
    assert "search-index: rebuild the full-text index" in refused.stderr
    assert mended.exit_code == 0
    rows = {row["id"]: row["severity"] for row in json.loads(mended.stdout)}
    assert rows["search-index"] == "ok"
    assert "search-index: rebuilt the full-text index" in mended.stderr
    assert "nothing that --fix can fix" in again.stderr
    if damaged_url.path is not None:
        assert damaged_url.path.stat().st_mode & 0o777 == 0o600
        assert "file-rights: only its owner can access" in mended.stderr


def test_a_deep_look_compares_the_words(run: Any, sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        fill(database)
    ((trigger,),) = execute_as_another_program(
        sqlite_url, "SELECT sql FROM sqlite_master WHERE name = 'messages_search_update'"
    )
    execute(
        sqlite_url,
        "DROP TRIGGER messages_search_update",
        "UPDATE messages SET content = replace(content, 'word7', 'sword')",
        trigger,
    )

    assert findings(run, url=sqlite_url)["search-index"]["severity"] == "ok"
    assert findings(run, "--deep", url=sqlite_url)["search-index"]["severity"] == "error"


def test_a_backup_with_a_damaged_index_is_whole_with_a_warning(
    run: Any, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    with Database.open(sqlite_url) as database:
        fill(database)
    halve_blocks(sqlite_url)
    env = {"DATABASE_URL": sqlite_url.exposed(), "CHATDB_BACKUP_URL": str(tmp_path / "kept")}

    created = run("backup", "create", "--verify", env=env)
    verified = run("backup", "verify", "latest", "--format", "json", env=env)
    restored = run("backup", "verify", "latest", "--restore", env=env)

    assert (created.exit_code, verified.exit_code, restored.exit_code) == (0, 0, 0)
    for told in (created, verified, restored):
        assert "warning: the full-text index in it is not intact" in told.stderr
        assert HINT in told.stderr
    row = json.loads(verified.stdout)
    assert (row["passed"], row["problems"], len(row["warnings"])) == (True, [], 1)


def test_the_command_of_a_hint_names_the_same_database(run: Any, sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        fill(database)
    execute(sqlite_url, "DELETE FROM messages_search_data WHERE id = 10")

    answer = run("-d", sqlite_url.exposed(), "search", "common")

    assert answer.exit_code == 1
    assert f"chatdb -d {sqlite_url.exposed()} search-index rebuild" in answer.stderr


@pytest.mark.postgresql
def test_after_a_killed_rebuild_the_next_one_finishes(postgresql_url: DatabaseUrl) -> None:
    with Database.open(postgresql_url) as database:
        fill(database)
    execute(postgresql_url, f"DROP INDEX {INDEX}")
    environment = process_environment({"DATABASE_URL": postgresql_url.exposed()})
    line = command_line("search-index", "rebuild")
    with (
        connect_postgresql(postgresql_url) as writer,
        connect_postgresql(postgresql_url, autocommit=True) as seeing,
    ):
        writer.execute("UPDATE messages SET content = content")

        def is_building() -> bool:
            row = seeing.execute(
                "SELECT count(*) FROM pg_stat_progress_create_index"
                " WHERE datname = current_database() AND phase LIKE 'waiting%'"
            ).fetchone()
            return row is not None and bool(row[0])

        first = subprocess.Popen(line, env=environment)
        wait_until(is_building)
        first.send_signal(signal.SIGKILL)
        first.wait()
        left = findings_of(postgresql_url)
        # The server is still at the work of the first: the second waits for it.
        second = subprocess.Popen(line, env=environment, stderr=subprocess.PIPE, text=True)
        writer.rollback()
        _, said = second.communicate(timeout=120)

    assert left == ("the index ix_messages_search is being built",)
    assert second.returncode == 0, said
    assert findings_of(postgresql_url) == ()


@pytest.mark.postgresql
def test_two_rebuilds_at_once_both_end_well(postgresql_url: DatabaseUrl) -> None:
    with Database.open(postgresql_url) as database:
        fill(database)
    invalidate(postgresql_url)
    environment = process_environment({"DATABASE_URL": postgresql_url.exposed()})
    line = command_line("search-index", "rebuild")

    both = [subprocess.Popen(line, env=environment, stderr=subprocess.PIPE) for _ in range(2)]
    codes = [each.wait(120) for each in both]
    for each in both:
        assert each.stderr is not None
        each.stderr.close()

    assert codes == [os.EX_OK, os.EX_OK]
    assert findings_of(postgresql_url) == ()


def findings_of(url: DatabaseUrl) -> tuple[str, ...]:
    with Database.open(url) as database:
        return look_at_search_index(database).problems


def test_a_restore_tells_that_the_index_in_the_backup_is_damaged(
    run: Any, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    with Database.open(sqlite_url) as database:
        fill(database)
    halve_blocks(sqlite_url)
    env = {"DATABASE_URL": sqlite_url.exposed()}
    made = run("backup", "create", "--output", tmp_path / "backups", env=env)

    restored = run("restore", tmp_path / "backups" / "latest", "--yes", env=env)

    assert (made.exit_code, restored.exit_code) == (0, 0), restored.stderr
    assert "the full-text index in the backup is not intact" in restored.stderr
    assert HINT in restored.stderr
