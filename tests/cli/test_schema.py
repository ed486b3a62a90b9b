"""`chatdb schema ...` as an operator types it."""

import json
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.migrating.scripts import head_revision, scripts
from chatdb.db.url import DatabaseUrl
from tests.cli.conftest import Run
from tests.migrations.conftest import fill

CHAIN = [script.revision for script in scripts()]
Invoke = Callable[..., Any]


def at(url: DatabaseUrl) -> dict[str, str]:
    return {"DATABASE_URL": url.exposed()}


def execute(url: DatabaseUrl, *statements: str) -> None:
    with Database.open(url) as database, database.transaction(write=True) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_status_exits_with_0_when_current_and_4_otherwise(
    run: Invoke, empty_database_url: DatabaseUrl
) -> None:
    environment = at(empty_database_url)

    def state() -> tuple[str, int]:
        answer = run("schema", "status", "--exit-code", "--format=json", env=environment)
        return json.loads(answer.stdout)["state"], answer.exit_code

    if empty_database_url.path is None:
        assert state() == ("empty", 4)
    run("migrate", CHAIN[0], env=environment)
    assert state() == ("behind", 4)
    run("migrate", env=environment)
    assert state() == ("current", 0)
    execute(empty_database_url, "UPDATE chatdb_version SET version_num = '9999'")
    assert state() == ("ahead", 4)
    execute(empty_database_url, "UPDATE chatdb_version SET version_num = 'abc'")
    assert state() == ("unknown_revision", 4)
    execute(empty_database_url, "DROP TABLE chatdb_version")
    assert state() == ("not_chatdb", 4)
    assert run("schema", "status", env=environment).exit_code == 0


def test_history_lists_every_revision(run: Invoke, database_url: DatabaseUrl) -> None:
    rows = json.loads(run("schema", "history", "--format=json", env=at(database_url)).stdout)

    assert [row["revision"] for row in rows] == CHAIN
    assert {row["checksum"] for row in rows} == {"ok"}


def test_check_exits_with_0_1_or_4(run: Invoke, database_url: DatabaseUrl) -> None:
    whole = run("schema", "check", env=at(database_url))
    execute(database_url, "DROP INDEX ix_messages_created_at")
    broken = run("schema", "check", "--format", "json", env=at(database_url))
    run("schema", "downgrade", CHAIN[1], "--yes", "--no-keep", env=at(database_url))
    behind = run("schema", "check", env=at(database_url))

    assert (whole.exit_code, broken.exit_code, behind.exit_code) == (0, 1, 4)
    assert whole.stdout.startswith("no differences")
    [row] = json.loads(broken.stdout)
    assert (row["problem"], row["kind"], row["name"]) == (
        "missing",
        "index",
        "ix_messages_created_at",
    )
    assert "1 difference from the newest revision" in broken.stderr


def test_dump_writes_a_file_or_to_stdout(
    run: Invoke, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    target = tmp_path / "schema.sql"

    shown = run("schema", "dump", env=at(database_url))
    written = run("schema", "dump", "--output", str(target), env=at(database_url))

    assert written.exit_code == 0
    assert target.read_text() == shown.stdout
    assert "CREATE TABLE" in shown.stdout
    assert head_revision() in shown.stdout
    assert list(tmp_path.glob("*.partial")) == []


def test_dump_writes_into_a_pipe_and_leaves_it_there(
    run: Invoke, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as reader:
        text = reader.submit(pipe.read_text)
        done = run("schema", "dump", "--output", str(pipe), env=at(sqlite_url))

        assert done.exit_code == 0
        assert "CREATE TABLE" in text.result(timeout=20)
    assert pipe.is_fifo()


def test_a_downgrade_says_what_goes_and_wants_a_yes(run: Invoke, database_url: DatabaseUrl) -> None:
    with Database.open(database_url) as database:
        fill(database, conversations=2, messages=3)

    dry = run("schema", "downgrade", "base", "--dry-run", "--format=json", env=at(database_url))
    refused = run("schema", "downgrade", "base", env=at(database_url))

    rows = {row["name"]: row["rows"] for row in json.loads(dry.stdout)}
    assert rows["messages"] == 6
    assert refused.exit_code == 6
    assert "table messages with 6 rows" in refused.stderr
    expected = "none of it is kept" if database_url.path is None else "a copy of the file is kept"
    assert expected in refused.stderr
    status = run("schema", "status", "--format=json", env=at(database_url))
    assert json.loads(status.stdout)["state"] == "current"


def test_a_downgrade_keeps_a_copy_of_a_sqlite_file(run: Invoke, sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        fill(database, conversations=2, messages=3)

    answer = run("schema", "downgrade", CHAIN[0], "--yes", env=at(sqlite_url))

    assert answer.exit_code == 0
    [copy] = sqlite_url.sqlite_path.parent.glob("*.before_*.db")
    assert f"mv {copy} {sqlite_url.sqlite_path}" in answer.stderr
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (6,)


def test_a_downgrade_to_where_it_is_does_nothing(run: Invoke, database_url: DatabaseUrl) -> None:
    answer = run("schema", "downgrade", head_revision(), "--format=json", env=at(database_url))

    assert (answer.exit_code, json.loads(answer.stdout)) == (0, [])


def test_a_downgrade_to_an_unknown_revision_is_not_found(
    run: Invoke, database_url: DatabaseUrl
) -> None:
    assert run("schema", "downgrade", "0815", "--yes", env=at(database_url)).exit_code == 5


def test_new_is_refused_in_an_installed_chatdb(tmp_path: Path, run_process: Run) -> None:
    import shutil

    root = Path(__file__).resolve().parents[2]
    shutil.copytree(root / "chatdb", tmp_path / "site" / "chatdb")
    shutil.copytree(root / "migrations", tmp_path / "site" / "chatdb" / "_migrations")

    answer = run_process("schema", "new", "add tags", env={"PYTHONPATH": str(tmp_path / "site")})

    assert answer.exit_code == 6
    assert "source checkout" in answer.stderr


@pytest.mark.parametrize("words", [["status"], ["history"], ["check"], ["dump"]])
def test_looking_never_makes_a_file(run: Invoke, tmp_path: Path, words: list[str]) -> None:
    path = tmp_path / "none" / "none.db"

    answer = run("schema", *words, "-d", str(path))

    assert answer.exit_code == 5
    assert not path.parent.exists()
