"""What the schema's state is, what a plan tells, and how a new revision is written."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.migrating.revision import look
from chatdb.db.migrating.scripts import head_revision, scripts
from chatdb.db.url import DatabaseUrl
from chatdb.errors import SchemaMismatchError, UsageError
from chatdb.operations.schema.check import check
from chatdb.operations.schema.new import new_revision
from chatdb.operations.schema.plan import PlannedStatement, losses, plan_downgrade, plan_upgrade
from chatdb.operations.schema.schema import history, prepare_new_sqlite, require_current, status
from tests.migrations.conftest import ROOT, fill
from tests.postgres_server import PostgresServer

CHAIN = [script.revision for script in scripts()]


def execute(database: Database, *statements: str) -> None:
    with database.transaction(write=True) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_a_migrated_database_is_current(database: Database) -> None:
    require_current(database)

    answer = status(database)

    assert (answer.state, answer.revision, answer.pending) == ("current", head_revision(), ())
    assert answer.search_index == "present"
    assert "***" in answer.database or database.url.path
    assert answer.server_version


def test_an_empty_database_is_told_from_one_that_is_behind(
    empty_database_url: DatabaseUrl,
) -> None:
    with Database.open(empty_database_url, create=True) as database:
        assert status(database).state == "empty"
        assert not (database.url.path and database.url.path.exists())
        upgrade(database, revision=CHAIN[0])

        answer = status(database)

        assert (answer.state, answer.pending) == ("behind", tuple(CHAIN[1:]))
        with pytest.raises(SchemaMismatchError, match=f"at revision {CHAIN[0]}") as caught:
            require_current(database)
        assert caught.value.state == "behind"


@pytest.mark.parametrize(
    ("revision", "state"), [("9999", "ahead"), ("5d8533fcfb18", "unknown_revision")]
)
def test_a_revision_of_another_make_is_told(database: Database, revision: str, state: str) -> None:
    execute(database, f"UPDATE chatdb_version SET version_num = '{revision}'")

    assert status(database).state == state
    with pytest.raises(SchemaMismatchError) as caught:
        require_current(database)
    assert caught.value.state == state
    assert caught.value.hint


def test_a_version_table_of_another_shape_is_not_chatdbs(empty_database_url: DatabaseUrl) -> None:
    with Database.open(empty_database_url, create=True) as database:
        with database.engine.connect():
            pass
        execute(database, "CREATE TABLE chatdb_version (x int)", "CREATE TABLE messages (id int)")

        assert status(database).state == "not_chatdb"


def test_a_new_sqlite_file_is_prepared_once(tmp_path: Path) -> None:
    url = DatabaseUrl(dialect_name="sqlite", path=tmp_path / "folder" / "new.db")

    with Database.open(url, create=True) as database:
        assert prepare_new_sqlite(database)
        assert not prepare_new_sqlite(database)
        require_current(database)


def test_somebody_elses_sqlite_file_is_not_prepared(tmp_path: Path) -> None:
    path = tmp_path / "webui.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE chat (id)")

    with Database.open(DatabaseUrl(dialect_name="sqlite", path=path), create=True) as database:
        assert not prepare_new_sqlite(database)
        with pytest.raises(SchemaMismatchError) as caught:
            require_current(database)

    assert caught.value.state == "empty"


def test_history_tells_what_was_applied_when_and_from_which_script(
    empty_database_url: DatabaseUrl,
) -> None:
    with Database.open(empty_database_url, create=True) as database:
        upgrade(database, revision=CHAIN[1])
        execute(
            database,
            f"UPDATE chatdb_log SET sha256 = 'other' WHERE subject = '{CHAIN[1]}'",
        )

        entries = history(database)

    assert [(item.applied, item.checksum) for item in entries[:3]] == [
        (True, "ok"),
        (True, "changed"),
        (False, None),
    ]
    assert entries[0].applied_at is not None
    assert entries[2].applied_at is None


def test_a_plan_tells_statements_locks_and_sizes(database: Database) -> None:
    fill(database, conversations=2, messages=5)
    execute(database, *(["ANALYZE"] if database.dialect.name == "postgresql" else []))

    planned = plan_downgrade(database, CHAIN[1])

    dropped = [item for item in planned if "DROP TRIGGER messages_touch_insert" in item.statement]
    assert dropped[0].revision == CHAIN[2]
    if database.dialect.name == "postgresql":
        assert (dropped[0].lock, dropped[0].tables) == ("ACCESS EXCLUSIVE", ("messages",))
        assert dropped[0].rows == 10
        assert (dropped[0].bytes or 0) > 8192
    else:
        assert dropped[0].lock == "write lock of the file"
    assert look(database.url).state == "current"


def test_a_plan_of_a_missing_file_makes_none(tmp_path: Path) -> None:
    url = DatabaseUrl(dialect_name="sqlite", path=tmp_path / "folder" / "none.db")

    with Database.open(url) as database:
        planned = plan_upgrade(database)

    assert {item.revision for item in planned} == set(CHAIN)
    assert not url.sqlite_path.parent.exists()


def test_a_plan_is_what_then_runs(empty_postgresql_url: DatabaseUrl) -> None:
    with Database.open(empty_postgresql_url) as database:
        planned = plan_upgrade(database)
        with psycopg.connect(**empty_postgresql_url.libpq()) as connection:  # type: ignore[arg-type]
            for item in planned:
                connection.execute(item.statement.encode())

        assert check(database).differences == ()


def test_a_plan_and_a_check_need_only_the_right_to_read(
    empty_postgresql_url: DatabaseUrl, postgres: PostgresServer
) -> None:
    name = empty_postgresql_url.database
    role = f"reader_of_{name}"
    with Database.open(empty_postgresql_url) as owner:
        upgrade(owner, revision=CHAIN[1])
        postgres.execute(
            f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
            database=name,
        )
        try:
            reader_url = DatabaseUrl(
                dialect_name="postgresql",
                user=role,
                password="x",
                host=empty_postgresql_url.host,
                port=empty_postgresql_url.port,
                database=name,
            )
            with Database.open(reader_url) as reader:
                assert {item.revision for item in plan_upgrade(reader)} == set(CHAIN[2:])
                upgrade(owner)
                assert plan_upgrade(reader) == []
                assert check(reader).differences == ()
                assert status(reader).state == "current"
        finally:
            postgres.execute(f"DROP OWNED BY {role}", f"DROP ROLE {role}", database=name)


def test_losses_count_the_rows_that_go(database: Database) -> None:
    fill(database, conversations=2, messages=5)

    lost = losses(database, plan_downgrade(database, "base"))

    rows = {item.name: item.rows for item in lost if item.kind == "table"}
    assert rows["messages"] == 10
    assert rows["conversations"] == 2
    assert rows["organizations"] == 1


def planned(revision: str, statement: str) -> PlannedStatement:
    return PlannedStatement(revision, "", statement, "", (), None, None)


def test_a_view_that_a_revision_makes_again_is_not_lost(database: Database) -> None:
    lost = losses(
        database,
        [
            planned("0008", "ALTER VIEW app RENAME TO app_before"),
            planned("0008", "CREATE VIEW app AS SELECT 1"),
            planned("0008", "DROP VIEW app_before"),
            planned("0007", "DROP VIEW app"),
        ],
    )

    assert [(item.kind, item.name) for item in lost] == [("view", "app")]


def test_a_new_revision_is_written_from_the_difference(tmp_path: Path) -> None:
    """In a copy of the checkout, so that the real one stays as it is."""
    checkout = tmp_path / "checkout"
    for name in ("chatdb", "migrations"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", checkout)
    definition = checkout / "chatdb" / "db" / "schema.py"
    text = definition.read_text().replace(
        '    sa.Column("title", StoredText),\n',
        '    sa.Column("title", StoredText),\n    sa.Column("snoozed_at", UtcTime),\n'
        '    sa.Column("tags", CanonicalJson),\n    sa.Column("folder_id", HyphenUuid),\n'
        '    sa.Column("folder", StoredText),\n',
        1,
    )
    definition.write_text(text)

    done = run_module("chatdb", "schema", "new", "Add tags", folder=checkout)

    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.strip())
    number = f"{int(head_revision()) + 1:04d}"
    assert path.name == f"{number}_add_tags.py"
    written = path.read_text()
    assert "chatdb" not in written
    for word in ("snoozed_at", "tags", "folder_id", 'with_variant(sa.Text(), "sqlite")'):
        assert word in written
    for word in ("messages", "rid", "drop_table", "create_index", "drop_index"):
        assert word not in written
    for words in (["format", "--check"], ["check"]):
        config = ["--config", str(ROOT / "pyproject.toml")]
        checked = run_module("ruff", *words, *config, str(path), folder=checkout)
        assert checked.returncode == 0, checked.stdout
    target = f"sqlite:///{tmp_path}/new.db"
    migrated = run_module("chatdb", "migrate", "--format=json", "-d", target, folder=checkout)
    assert json.loads(migrated.stdout)[-1]["revision"] == number


def run_module(name: str, *words: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Run a module of this environment, chatdb's own code from the folder."""
    return subprocess.run(
        [sys.executable, "-m", name, *words],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": os.environ["PATH"]},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_a_title_without_words_is_refused() -> None:
    with pytest.raises(UsageError):
        new_revision(" 12 ")
