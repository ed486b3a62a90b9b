"""The doctor knows the state of the schema, and a server's ways, on real databases."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.migrating.migrations import downgrade
from chatdb.db.schema import leases, log, messages
from chatdb.db.url import DatabaseUrl
from chatdb.operations.copying.state import begin
from chatdb.operations.doctor.findings import Check, Severity, examined, ok
from chatdb.store.search_index import take_off_search_index
from tests.cli.test_doctor import findings
from tests.postgres_server import PostgresServer


def change(url: DatabaseUrl, *statements: Any) -> None:
    with Database.open(url) as database, database.transaction(write=True) as connection:
        for statement in statements:
            connection.execute(sa.text(statement) if isinstance(statement, str) else statement)


def test_an_empty_database_is_told_to_be_migrated(
    run: Any, empty_postgresql_url: DatabaseUrl
) -> None:
    found = findings(run, url=empty_postgresql_url)

    assert found["schema-state"]["severity"] == "info"
    assert "chatdb migrate" in found["schema-state"]["fix"]
    assert "schema-differences" not in found


def test_a_schema_that_is_behind_is_an_error(run: Any, database_url: DatabaseUrl) -> None:
    with Database.open(database_url) as database:
        downgrade(database, "0002")

    found = findings(run, url=database_url)["schema-state"]

    assert found["severity"] == "error"
    assert "chatdb migrate" in found["fix"]


def test_what_differs_from_the_migrations_is_an_error(run: Any, database_url: DatabaseUrl) -> None:
    change(database_url, "ALTER TABLE conversations ADD COLUMN color TEXT")

    found = findings(run, url=database_url)["schema-differences"]

    assert found["severity"] == "error"
    assert "column color" in found["text"]


def test_a_script_that_was_changed_is_told(run: Any, database_url: DatabaseUrl) -> None:
    change(database_url, sa.update(log).where(log.c.subject == "0002").values(sha256="0" * 64))

    found = findings(run, url=database_url)

    assert found["schema-scripts"]["severity"] == "warning"
    assert "0002" in found["schema-scripts"]["text"]
    assert found["schema-differences"]["severity"] == "ok"


@pytest.mark.parametrize(("state", "severity"), [("deferred", "warning"), ("off", "info")])
def test_a_missing_search_index_is_told(
    run: Any, database_url: DatabaseUrl, state: Any, severity: str
) -> None:
    with Database.open(database_url) as database, database.transaction(write=True) as connection:
        assert take_off_search_index(database, connection, state)

    found = findings(run, url=database_url)

    assert found["search-index"]["severity"] == severity
    assert found["search-index"]["fix"] == "chatdb search-index rebuild"
    assert found["schema-differences"]["severity"] == "ok"


def test_a_job_that_was_left_unfinished_is_told(run: Any, database_url: DatabaseUrl) -> None:
    now = datetime.now(UTC)
    rows = [
        {"name": "import", "owner": "ada", "expires_at": now - timedelta(days=1)},
        {"name": "backup", "owner": "bob", "expires_at": now + timedelta(hours=1)},
    ]
    with Database.open(database_url) as database, database.transaction(write=True) as connection:
        connection.execute(sa.insert(leases), rows)

    found = findings(run, url=database_url)["leases"]

    assert found["severity"] == "warning"
    assert "ada did not finish import" in found["text"]


def test_a_database_of_another_encoding_is_an_error(run: Any, postgres: PostgresServer) -> None:
    postgres.execute(
        "CREATE DATABASE old_letters ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"
        " LOCALE_PROVIDER libc"
    )
    try:
        found = findings(run, url=postgres.url("old_letters"))["server-encoding"]
    finally:
        postgres.execute("DROP DATABASE old_letters WITH (FORCE)")

    assert found["severity"] == "error"
    assert "LATIN1" in found["text"]


def test_a_schema_that_is_still_to_be_made_is_told(
    run: Any, empty_postgresql_url: DatabaseUrl
) -> None:
    found = findings(run, "--schema", "chat", url=empty_postgresql_url)

    assert found["server-rights"]["severity"] == "info"
    assert "the schema chat does not exist yet" in found["server-rights"]["text"]


def test_a_database_that_is_read_only_by_default_is_told(
    run: Any, postgres: PostgresServer, postgresql_url: DatabaseUrl
) -> None:
    name = postgresql_url.database
    postgres.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")

    found = findings(run, url=postgresql_url)["server-writable"]

    assert found["severity"] == "warning"


def test_a_superuser_on_this_machine_is_worth_knowing(
    run: Any, postgresql_url: DatabaseUrl
) -> None:
    found = findings(run, url=postgresql_url)

    assert found["server-superuser"]["severity"] == "info"
    assert found["server-tls"]["severity"] == "ok"
    assert found["server-clock"]["severity"] == "ok"
    assert found["server-pooler"]["severity"] == "ok"


def test_the_doctor_does_not_wait_for_a_lock(run: Any, postgresql_url: DatabaseUrl) -> None:
    with Database.open(postgresql_url) as database, database.transaction(write=True) as connection:
        connection.execute(sa.text(f"LOCK TABLE {messages.name} IN ACCESS EXCLUSIVE MODE"))

        found = findings(run, url=postgresql_url)

    assert found["database-reachable"]["severity"] == "ok"
    assert found["server-connections"]["severity"] == "ok"
    assert found["schema-differences"]["severity"] in ("ok", "warning")


def test_a_connection_parameter_that_is_none_is_a_finding(
    run: Any, postgresql_url: DatabaseUrl
) -> None:
    url = replace(postgresql_url, parameters=(("colour", "red"),))

    assert findings(run, url=url)["database-reachable"]["severity"] == "error"


def test_a_check_that_fails_itself_is_a_finding_and_the_others_go_on() -> None:
    def fails(_: str) -> Any:
        raise RuntimeError("the check is broken\nin two lines")

    def passes(place: str) -> Any:
        yield ok(place)

    found = list(examined((Check("first", fails), Check("second", passes)), "here"))

    assert [(item.id, item.severity) for item in found] == [
        ("first", Severity.ERROR),
        ("second", Severity.OK),
    ]
    assert found[0].text == "this could not be checked: RuntimeError: the check is broken"


def test_a_copy_that_is_not_complete_is_told(run: Any, sqlite_url: DatabaseUrl) -> None:
    assert findings(run, url=sqlite_url)["copy"]["severity"] == "ok"
    with Database.open(sqlite_url) as database:
        begin(database, "sqlite:///elsewhere.db", search_index=True)

    found = findings(run, url=sqlite_url)["copy"]

    assert found["severity"] == "warning"
    assert "a copy of sqlite:///elsewhere.db" in found["text"]
