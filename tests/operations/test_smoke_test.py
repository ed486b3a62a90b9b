"""The smoke test passes on a sound database, names what is broken, and leaves no trace."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import downgrade
from chatdb.db.url import DatabaseUrl
from chatdb.operations.doctor.status import read_status
from chatdb.operations.smoke_test.check import CheckResult, SmokeOutcome
from chatdb.operations.smoke_test.run import CHECKS, CLEAN_UP, SmokeReport, smoke_test
from chatdb.operations.smoke_test.traces import is_old
from tests.cli.conftest import ROOT, process_environment
from tests.db.silent_servers import serving, silent
from tests.operations.app_roles import deployed
from tests.operations.conversation_rows import add_conversation, add_organization
from tests.postgres_server import wait_until

NAMES = [*(check.name for check in CHECKS), CLEAN_UP]
KEPT = {"chatdb_settings"}
"""Where the outcome stays."""


def outcomes(report: SmokeReport) -> dict[str, SmokeOutcome]:
    return {result.name: result.outcome for result in report.results}


def reason(report: SmokeReport, name: str) -> str:
    return next(result.reason for result in report.results if result.name == name)


def rows(url: DatabaseUrl) -> dict[str, list[Any]]:
    """Return all rows of all tables but for the outcome that is kept."""
    found = {}
    with Database.open(url) as database, database.transaction() as connection:
        present = set(database.dialect.existing_tables(connection))
        for name in schema.metadata.tables:
            if name in present and name not in KEPT:
                held = sa.select(sa.text("*")).select_from(sa.text(name))
                found[name] = sorted(map(str, connection.execute(held)))
    return found


def execute(url: DatabaseUrl, *statements: Any) -> None:
    with Database.open(url) as database, database.transaction(write=True) as connection:
        for statement in statements:
            connection.execute(sa.text(statement) if isinstance(statement, str) else statement)


def test_a_sound_database_passes_and_is_as_it_was(database_url: DatabaseUrl) -> None:
    with Database.open(database_url) as database:
        add_organization(database, "demo")
        add_conversation(database, ["somebody's"], user_id="smoke-test-user")
    before = rows(database_url)
    heard: list[CheckResult] = []

    report = smoke_test(database_url, on_result=heard.append)

    assert [result.name for result in report.results] == NAMES
    assert {result.outcome for result in report.results} <= {
        SmokeOutcome.PASSED,
        SmokeOutcome.SKIPPED,
    }, [result for result in report.results if result.outcome is SmokeOutcome.FAILED]
    assert outcomes(report)["demo-organization"] is SmokeOutcome.PASSED
    assert outcomes(report)["row-level-security"] is SmokeOutcome.SKIPPED
    assert all(result.reason for result in report.results)
    assert list(report.results) == heard
    assert (report.trouble, report.unkept, report.is_passed) == (None, None, True)
    assert rows(database_url) == before
    status, _ = read_status(database_url, source="test")
    assert status.last_smoke_test is not None
    assert (status.last_smoke_test.outcome, status.last_smoke_test.failed) == ("passed", ())


def test_a_missing_demo_is_told_with_the_command_and_fails_nothing(
    sqlite_url: DatabaseUrl,
) -> None:
    report = smoke_test(sqlite_url)

    assert report.is_passed
    assert outcomes(report)["demo-organization"] is SmokeOutcome.SKIPPED
    assert "chatdb seed" in reason(report, "demo-organization")


BROKEN: dict[str, tuple[dict[str, str], set[str]]] = {
    "touch": (
        {
            "sqlite": "DROP TRIGGER messages_touch_insert",
            "postgresql": "ALTER TABLE messages DISABLE TRIGGER messages_touch_insert",
        },
        {"direct-insert-moves-updated-at"},
    ),
    "cascade": (
        {
            "sqlite": (
                "CREATE TRIGGER keep BEFORE DELETE ON messages BEGIN SELECT RAISE(IGNORE); END"
            ),
            "postgresql": "ALTER TABLE messages DROP CONSTRAINT fk_messages_conversations",
        },
        {"delete-cascades"},
    ),
    "search": ({"sqlite": "DROP TRIGGER messages_search_insert"}, {"search-finds-it"}),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_broken_fails_its_check_and_stops_no_other(
    database_url: DatabaseUrl, what: str
) -> None:
    statements, expected = BROKEN[what]
    if database_url.dialect_name not in statements:
        return  # an index of PostgreSQL's cannot be behind its table
    execute(database_url, statements[database_url.dialect_name])

    report = smoke_test(database_url)

    assert set(report.failed) >= {"schema-unchanged", *expected}
    assert [result.name for result in report.results] == NAMES
    assert (report.trouble, report.is_passed) == (None, False)
    status, _ = read_status(database_url, source="test")
    assert status.last_smoke_test is not None
    assert status.last_smoke_test.failed == report.failed


AHEAD = """
CREATE TRIGGER ahead AFTER UPDATE OF current_message_id ON conversations BEGIN
  UPDATE conversations SET updated_at = '2099-01-01T00:00:00.000000Z'
  WHERE organization_id = new.organization_id AND id = new.id;
END
"""


def test_a_server_whose_clock_is_behind_ours_passes(sqlite_url: DatabaseUrl) -> None:
    execute(sqlite_url, AHEAD)

    report = smoke_test(sqlite_url)

    assert report.failed == ("schema-unchanged",)


LEAK = """
CREATE TRIGGER leak AFTER INSERT ON conversations
WHEN new.organization_id NOT IN (SELECT id FROM organizations WHERE key LIKE '%-other') BEGIN
  INSERT INTO conversations (organization_id, id, user_id, created_at, updated_at, metadata)
  SELECT id, new.id, new.user_id, new.created_at, new.updated_at, '{}' FROM organizations
  WHERE key LIKE 'smoke-test-%-other';
END
"""


def test_a_conversation_that_another_organization_has_too_is_a_failure(
    sqlite_url: DatabaseUrl,
) -> None:
    execute(sqlite_url, LEAK)

    report = smoke_test(sqlite_url)

    assert set(report.failed) >= {"schema-unchanged", "not-in-another-organization"}
    assert reason(report, "not-in-another-organization") == "another organization lists it"
    assert rows(sqlite_url)["organizations"] == rows(sqlite_url)["organizations"][:1]


@pytest.mark.parametrize("state", ["behind", "ahead"])
def test_another_schema_is_told_and_nothing_is_written(
    database_url: DatabaseUrl, state: str
) -> None:
    if state == "behind":
        with Database.open(database_url) as database:
            downgrade(database, "0002")
    else:
        execute(database_url, "UPDATE chatdb_version SET version_num = '9999'")
    before = rows(database_url)

    report = smoke_test(database_url)

    assert report.trouble == "schema"
    assert report.failed == ("schema-current",)
    assert set(outcomes(report).values()) == {
        SmokeOutcome.PASSED,
        SmokeOutcome.FAILED,
        SmokeOutcome.NOT_RUN,
    }
    assert reason(report, "read-back") == "not run: message-added did not pass"
    assert rows(database_url) == before


def test_a_missing_file_is_unreachable_and_is_not_made(tmp_path: Any) -> None:
    url = DatabaseUrl(dialect_name="sqlite", path=tmp_path / "none.db")

    report = smoke_test(url)

    assert (report.trouble, report.failed) == ("unreachable", ("reachable",))
    assert not url.sqlite_path.exists()


def test_a_server_that_hangs_does_not_hold_up_the_report() -> None:
    with serving(silent) as port:
        url = DatabaseUrl(dialect_name="postgresql", user="x", host="127.0.0.1", port=str(port))
        started = time.monotonic()
        report = smoke_test(url, timeout=1.0)

    assert time.monotonic() - started < 5
    assert report.trouble == "unreachable"
    assert reason(report, "reachable") == "timed out after 1 s"
    assert reason(report, "search-finds-it") == "not run: timed out after 1 s"


@contextmanager
def held(url: DatabaseUrl) -> Iterator[None]:
    """Keep everybody from writing messages."""
    if url.path is not None:
        holder = sqlite3.connect(url.sqlite_path, isolation_level=None, check_same_thread=False)
        holder.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            holder.close()
        return
    with connect_postgresql(url) as connection:
        connection.execute("LOCK TABLE messages IN SHARE MODE")
        yield
        connection.rollback()


@pytest.mark.large
def test_a_lock_that_is_held_fails_one_check_and_leaves_nothing_once_it_is_gone(
    database_url: DatabaseUrl,
) -> None:
    before = rows(database_url)

    with held(database_url):
        report = smoke_test(database_url, timeout=1.5)

    failed = report.failed[0]
    assert outcomes(report)["reachable"] is SmokeOutcome.PASSED
    assert reason(report, failed) == "timed out after 1.5 s"
    assert report.failed == (failed, CLEAN_UP)
    assert outcomes(report)["read-back"] is SmokeOutcome.NOT_RUN
    assert "removes it" in reason(report, CLEAN_UP)
    wait_until(lambda: not any(t.name == "smoke test" for t in threading.enumerate()))
    assert rows(database_url) == before


KILLED = """
import os, signal, sys
from datetime import UTC, datetime, timedelta
from chatdb.db.url import parse_url
from chatdb.operations.smoke_test.run import smoke_test

url, now = parse_url(sys.argv[1]), datetime.now(UTC) - timedelta(hours=1)
smoke_test(url)  # what is compiled once, the children have
for last in sys.argv[2:]:
    child = os.fork()
    if not child:
        def die(result, last=last):
            if result.name == last:
                os.kill(os.getpid(), signal.SIGKILL)
        smoke_test(url, now=now, on_result=die)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL, (last, status)
"""
WRITING = (
    *("organizations-created", "conversation-created", "message-added", "direct-insert-counts"),
    *("odd-characters", "export-and-import", "delete-cascades"),
)
"""The checks after which more, or less, lies in the database than before."""


@pytest.mark.large
def test_one_killed_after_any_step_is_swept_by_the_next_an_hour_later(
    database_url: DatabaseUrl,
) -> None:
    before = rows(database_url)
    words = [sys.executable, "-c", KILLED, database_url.exposed(), *WRITING]
    subprocess.run(words, cwd=ROOT, env=process_environment(), check=True, timeout=120)

    left = rows(database_url)
    soon = smoke_test(database_url, now=datetime.now(UTC) - timedelta(minutes=1))
    kept = rows(database_url)
    later = smoke_test(database_url)

    assert len(left["organizations"]) == len(before["organizations"]) + 2 * len(WRITING)
    assert left["chatdb_log"] != before["chatdb_log"]
    assert (soon.is_passed, kept) == (True, left)
    assert later.is_passed
    assert "removed what killed smoke tests" in reason(later, "left-overs-swept")
    assert rows(database_url) == before


@pytest.mark.parametrize(
    ("key", "old"),
    [
        ("smoke-test-20260101T000000Z-0123abcd", True),
        ("smoke-test-20260101T000000Z-0123abcd-other", True),
        ("smoke-test-20260101T010001Z-0123abcd", False),
        ("smoke-test-20269901T000000Z-0123abcd", False),
        ("smoke-test-20260101T000000Z-0123abcd-mine", False),
        ("smoke-test-results", False),
        ("acme", False),
    ],
)
def test_only_the_keys_of_old_smoke_tests_are_swept(key: str, old: bool) -> None:
    assert is_old(key, now=datetime(2026, 1, 1, 2, tzinfo=UTC)) is old


def test_an_organization_that_is_only_named_alike_is_left_alone(database_url: DatabaseUrl) -> None:
    key = "smoke-test-20200101T000000Z-0123abcd"
    with Database.open(database_url) as database:
        add_organization(database, key)
        execute(database_url, f"UPDATE organizations SET name = 'Acme' WHERE key = '{key}'")
        add_conversation(database, ["kept"], organization=key)
    before = rows(database_url)

    assert smoke_test(database_url).is_passed
    assert rows(database_url) == before


def faults(report: SmokeReport) -> list[tuple[str, str]]:
    """Return what failed, and why."""
    return [(each.name, each.reason) for each in report.results if each.name in report.failed]


def test_two_at_once_do_not_meet(database_url: DatabaseUrl) -> None:
    before = rows(database_url)
    reports: list[SmokeReport] = []
    threads = [
        threading.Thread(target=lambda: reports.append(smoke_test(database_url))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [faults(report) for report in reports] == [[], []]
    assert rows(database_url) == before


def test_it_works_in_a_schema_of_its_own(run: Any, empty_postgresql_url: DatabaseUrl) -> None:
    run("migrate", "--schema", "Chat", env={"DATABASE_URL": empty_postgresql_url.exposed()})

    report = smoke_test(empty_postgresql_url, schema="Chat")

    assert report.is_passed, report.failed


def test_it_acts_as_the_roles_of_an_application(postgresql_url: DatabaseUrl) -> None:
    with deployed(postgresql_url) as there:
        before = rows(postgresql_url)
        sound = smoke_test(postgresql_url)
        execute(
            postgresql_url,
            "ALTER POLICY conversations_tenant ON conversations USING (true)",
        )
        leaking = smoke_test(postgresql_url)
        after = rows(postgresql_url)
        as_app = smoke_test(there.app)

    assert outcomes(sound)["row-level-security"] is SmokeOutcome.PASSED
    assert there.app.user in reason(sound, "row-level-security")
    assert set(leaking.failed) == {"schema-unchanged", "row-level-security"}
    assert f"{there.app.user} sees 1 of it instead of 0" in reason(leaking, "row-level-security")
    assert after == before
    assert "organizations-created" in as_app.failed
    assert "--database-url" in reason(as_app, "organizations-created")
