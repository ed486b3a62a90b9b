"""`chatdb dev-db checkpoint` and `reset`: copies made and brought back, nobody cut off unsaid."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.postgresql.server_databases import Server
from chatdb.db.url import DatabaseUrl
from chatdb.operations.dev_db import checkpoints
from tests.cli.conftest import command_line, process_environment
from tests.cli.dev_projects import Run, project_folder
from tests.postgres_server import TEMPLATE, PostgresServer, wait_until

pytestmark = pytest.mark.large

CHECKPOINT = ("dev-db", "checkpoint")


@pytest.fixture
def url(postgres: PostgresServer) -> Iterator[DatabaseUrl]:
    """A migrated database on the tests' server; its checkpoints are gone afterwards."""
    with postgres.new_database(template=TEMPLATE) as url:
        yield url
        for checkpoint in checkpoints.list_checkpoints(url):
            checkpoints.delete(url, checkpoint.name)


@pytest.fixture
def checkpoint(run: Run, url: DatabaseUrl) -> Run:
    """Run a checkpoint command on this database."""
    return lambda *words: run(*CHECKPOINT, *words, "--database-url", url.exposed())


def execute(url: DatabaseUrl, *statements: str) -> Any:
    """Run statements; return the rows of the last."""
    with closing(connect_postgresql(url, autocommit=True)) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else None


def names(checkpoint: Run) -> list[str]:
    """Return the checkpoints' names in their order."""
    return [row["name"] for row in json.loads(checkpoint("list", "--format", "json").stdout)]


def test_a_checkpoint_brings_back_what_was(checkpoint: Run, url: DatabaseUrl) -> None:
    execute(url, "CREATE TABLE mine AS SELECT 1 AS n")

    saved = checkpoint("save", "one")
    execute(url, "UPDATE mine SET n = 2")
    restored = checkpoint("restore", "one", "--yes")

    assert (saved.exit_code, restored.exit_code) == (0, 0)
    assert f"chatdb -d '{url.redacted()}' dev-db checkpoint restore one" in saved.stderr
    assert execute(url, "SELECT n FROM mine") == [(1,)]


def test_a_restore_can_be_undone_by_the_command_it_prints(
    checkpoint: Run, url: DatabaseUrl
) -> None:
    execute(url, "CREATE TABLE mine AS SELECT 1 AS n")
    checkpoint("save", "one")
    execute(url, "UPDATE mine SET n = 2")
    restored = checkpoint("restore", "one", "--yes")

    undo = restored.stderr.split("dev-db checkpoint restore ")[1].split()[0]
    assert undo.startswith("before-restore-")
    assert checkpoint("restore", undo, "--yes").exit_code == 0

    assert execute(url, "SELECT n FROM mine") == [(2,)]
    assert names(checkpoint)[:2] == ["one", undo]


def test_a_checkpoint_knows_its_time_size_and_revision(checkpoint: Run, url: DatabaseUrl) -> None:
    saved = json.loads(checkpoint("save", "one", "--format", "json").stdout)

    listed = json.loads(checkpoint("list", "--format", "json").stdout)

    assert listed == [saved]
    assert saved["revision"] is not None
    assert saved["bytes"] > 1_000_000
    assert saved["of"] == url.database
    assert saved["made_at"].startswith("20")


def test_who_is_connected_is_named_and_left_connected(checkpoint: Run, url: DatabaseUrl) -> None:
    with closing(
        connect_postgresql(url, application_name="my application", autocommit=True)
    ) as session:
        refused = checkpoint("save", "one")

        assert refused.exit_code == 6
        assert f"pid {session.info.backend_pid}: my application of chatdb" in refused.stderr
        assert ", since 20" in refused.stderr
        assert "--force" in refused.stderr
        assert session.execute("SELECT 1").fetchone() == (1,)
    assert names(checkpoint) == []


def test_a_restore_names_who_is_connected_and_changes_nothing(
    checkpoint: Run, url: DatabaseUrl
) -> None:
    checkpoint("save", "one")
    execute(url, "CREATE TABLE mine AS SELECT 1 AS n")
    with closing(connect_postgresql(url, application_name="busy", autocommit=True)) as session:
        refused = checkpoint("restore", "one", "--yes")

        assert refused.exit_code == 6
        assert "busy" in refused.stderr
        assert session.execute("SELECT n FROM mine").fetchone() == (1,)
    assert names(checkpoint) == ["one"]


def test_force_ends_the_sessions_and_goes_on(checkpoint: Run, url: DatabaseUrl) -> None:
    checkpoint("save", "one")
    with closing(connect_postgresql(url, autocommit=True)):
        assert checkpoint("restore", "one", "--yes", "--force").exit_code == 0
    with closing(connect_postgresql(url, autocommit=True)):
        assert checkpoint("save", "two", "--force").exit_code == 0

    assert {"one", "two"} < set(names(checkpoint))


def test_nobody_can_write_into_a_checkpoint(checkpoint: Run, url: DatabaseUrl) -> None:
    checkpoint("save", "one")
    found = checkpoints.find_checkpoint(url, "one")

    with pytest.raises(Exception, match="not currently accepting connections"):
        execute(url.with_database(found.database), "SELECT 1")


def test_restoring_and_deleting_are_asked_for(checkpoint: Run) -> None:
    checkpoint("save", "one")

    for words in (("restore", "one"), ("delete", "one")):
        refused = checkpoint(*words)
        assert refused.exit_code == 6
        assert "the checkpoint one of 20" in refused.stderr
        assert "***" in refused.stderr
    assert names(checkpoint) == ["one"]

    assert checkpoint("delete", "one", "--yes").exit_code == 0
    assert names(checkpoint) == []


def test_a_dry_run_names_what_would_go_and_keeps_it(checkpoint: Run, url: DatabaseUrl) -> None:
    saved = json.loads(checkpoint("save", "one", "--format", "json").stdout)
    execute(url, "CREATE TABLE mine AS SELECT 1 AS n")

    replaced = checkpoint("restore", "one", "--dry-run")
    removed = checkpoint("delete", "one", "--dry-run", "--format", "json")

    assert replaced.stdout.startswith("This would be replaced:\n  postgresql://chatdb:***@")
    assert "\n  by the checkpoint one of 20" in replaced.stdout
    assert json.loads(removed.stdout) == saved
    assert names(checkpoint) == ["one"]
    assert execute(url, "SELECT n FROM mine") == [(1,)]


def test_on_production_restoring_and_deleting_want_the_databases_name(
    run: Run, checkpoint: Run, url: DatabaseUrl
) -> None:
    checkpoint("save", "one")
    checkpoint("save", "two")
    run("environment", "set", "production", "-d", url.exposed())

    for words in (("delete", "two"), ("restore", "one")):
        refused = checkpoint(*words, "--yes")
        assert refused.exit_code == 6
        assert f"add --confirm {url.database} to go ahead" in refused.stderr
        assert checkpoint(*words, "--yes", "--confirm", url.database).exit_code == 0
    shown = run("environment", "show", "-d", url.exposed(), "--format", "json").stdout
    assert json.loads(shown)["environment"] == "production"


def test_a_name_is_used_once(checkpoint: Run) -> None:
    checkpoint("save", "one")

    again = checkpoint("save", "one")

    assert again.exit_code == 6
    assert "dev-db checkpoint delete one\n" in again.stderr


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", 'a"b', "x" * 41, "a\nb"])
def test_names_that_cannot_be_are_refused(checkpoint: Run, name: str) -> None:
    assert checkpoint("save", "--", name).exit_code == 2


def test_an_unknown_name_tells_those_there_are(checkpoint: Run) -> None:
    checkpoint("save", "one")

    for words in (("restore", "two", "--yes"), ("delete", "two", "--yes")):
        result = checkpoint(*words)
        assert result.exit_code == 5
        assert "hint: existing ones: one" in result.stderr


def test_long_names_do_not_collide(postgres: PostgresServer, url: DatabaseUrl) -> None:
    long = url.with_database("long_" + "x" * 55)
    postgres.execute(f'CREATE DATABASE "{long.database}"')
    try:
        for name in ("the-same-beginning-1", "the-same-beginning-2"):
            checkpoints.save(long, name, note=lambda _: None)
        found = checkpoints.list_checkpoints(long)
        assert [item.name for item in found] == ["the-same-beginning-1", "the-same-beginning-2"]
        for item in found:
            checkpoints.delete(long, item.name)
    finally:
        postgres.execute(f'DROP DATABASE "{long.database}"')


def test_checkpoints_of_another_database_are_not_seen(
    checkpoint: Run, postgres: PostgresServer
) -> None:
    checkpoint("save", "one")

    with postgres.new_database() as other:
        assert checkpoints.list_checkpoints(other) == []


def test_a_direct_address_that_was_not_typed_is_another_databases(
    run: Run, checkpoint: Run, postgres: PostgresServer, url: DatabaseUrl
) -> None:
    with postgres.new_database() as other:
        address = {"CHATDB_DIRECT_URL": other.exposed()}
        words = (*CHECKPOINT, "save", "one", "--database-url", url.exposed())

        assert run(*words, env=address).exit_code == 0
        assert checkpoints.list_checkpoints(other) == []
    assert names(checkpoint) == ["one"]


def test_a_copy_that_was_broken_off_is_cleared_away(
    checkpoint: Run, postgres: PostgresServer, url: DatabaseUrl
) -> None:
    left = checkpoints._making(url.database)
    postgres.execute(f'CREATE DATABASE "{left}"')

    saved = checkpoint("save", "one")

    assert f"removing {left}, left by an interrupted chatdb" in saved.stderr
    rows = execute(url, "SELECT datname::text FROM pg_database")
    assert (left,) not in rows


def test_a_restore_works_when_the_database_is_gone(
    checkpoint: Run, postgres: PostgresServer, url: DatabaseUrl
) -> None:
    execute(url, "CREATE TABLE mine AS SELECT 1 AS n")
    checkpoint("save", "one")
    postgres.execute(f"DROP DATABASE {url.database}")

    restored = checkpoint("restore", "one", "--yes")

    assert restored.exit_code == 0
    assert execute(url, "SELECT n FROM mine") == [(1,)]


def test_a_user_who_may_only_create_databases_can_use_them(
    checkpoint: Run, postgres: PostgresServer, url: DatabaseUrl, run: Run
) -> None:
    role = f"limited_{url.database}"
    postgres.execute(f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'x'")
    postgres.execute(f"ALTER DATABASE {url.database} OWNER TO {role}")
    try:
        limited = DatabaseUrl(
            dialect_name="postgresql",
            user=role,
            password="x",
            host=url.host,
            port=url.port,
            database=url.database,
        )
        at = ("--database-url", limited.exposed())
        assert run(*CHECKPOINT, "save", "one", *at).exit_code == 0
        # It may not read the label.
        confirmed = ("--yes", "--confirm", url.database)
        assert run(*CHECKPOINT, "restore", "one", *confirmed, *at).exit_code == 0
        assert names(checkpoint)[0] == "one"
    finally:
        for item in checkpoints.list_checkpoints(url):
            checkpoints.delete(url, item.name)
        postgres.execute(f"ALTER DATABASE {url.database} OWNER TO chatdb", f"DROP ROLE {role}")


def test_sqlite_has_none(run: Run, sqlite_url: DatabaseUrl) -> None:
    result = run(*CHECKPOINT, "list", "-d", sqlite_url.exposed())

    assert result.exit_code == 2
    assert ".backup" in result.stderr


def test_reset_begins_afresh_and_prints_the_way_back(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with project_folder(monkeypatch):
        run("dev-db", "up", "--engine", "embedded", "--migrate", "--write-env")
        at = DatabaseUrl(
            dialect_name="postgresql",
            user="chatdb",
            password="chatdb",
            host="127.0.0.1",
            port=os.environ["CHATDB_DEV_PORT"],
            database="chatdb_dev",
        )
        execute(at, "CREATE TABLE mine AS SELECT 1 AS n")

        ahead = run("dev-db", "reset", "--dry-run", "--seed")
        assert "  by one with made-up chats\n  (the current database is kept" in ahead.stdout
        report = json.loads(run("dev-db", "reset", "--dry-run", "--format", "json").stdout)
        assert (report["outcome"], report["database"]) == ("running", "chatdb_dev")

        refused = run("dev-db", "reset")
        assert refused.exit_code == 6
        assert execute(at, "SELECT n FROM mine") == [(1,)]

        with closing(connect_postgresql(at, application_name="busy", autocommit=True)):
            refused = run("dev-db", "reset", "--yes")
            assert refused.exit_code == 6
            assert "busy of chatdb" in refused.stderr

        done = run("dev-db", "reset", "--yes", "--seed")
        assert done.exit_code == 0
        assert "is migrated" in done.stdout
        assert done.stderr.index("made-up conversation") < done.stderr.index("to restore it")
        assert execute(at, "SELECT count(*) > 0 FROM messages") == [(True,)]
        assert execute(at, "SELECT to_regclass('mine')::text") == [(None,)]
        assert run("schema", "status", "--exit-code").exit_code == 0

        back = done.stderr.split("dev-db checkpoint restore ")[1].split()[0]
        assert run(*CHECKPOINT, "restore", back, "--yes").exit_code == 0
        assert execute(at, "SELECT n FROM mine") == [(1,)]
        assert Path(".env").exists()


def test_two_at_once_do_not_meet(checkpoint: Run, url: DatabaseUrl) -> None:
    with Server.open(url) as server, server.exclusive(url.database):
        result = checkpoint("save", "one")

    assert result.exit_code == 1
    assert "another chatdb is replacing or copying" in result.stderr
    assert checkpoint("save", "one").exit_code == 0


def test_a_restore_that_is_killed_leaves_one_database_or_the_other_whole(
    checkpoint: Run, url: DatabaseUrl
) -> None:
    execute(url, "CREATE TABLE mine AS SELECT 1 AS n")
    checkpoint("save", "one")
    execute(url, "UPDATE mine SET n = 2")
    words = command_line(*CHECKPOINT, "restore", "one", "--yes", "-d", url.exposed())
    making = "SELECT datname FROM pg_database WHERE datname LIKE 'chatdb_making_%'"
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=process_environment()
    ) as process:
        beside = url.with_database("postgres")
        copying = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE \"chatdb_ma%'"
        wait_until(lambda: execute(beside, copying) or process.poll() is not None)
        process.send_signal(signal.SIGKILL)

    assert execute(url, "SELECT n FROM mine") in ([(1,)], [(2,)])
    # The server goes on with what the killed process asked for; the next restore removes it.
    wait_until(lambda: not execute(beside, copying))
    wait_until(lambda: checkpoint("restore", "one", "--yes").exit_code == 0)
    assert execute(url, "SELECT n FROM mine") == [(1,)]
    # Other workers make databases on this server too, and remove them.
    wait_until(lambda: execute(url, making) == [])
