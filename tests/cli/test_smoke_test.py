"""`chatdb smoke-test` as a CI meets it: exit codes, formats, the JUnit file, terminals."""

import json
import os
import re
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import xmlschema

from chatdb.cli.commands.smoke_test.junit import junit_xml
from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import downgrade
from chatdb.db.schema import conversations, organizations
from chatdb.db.url import DatabaseUrl
from chatdb.operations.smoke_test.check import CheckResult, SmokeOutcome
from tests.cli.conftest import command_line, process_environment
from tests.cli.importing import count_of
from tests.postgres_server import PASSWORD, wait_until

SCHEMA = Path(__file__).with_name("junit.xsd")
HOSTILE = "a\x1b[31m <b a=\"1\"> & ]]> \x00\x07\x9b\u202e\ufffe\ud800 'quoted' é 漢 \U0001f600"


def parsed(path: Path) -> ET.Element:
    """Return the test suite of a JUnit file that keeps to the schema."""
    xmlschema.XMLSchema(str(SCHEMA)).validate(str(path))
    suite = ET.parse(path).getroot()[0]  # noqa: S314 - we wrote it
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))
    assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
    assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped"))
    return suite


@pytest.fixture
def smoke(run: Any, database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `chatdb smoke-test` in this process on a migrated database of either kind."""
    monkeypatch.setenv("DATABASE_URL", database_url.exposed())
    return lambda *words: run("smoke-test", *words)


def test_a_pass_is_told_as_json_and_as_junit(smoke: Any, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "report.xml"

    result = smoke("--format", "json", "--junit", path)

    checks = json.loads(result.stdout)
    suite = parsed(path)
    assert result.exit_code == 0
    assert list(checks[0]) == ["name", "outcome", "seconds", "reason"]
    assert {check["outcome"] for check in checks} == {"passed", "skipped"}
    assert [case.attrib["name"] for case in suite.findall("testcase")] == [
        check["name"] for check in checks
    ]
    assert suite.attrib["failures"] == "0"
    assert "passed, " in result.stderr
    assert PASSWORD not in result.stdout + result.stderr + path.read_text()


def test_a_failure_is_exit_1_with_its_reason_everywhere(
    run: Any, sqlite_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", sqlite_url.exposed())
    with Database.open(sqlite_url) as database, database.transaction(write=True) as connection:
        connection.exec_driver_sql("DROP TRIGGER messages_touch_insert")
    path = tmp_path / "report.xml"

    result = run("smoke-test", "--junit", path)
    status = run("status")

    assert result.exit_code == 1
    assert "failed   direct-insert-moves-updated-at" in result.stdout
    failures = {
        case.attrib["name"]: case[0].attrib["message"]
        for case in parsed(path).findall("testcase")
        if case.find("failure") is not None
    }
    assert "trigger messages_touch_insert missing" in failures["schema-unchanged"]
    assert "updated_at stays at" in failures["direct-insert-moves-updated-at"]
    assert "schema-unchanged, direct-insert-moves-updated-at" in " ".join(status.stdout.split())


def test_a_schema_that_is_behind_is_exit_4(
    smoke: Any, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    with Database.open(database_url) as database:
        downgrade(database, "0002")
    path = tmp_path / "report.xml"

    result = smoke("--junit", path)

    assert result.exit_code == 4
    assert "chatdb migrate" in " ".join(result.stdout.split())
    assert parsed(path).attrib["failures"] == "1"


def test_a_database_that_cannot_be_reached_is_exit_3(run: Any, tmp_path: Path) -> None:
    url = f"postgresql://ann:{PASSWORD}@127.0.0.1:1/x"
    path = tmp_path / "report.xml"

    result = run("smoke-test", "--junit", path, env={"DATABASE_URL": url})

    assert result.exit_code == 3
    assert "nothing listens at 127.0.0.1:1" in result.stdout
    assert parsed(path).attrib["skipped"] == "24"
    assert PASSWORD not in result.stdout + result.stderr + path.read_text()


def test_a_user_who_may_only_read_fails_and_is_told_why(
    run: Any, postgresql_url: DatabaseUrl
) -> None:
    name = postgresql_url.database
    with connect_postgresql(postgresql_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())

    result = run("smoke-test", env={"DATABASE_URL": postgresql_url.exposed()})

    assert result.exit_code == 1
    assert "read-only" in result.stdout
    assert "1 failed" in result.stderr
    assert "the outcome is not saved for chatdb status" in result.stderr


def test_a_place_that_cannot_be_written_is_told_before_anything_is_done(
    smoke: Any, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    (tmp_path / "report.xml").mkdir()

    result = smoke("--junit", tmp_path / "report.xml")

    assert result.exit_code == 1
    assert "report.xml" in result.stderr
    assert result.stdout == ""
    assert count_of(database_url, organizations) == 1


def test_options_that_cannot_be_meant_are_refused(run: Any) -> None:
    assert run("smoke-test", "--junit", "-").exit_code == 2
    assert run("smoke-test", "--timeout", "nan").exit_code == 2
    assert run("smoke-test", "--timeout", "0").exit_code == 2


def test_control_c_cleans_up(postgresql_url: DatabaseUrl) -> None:
    with connect_postgresql(postgresql_url) as holder:
        holder.execute("LOCK TABLE snapshots IN SHARE MODE")
        process = subprocess.Popen(
            command_line("smoke-test"),
            env=process_environment({"DATABASE_URL": postgresql_url.exposed()}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        wait_until(lambda: count_of(postgresql_url) == 1, seconds=60)
        os.kill(process.pid, signal.SIGINT)
        time.sleep(0.2)
        holder.rollback()
        process.communicate(timeout=60)

    assert process.returncode == 130
    assert count_of(postgresql_url, organizations) == 1
    assert count_of(postgresql_url, conversations) == 0


def test_whatever_a_reason_holds_the_junit_file_is_valid(tmp_path: Path) -> None:
    outcomes = (
        SmokeOutcome.FAILED,
        SmokeOutcome.SKIPPED,
        SmokeOutcome.NOT_RUN,
        SmokeOutcome.PASSED,
    )
    results = [
        CheckResult(name=f"check-{outcome}", outcome=outcome, seconds=1234.5, reason=HOSTILE)
        for outcome in outcomes
    ]
    path = tmp_path / "report.xml"

    path.write_bytes(
        junit_xml("smoke-test", results, started_at=datetime(2026, 1, 1, tzinfo=UTC), seconds=0.1)
    )

    suite = parsed(path)
    message = "a <b a=\"1\"> & ]]>  'quoted' é 漢 \U0001f600"
    assert suite.findtext("testcase/failure") == message
    assert suite.find("testcase/skipped").attrib["message"] == message  # type: ignore[union-attr]
    assert suite.findtext("system-out") == f"check-passed: {message}"
    assert suite.attrib["timestamp"] == "2026-01-01T00:00:00"


def test_the_report_fits_the_terminal(run_on_terminal: Any, sqlite_url: DatabaseUrl) -> None:
    words, env = ("smoke-test", "--no-color", "--quiet"), {"DATABASE_URL": sqlite_url.exposed()}
    brief = run_on_terminal(*words, columns=60, env=env)
    shown = run_on_terminal(*words, "-v", columns=60, env=env)

    (line,) = brief.stdout.splitlines()
    assert re.fullmatch(r"\d+ passed, \d+ skipped in \d+\.\d\d s; -v shows all", line)
    lines = shown.stdout.splitlines()
    assert (brief.exit_code, shown.exit_code) == (0, 0)
    assert max(map(len, lines)) <= 60
    assert any(line.startswith("passed   reachable") for line in lines)
