"""Migrating through PgBouncer in transaction mode, where it is installed."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chatdb.db.database import Database
from chatdb.db.migrating.migrations import POOLED, upgrade
from chatdb.db.migrating.scripts import scripts
from chatdb.db.url import DatabaseUrl
from chatdb.operations.schema.check import check
from chatdb.operations.searching.search_index import look_at_search_index, rebuild_search_index
from tests import postgres_server
from tests.cli.test_doctor import findings
from tests.db.test_session_settings import answers as answers_of
from tests.db.test_session_settings import answers_of_a_file, write_chats
from tests.migrations.conftest import Listener, start_migrator
from tests.operations.export_rows import every_shape, fill, insert
from tests.operations.index_damage import INDEX, Told, execute
from tests.operations.test_exports import exported
from tests.postgres_server import PostgresServer, wait_until
from tests.programs import program


@pytest.fixture
def pooled_url(
    empty_postgresql_url: DatabaseUrl, postgres: PostgresServer
) -> Iterator[DatabaseUrl]:
    """The empty database behind a pooler of this test's own."""
    program("pgbouncer")
    name, port = empty_postgresql_url.database, postgres_server._free_port()
    role = f"pooled_{name}"
    postgres.execute(f"CREATE ROLE {role} LOGIN SUPERUSER PASSWORD 'abc'")
    folder = postgres.folder / role
    folder.mkdir()
    (folder / "users").write_text(f'"{role}" "abc"\n')
    (folder / "ini").write_text(
        f"[databases]\n{name} = host=127.0.0.1 port={postgres.port}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = plain\nauth_file = {folder / 'users'}\npool_mode = transaction\n"
    )
    url = replace(empty_postgresql_url, user=role, password="abc", port=str(port))
    process = start_pooler(folder)
    try:
        wait_until(lambda: answers(url))
        yield url
    finally:
        process.terminate()
        process.wait(10)
        postgres.execute(f"REASSIGN OWNED BY {role} TO chatdb", f"DROP ROLE {role}", database=name)


def start_pooler(folder: Path) -> "subprocess.Popen[bytes]":
    account = postgres_server._server_account()
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(
            [program("pgbouncer"), str(folder / "ini")],
            stderr=log,
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
            extra_groups=None if account is None else [],
        )


def answers(url: DatabaseUrl) -> bool:
    try:
        with psycopg.connect(**url.libpq()):  # type: ignore[arg-type]
            return True
    except psycopg.OperationalError:
        return False


def test_a_pooler_is_recognised_and_migrated_through(
    pooled_url: DatabaseUrl, listener: Listener
) -> None:
    with Database.open(pooled_url) as database:
        applied = upgrade(database, watch=listener)

        assert check(database).differences == ()
    assert len(applied) == len(scripts())
    assert listener.warnings == [POOLED]


def test_a_direct_url_goes_around_the_pooler(
    pooled_url: DatabaseUrl, empty_postgresql_url: DatabaseUrl, listener: Listener
) -> None:
    with Database.open(pooled_url, direct_url=empty_postgresql_url) as database:
        upgrade(database, watch=listener)

    assert listener.warnings == []


def test_several_migrators_behind_a_pooler_do_each_revision_once(pooled_url: DatabaseUrl) -> None:
    processes = [start_migrator(pooled_url) for _ in range(4)]
    answered = [process.communicate(timeout=60) for process in processes]

    assert [process.returncode for process in processes] == [0] * 4
    told = [line for out, _ in answered for line in out.splitlines() if "applied" in line]
    assert sorted(told) == [f"applied {script.revision}" for script in scripts()]


def test_the_doctor_tells_of_the_pooler(
    run: Any, pooled_url: DatabaseUrl, empty_postgresql_url: DatabaseUrl
) -> None:
    pooled = findings(run, url=pooled_url)
    direct = findings(run, "--direct-url", empty_postgresql_url.exposed(), url=pooled_url)

    assert pooled["server-pooler"]["severity"] == "warning"
    assert direct["server-pooler"]["severity"] == "ok"
    assert not [row for row in pooled.values() if "could not be checked" in row["text"]]


def test_an_export_through_a_pooler_gives_the_same_bytes(
    pooled_url: DatabaseUrl, empty_postgresql_url: DatabaseUrl
) -> None:
    with Database.open(empty_postgresql_url) as direct, Database.open(pooled_url) as pooled:
        upgrade(direct)
        insert(direct, every_shape())

        assert exported(pooled) == exported(direct) != b""


def test_a_pooler_answers_a_wait(run: Any, pooled_url: DatabaseUrl) -> None:
    assert run("wait", "-d", pooled_url.exposed(), "--timeout", "5").exit_code == 0


def test_a_copy_goes_through_a_pooler_both_ways(
    run: Any, pooled_url: DatabaseUrl, sqlite_url: DatabaseUrl
) -> None:
    fill(sqlite_url)

    there = run("copy", sqlite_url.exposed(), pooled_url.exposed())
    back = run("copy", pooled_url.exposed(), "back.db", "--format", "json")

    assert there.exit_code == 0, there.stderr
    assert json.loads(back.stdout)["content_hash"] in there.stdout


def test_a_backup_goes_around_the_pooler_or_is_refused(
    run: Any, pooled_url: DatabaseUrl, empty_postgresql_url: DatabaseUrl
) -> None:
    refused = run("backup", "-d", pooled_url.exposed())
    left = list(Path.cwd().iterdir())
    direct = ("--direct-url", empty_postgresql_url.exposed())
    made = run("backup", "-d", pooled_url.exposed(), *direct)

    assert (refused.exit_code, left, made.exit_code) == (6, [], 0)
    assert "is behind a connection pooler" in refused.stderr
    assert "--direct-url" in refused.stderr


def test_the_search_index_is_built_through_a_pooler_or_around_it(
    pooled_url: DatabaseUrl, empty_postgresql_url: DatabaseUrl
) -> None:
    through, around = Told(), Told()
    with Database.open(empty_postgresql_url) as database:
        upgrade(database)
    for told, direct_url in ((through, None), (around, empty_postgresql_url)):
        execute(empty_postgresql_url, f"DROP INDEX {INDEX}")
        with Database.open(pooled_url, direct_url=direct_url) as database:
            rebuild_search_index(database, told)
            assert look_at_search_index(database).problems == ()

    assert "writers of messages wait" in through.notes[0]
    assert around.notes == []


def test_settings_of_the_role_break_nothing_behind_a_pooler_and_stay_as_they_were(
    run: Any, pooled_url: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    chats = write_chats(tmp_path / "chats.jsonl")
    for setting in (
        *("DateStyle = 'German, DMY'", "IntervalStyle = 'sql_standard'", "bytea_output = 'escape'"),
        *("extra_float_digits = -5", "TimeZone = 'Pacific/Kiritimati'", "row_security = off"),
        *("statement_timeout = '300ms'", "lock_timeout = '10ms'", "array_nulls = off"),
        *("quote_all_identifiers = on", "gin_fuzzy_search_limit = 1"),
    ):
        postgres.execute(f"ALTER ROLE {pooled_url.user} SET {setting}")
    postgres.execute(  # the pooler's own connection was made before
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{pooled_url.database}'"
    )
    wait_until(lambda: answers(pooled_url))

    found = dict(answers_of(run, pooled_url, chats))
    with psycopg.connect(**pooled_url.libpq()) as client:  # type: ignore[arg-type]
        # Of what the pooler itself keeps in step (DateStyle, TimeZone) it knows the first value.
        left = client.execute("SHOW bytea_output").fetchone()

    assert found == answers_of_a_file(chats)
    assert left == ("escape",)
