"""`chatdb migrate` as an operator types it."""

import json
import os
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.migrating.scripts import head_revision, migrations_directory, scripts
from chatdb.db.url import DatabaseUrl
from tests.cli.conftest import Run
from tests.postgres_server import PostgresServer
from tests.small_disk import small_disk

CHAIN = [script.revision for script in scripts()]
Invoke = Callable[..., Any]


def at(url: DatabaseUrl) -> dict[str, str]:
    return {"DATABASE_URL": url.exposed()}


def test_it_says_a_line_for_each_revision_and_then_has_nothing_to_do(
    run: Invoke, empty_database_url: DatabaseUrl
) -> None:
    first = run("migrate", env=at(empty_database_url))
    second = run("migrate", env=at(empty_database_url))

    assert first.exit_code == 0
    lines = first.stdout.splitlines()
    assert [line.split(" in ")[0] for line in lines] == [f"applied {name}" for name in CHAIN]
    assert second.exit_code == 0
    assert second.stdout.startswith("nothing to do: ")
    assert "p%@" not in first.stdout + first.stderr + second.stdout + second.stderr


def test_its_json_lists_the_revisions(run: Invoke, empty_database_url: DatabaseUrl) -> None:
    first = run("migrate", "--format", "json", env=at(empty_database_url))
    second = run("migrate", "--format", "json", env=at(empty_database_url))

    assert [item["revision"] for item in json.loads(first.stdout)] == CHAIN
    assert {item["direction"] for item in json.loads(first.stdout)} == {"up"}
    assert json.loads(second.stdout) == []


def test_a_named_revision_is_gone_up_to_but_not_down(
    run: Invoke, empty_database_url: DatabaseUrl
) -> None:
    assert run("migrate", "0002", env=at(empty_database_url)).exit_code == 0

    older = run("migrate", "0001", env=at(empty_database_url))
    none = run("migrate", "0815", env=at(empty_database_url))

    assert older.exit_code == 2
    assert "chatdb schema downgrade 0001" in older.stderr
    assert none.exit_code == 5
    assert "chatdb schema history" in none.stderr


def test_a_plan_prints_sql_and_writes_nothing(run: Invoke, empty_database_url: DatabaseUrl) -> None:
    answer = run("migrate", "--plan", env=at(empty_database_url))

    assert answer.exit_code == 0
    assert f"-- revision {CHAIN[0]}: " in answer.stdout
    assert "-- lock: " in answer.stdout
    assert "CREATE TABLE messages (" in answer.stdout
    assert not (empty_database_url.path and empty_database_url.path.exists())
    if empty_database_url.path is None:
        status = run("schema", "status", "--format", "json", env=at(empty_database_url))
        assert json.loads(status.stdout)["state"] == "empty"


def test_a_plan_as_json_has_a_row_a_statement(run: Invoke, empty_database_url: DatabaseUrl) -> None:
    run("migrate", CHAIN[0], env=at(empty_database_url))

    rows = json.loads(run("migrate", "--plan", "--format=json", env=at(empty_database_url)).stdout)

    assert list(dict.fromkeys(row["revision"] for row in rows)) == CHAIN[1:]
    assert all(row["statement"] and row["lock"] for row in rows)
    touched = [row for row in rows if row["tables"] == ["messages"]]
    assert touched
    assert all(row["bytes"] is not None for row in touched)


def test_a_plan_of_a_file_that_cannot_be_written(run_process: Run, tmp_path: Path) -> None:
    """As another user: root may write anything."""
    path = tmp_path / "chatdb.db"
    assert run_process("migrate", CHAIN[0], "-d", str(path)).exit_code == 0
    before = path.read_bytes()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA query_only = ON")
    path.chmod(0o444)

    answer = run_process("migrate", "--plan", "-d", str(path))

    assert answer.exit_code == 0, answer.stderr
    assert "CREATE TRIGGER" in answer.stdout
    assert path.read_bytes() == before


def test_a_mistyped_parameter_of_the_url_is_a_configuration_error(
    run: Invoke, postgresql_url: DatabaseUrl
) -> None:
    url = replace(postgresql_url, parameters=(("sslmod", "require"),))

    for words in (["migrate"], ["migrate", "--wait", "5"], ["conversations", "list"]):
        answer = run(*words, "-d", url.exposed())
        assert (answer.exit_code, "sslmod" in answer.stderr) == (2, True)


@pytest.mark.parametrize(
    ("columns", "system"),
    [
        (
            {
                "conversations": ["id uuid", "title", "userid", "createdat", "updatedat"],
                "messages": [
                    *("id uuid", "conversationid", "role", "content", "reasoning"),
                    *("functioncalls", "functionoutputs", "createdat"),
                ],
            },
            "ChatMCP",
        ),
        (
            {
                "organizations": ["id", "key", "name"],
                "conversations": [
                    *("id", '"orgId"', '"createdAt" timestamp', '"updatedAt"'),
                    '"messageCount" integer',
                ],
                "messages": [
                    *("id", '"conversationId"', '"orgId"', "role", "content", '"timestamp"'),
                ],
            },
            "Helvino",
        ),
        (
            {
                "messages": ["id", "chat_id uuid", "type", "content"],
                "chats": ["id uuid", "title", "repository_full_name", "quiet_mode boolean"],
            },
            "Relay",
        ),
        ({"messages": ["id", "body"]}, "their origin is unknown"),
    ],
)
def test_tables_of_another_program_are_refused(
    run: Invoke, empty_database_url: DatabaseUrl, columns: dict[str, list[str]], system: str
) -> None:
    create_tables(empty_database_url, columns)

    for words in (["migrate"], ["migrate", "--plan"]):
        answer = run(*words, env=at(empty_database_url))

        assert answer.exit_code == 6
        assert system in answer.stderr
        assert "chatdb import" in answer.stderr
        expected = "--schema" if empty_database_url.path is None else "--database-url"
        assert expected in answer.stderr


def create_tables(url: DatabaseUrl, columns: dict[str, list[str]]) -> None:
    from chatdb.db.database import Database

    with (
        Database.open(url, create=True) as database,
        database.transaction(write=True) as connection,
    ):
        for table, names in columns.items():
            text = ", ".join(name if " " in name else f"{name} text" for name in names)
            connection.exec_driver_sql(f"CREATE TABLE {table} ({text})")


def test_a_schema_of_its_own_is_made_beside_the_application(
    run: Invoke, empty_postgresql_url: DatabaseUrl
) -> None:
    create_tables(empty_postgresql_url, {"messages": ["id", "body"]})

    answer = run("migrate", "--schema", "chatdb", env=at(empty_postgresql_url))

    assert answer.exit_code == 0, answer.stderr
    status = run(
        "schema", "status", "--schema", "chatdb", "--format=json", env=at(empty_postgresql_url)
    )
    assert json.loads(status.stdout)["state"] == "current"
    check = run("schema", "check", "--schema", "chatdb", env=at(empty_postgresql_url))
    assert check.exit_code == 0, check.stdout


def test_a_database_of_a_newer_chatdb_is_left_alone(run: Invoke, database_url: DatabaseUrl) -> None:
    from chatdb.db.database import Database

    with (
        Database.open(database_url) as database,
        database.transaction(write=True) as connection,
    ):
        connection.exec_driver_sql("UPDATE chatdb_version SET version_num = '9999'")

    answer = run("migrate", "--format", "json", env=at(database_url))

    assert answer.exit_code == 4
    assert json.loads(answer.stderr)["error"]["state"] == "ahead"


def test_waiting_ends_with_the_reason(run: Invoke) -> None:
    started = time.monotonic()

    answer = run("migrate", "--wait", "1", "-d", "postgresql://me:geheim@127.0.0.1:1/none")

    assert answer.exit_code == 3
    assert "did not answer within 1 s" in answer.stderr
    assert "nothing listens at 127.0.0.1:1" in answer.stderr
    assert "geheim" not in answer.stderr
    assert time.monotonic() - started < 10


def test_waiting_goes_on_until_the_database_is_there(run: Invoke, postgres: PostgresServer) -> None:
    name = f"late_{os.getpid()}"
    timer = threading.Timer(0.7, lambda: postgres.execute(f"CREATE DATABASE {name}"))
    timer.start()
    try:
        answer = run("migrate", "--wait", "30", env=at(postgres.url(name)))
    finally:
        timer.join()
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")

    assert answer.exit_code == 0, answer.stderr
    assert f"has no database {name}" in answer.stderr
    assert f"applied {head_revision()}" in answer.stdout


def test_no_room_for_the_copy_stops_it_before_anything_changes(
    run_process: Run, tmp_path: Path
) -> None:
    with small_disk(tmp_path / "small", 12) as folder:
        path = folder / "chatdb.db"
        assert run_process("migrate", CHAIN[1], "-d", str(path)).exit_code == 0

        answer = run_process("migrate", "-d", str(path))

        assert answer.exit_code == 1
        assert "not enough space for the copy" in answer.stderr
        status = run_process("schema", "status", "--format=json", "-d", str(path))
        assert json.loads(status.stdout)["revision"] == CHAIN[1]


def test_nothing_to_do_loads_neither_sqlalchemy_nor_alembic(
    run_process: Run, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import atexit, sys\n"
        "def tell():\n"
        "    for name in ('sqlalchemy', 'alembic'):\n"
        "        if name in sys.modules:\n"
        "            sys.stderr.write('loaded ' + name)\n"
        "atexit.register(tell)\n"
    )
    root = Path(__file__).resolve().parents[2]

    answer = run_process(
        "migrate", env={**at(database_url), "PYTHONPATH": f"{tmp_path}{os.pathsep}{root}"}
    )

    assert answer.exit_code == 0
    assert answer.stderr == ""


def test_a_failed_revision_exits_with_1_and_names_the_copy(
    tmp_path: Path, run_process: Run
) -> None:
    """In a copy of the checkout with one revision more."""
    root = Path(__file__).resolve().parents[2]
    checkout = tmp_path / "checkout"
    for name in ("chatdb", "migrations"):
        shutil.copytree(root / name, checkout / name)
    number = f"{int(head_revision()) + 1:04d}"
    (checkout / "migrations" / "versions" / f"{number}_fail.py").write_text(
        '"""Fail."""\n\nfrom alembic import op\n\n'
        f'revision = "{number}"\ndown_revision = "{head_revision()}"\n'
        "branch_labels = None\ndepends_on = None\n\n\n"
        'def upgrade() -> None:\n    op.execute("DROP TABLE no_such_table")\n\n\n'
        "def downgrade() -> None:\n    pass\n"
    )
    path = tmp_path / "chatdb.db"
    assert run_process("migrate", "-d", str(path)).exit_code == 0

    answer = run_process("migrate", "-d", str(path), env={"PYTHONPATH": str(checkout)})

    assert answer.exit_code == 1
    assert f"revision {number} failed and was rolled back: no such table" in answer.stderr
    assert "DROP TABLE no_such_table" in answer.stderr
    [copy] = tmp_path.glob("*.before_*.db")
    assert str(copy) in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_reader_that_goes_away_does_not_stop_it(tmp_path: Path, run_process: Run) -> None:
    path = tmp_path / "chatdb.db"
    read_end, write_end = os.pipe()
    os.close(read_end)
    try:
        run_process("migrate", "-d", str(path), env={"PYTHONUNBUFFERED": "1"}, stdout=write_end)
    finally:
        os.close(write_end)

    status = run_process("schema", "status", "--format=json", "-d", str(path))
    assert json.loads(status.stdout)["state"] == "current"


def test_the_scripts_of_this_checkout_are_those_that_run() -> None:
    assert scripts()[0].path.parent == migrations_directory() / "versions"
