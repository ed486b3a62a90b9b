"""`chatdb status` tells where any database stands, on one screen, and never waits for long."""

import json
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa

from chatdb.backups.inventory import find, remember
from chatdb.backups.manifest import BackupFile, Verification, encode
from chatdb.backups.names import MANIFEST
from chatdb.backups.stores import open_store
from chatdb.cli.commands.status.screen import screen_lines
from chatdb.db import schema
from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import downgrade
from chatdb.db.url import DatabaseUrl
from chatdb.operations.doctor.status import read_status
from tests.backups.making import manifest
from tests.cli.test_process import imported_by
from tests.operations.app_roles import deployed
from tests.operations.conversation_rows import START, add_conversation, add_organization
from tests.postgres_server import PASSWORD, PostgresServer

NOW = START + timedelta(days=7, hours=3)


def answer(run: Any, url: DatabaseUrl, *words: str) -> tuple[int, dict[str, Any], Any]:
    """Return the exit code, the report, and the error on stderr if there is one."""
    words = ("status", "--format", "json", "--quiet", *words)
    result = run(*words, env={"DATABASE_URL": url.exposed()})
    errors = [line for line in result.stderr.splitlines() if line.startswith("{")]
    return (
        result.exit_code,
        json.loads(result.stdout),
        json.loads(errors[0])["error"] if errors else None,
    )


def execute(url: DatabaseUrl, *statements: Any) -> None:
    with Database.open(url) as database, database.transaction(write=True) as connection:
        for statement in statements:
            connection.execute(sa.text(statement) if isinstance(statement, str) else statement)


def test_the_report_counts_what_is_there(run: Any, database_url: DatabaseUrl) -> None:
    with Database.open(database_url) as database:
        add_organization(database, "acme")
        add_conversation(database, ["one", "two"])
        add_conversation(database, ["three"], number=2, organization="acme")
    execute(database_url, "INSERT INTO chatdb_settings VALUES ('environment', 'staging')")

    code, report, error = answer(run, database_url)

    assert (code, error) == (0, None)
    assert (report["organizations"], report["conversations"], report["messages"]) == (2, 2, 3)
    assert (report["estimated"], report["notes"]) == ([], [])
    assert (report["schema_state"], report["revision"]) == ("current", report["head"])
    assert report["environment"] == "staging"
    assert report["newest_message_at"] == "2025-01-03T12:00:00Z"
    assert report["size"] > 50_000
    assert report["server"].split()[0] in ("SQLite", "PostgreSQL")
    assert report["source"] == "environment DATABASE_URL"
    assert report["last_smoke_test"] is None


def test_the_last_seven_days_end_with_today(database_url: DatabaseUrl) -> None:
    with Database.open(database_url) as database:
        add_organization(database, "acme")
        add_conversation(database, ["old"], number=0)
        add_conversation(database, ["x"] * 3, number=1, organization="acme")
        add_conversation(database, ["x"] * 2, number=7)

    report, _ = read_status(database_url, source="test", now=NOW)

    assert [day.messages for day in report.last_days] == [3, 0, 0, 0, 0, 0, 2]
    assert report.last_days[-1].day == NOW.date()


def test_counts_too_large_for_a_glance_are_estimates(database_url: DatabaseUrl) -> None:
    many = {
        "sqlite": "printf('00000000-0000-0000-0000-%012x', n), printf('key %d', n)",
        "postgresql": "lpad(to_hex(n), 32, '0')::uuid, 'key ' || n",
    }[database_url.dialect_name]
    execute(
        database_url,
        "INSERT INTO organizations (id, key, name, created_at)"
        " WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 101000)"
        f" SELECT {many}, 'Many', o.created_at FROM organizations o CROSS JOIN s",
        "ANALYZE organizations",
    )

    report, _ = read_status(database_url, source="test")

    assert report.estimated == ("organizations",)
    assert report.organizations == pytest.approx(101_001, rel=0.1)


def test_a_schema_that_is_behind_or_ahead_is_told_with_what_is_there(
    run: Any, database_url: DatabaseUrl
) -> None:
    with Database.open(database_url) as database:
        add_conversation(database, ["one"])
        downgrade(database, "0002")
    behind = answer(run, database_url)
    execute(database_url, "UPDATE chatdb_version SET version_num = '9999'")
    ahead = answer(run, database_url)

    for (code, report, error), state in ((behind, "behind"), (ahead, "ahead")):
        assert code == 4
        assert (report["schema_state"], error["state"]) == (state, state)
        assert report["messages"] == 1
    assert "chatdb migrate" in behind[2]["hint"]


def test_an_empty_database_has_a_schema_to_be_made(
    run: Any, empty_database_url: DatabaseUrl
) -> None:
    code, report, error = answer(run, empty_database_url)

    assert report["messages"] is None
    if empty_database_url.path is not None:  # the first command makes it
        assert (code, error["code"], report["reachable"]) == (5, "not_found", False)
        assert not empty_database_url.sqlite_path.exists()
    else:
        assert (code, error["state"], report["schema_state"]) == (4, "empty", "empty")


def test_a_database_of_somebody_else_is_left_alone(
    run: Any, empty_database_url: DatabaseUrl
) -> None:
    with (
        Database.open(empty_database_url, create=True) as database,
        database.transaction(write=True) as connection,
    ):
        connection.exec_driver_sql("CREATE TABLE messages (body text)")

    code, report, error = answer(run, empty_database_url)

    assert (code, error["state"]) == (4, "not_chatdb")
    assert (report["schema_state"], report["messages"]) == ("not_chatdb", None)


def test_a_database_that_cannot_be_reached_is_told_without_its_password(run: Any) -> None:
    url = DatabaseUrl(
        dialect_name="postgresql", user="ann", password=PASSWORD, host="127.0.0.1", port="1"
    )

    code, report, error = answer(run, url)
    table = run("status", env={"DATABASE_URL": url.exposed()})

    assert (code, error["code"]) == (3, "database_unreachable")
    assert (report["reachable"], report["schema_state"], report["server"]) == (False, None, None)
    assert report["database"] == "postgresql://ann:***@127.0.0.1:1/"
    assert table.exit_code == 3
    assert "Reachable  no" in table.stdout
    assert "nothing listens at 127.0.0.1:1" in table.stderr
    assert PASSWORD not in table.stdout + table.stderr


def test_a_file_that_another_program_holds_is_told_soon(run: Any, sqlite_url: DatabaseUrl) -> None:
    holder = sqlite3.connect(sqlite_url.sqlite_path, isolation_level=None)
    holder.execute("PRAGMA journal_mode=DELETE")
    holder.execute("BEGIN EXCLUSIVE")

    code, report, error = answer(run, sqlite_url)
    holder.close()

    assert (code, error["code"]) == (1, "database_locked")
    assert report["reachable"] is False


def test_a_lock_on_a_table_hides_its_figures_only(run: Any, postgresql_url: DatabaseUrl) -> None:
    with connect_postgresql(postgresql_url) as holder:
        holder.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
        code, report, error = answer(run, postgresql_url)
        holder.rollback()

    assert (code, error) == (0, None)
    assert (report["organizations"], report["conversations"], report["messages"]) == (1, 0, None)
    assert "messages: another session holds a lock" in report["notes"]


def test_a_user_without_rights_sees_what_it_may(
    run: Any, postgres: PostgresServer, postgresql_url: DatabaseUrl
) -> None:
    role = f"reader_{postgresql_url.database}"
    execute(
        postgresql_url,
        f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
        f"GRANT SELECT ON chatdb_version, organizations TO {role}",
    )
    try:
        url = DatabaseUrl(
            dialect_name="postgresql",
            user=role,
            password="x",
            host=postgresql_url.host,
            port=postgresql_url.port,
            database=postgresql_url.database,
        )
        code, report, _ = answer(run, url)
    finally:
        execute(postgresql_url, f"DROP OWNED BY {role}")
        postgres.execute(f"DROP ROLE {role}")

    assert code == 0
    assert (report["organizations"], report["messages"]) == (1, None)
    assert "messages: permission denied for table messages" in report["notes"]


def test_chatdb_in_a_schema_of_its_own_is_found(
    run: Any, empty_postgresql_url: DatabaseUrl
) -> None:
    run("migrate", "--schema", "Chat", env={"DATABASE_URL": empty_postgresql_url.exposed()})

    code, report, _ = answer(run, empty_postgresql_url, "--schema", "Chat")

    assert (code, report["schema"], report["schema_state"]) == (0, "Chat", "current")
    assert (report["organizations"], report["notes"]) == (1, [])


def test_the_whole_report_fits_a_small_screen(
    run_on_terminal: Any, sqlite_url: DatabaseUrl
) -> None:
    with Database.open(sqlite_url) as database:
        add_conversation(database, ["x"] * 500, number=0)
        now = datetime.now(UTC) - timedelta(minutes=1)
        with database.transaction(write=True) as connection:
            connection.execute(sa.update(schema.messages).values(created_at=now))

    shown = run_on_terminal(
        "status", "--no-color", columns=60, env={"DATABASE_URL": sqlite_url.exposed()}
    )
    lines = shown.stdout.splitlines()

    assert shown.exit_code == 0
    assert len(lines) <= 23
    assert max(map(len, lines)) <= 60
    assert any("500 messages in the last 7 days" in line for line in lines)
    assert any("█" * 20 in line and line.endswith(" 500") for line in lines)


def test_a_label_cannot_act_on_the_terminal(sqlite_url: DatabaseUrl) -> None:
    execute(
        sqlite_url,
        sa.insert(schema.settings).values(key="environment", value="\x1b[31mred\x1b]0;title\x07"),
        sa.insert(schema.settings).values(key="smoke_test", value="{broken"),
    )

    report, _ = read_status(sqlite_url, source="test")
    text = "\n".join(screen_lines(report, now=NOW, width=80, color=False))

    assert "\x1b" not in text
    assert text.split("Environment")[1].split()[0] == "red"
    assert " ".join(text.split()).count("Smoke test never run") == 1


def test_a_glance_loads_nothing_heavy(
    monkeypatch: pytest.MonkeyPatch, sqlite_url: DatabaseUrl
) -> None:
    monkeypatch.setenv("DATABASE_URL", sqlite_url.exposed())

    assert imported_by("status").isdisjoint({"sqlalchemy", "alembic", "psycopg"})


def test_a_lost_connection_is_an_error_and_no_note(postgresql_url: DatabaseUrl) -> None:
    from chatdb.db.contract.overview import Overview
    from chatdb.db.migrating.revision import Look
    from chatdb.db.postgresql.overview import ServerGlance

    with connect_postgresql(postgresql_url, autocommit=True) as connection:
        seen = Overview(look=Look("current", "0003"))
        execute(
            postgresql_url,
            f"SELECT pg_terminate_backend({connection.info.backend_pid})",
        )
        with pytest.raises(psycopg.OperationalError):
            ServerGlance(connection, seen, schema=None, organization_id=UUID(int=0)).read(NOW)


def test_the_last_backup_and_when_one_was_verified_are_told(
    run: Any, sqlite_url: DatabaseUrl
) -> None:
    unknown = run("status", env={"DATABASE_URL": sqlite_url.exposed()})
    Path("backups").mkdir()
    store = open_store("backups")
    for number, name in enumerate(("chatdb_20261124T000000Z", "chatdb_20261125T000000Z")):
        record = manifest(
            name,
            kind="sqlite",
            database="chatdb",
            database_kind="sqlite",
            created_at=datetime(2026, 11, 24 + number, tzinfo=UTC),
            files=(BackupFile(f"{name}.db.zst", 5, "0" * 64),),
        )
        store.write(f"{name}.db.zst", b"12345")
        store.write(name + MANIFEST, encode(record))
    first = find("chatdb_20261124T000000Z", "backups")
    at = datetime(2026, 11, 24, 12, tzinfo=UTC)
    seen = Verification(at=at, way="files", passed=True, seconds=0.1)
    remember(first, lambda record: record.adding(seen))

    report, _ = read_status(sqlite_url, source="test")
    lines = screen_lines(report, now=at + timedelta(days=2), width=None, color=False)
    remote, _ = read_status(sqlite_url, source="test", backups="s3://key:secret@bucket/folder?a=b")

    assert "none in backups" in unknown.stdout
    (line,) = (line for line in lines if line.startswith("Backup"))
    assert "1 day ago, an earlier one verified 2 days ago" in line
    assert "backups/chatdb_20261125T000000Z.db.zst" in line
    assert (remote.backups, remote.last_backup) == ("s3://key:***@bucket/folder", None)


def test_a_role_of_an_application_sees_its_own_organization(
    run: Any, postgresql_url: DatabaseUrl
) -> None:
    with deployed(postgresql_url) as there:
        code, own, _ = answer(run, there.app, "--org", there.first.key)
        _, other, _ = answer(run, there.app, "--org", "default")
        _, owner, _ = answer(run, there.owner)
        shown = run("status", "--org", there.first.key, env={"DATABASE_URL": there.app.exposed()})

    assert code == 0
    assert (own["row_security"], own["organizations"]) == (there.first.key, 1)
    assert 0 < own["messages"] < owner["messages"]
    assert (other["row_security"], other["messages"]) == ("default", 0)
    assert owner["row_security"] is None
    assert f"only {there.first.key} (row-level security" in shown.stdout
