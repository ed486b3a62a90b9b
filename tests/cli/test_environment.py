"""What a database is labelled as, shown and set, and what follows from it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import RefusedError
from chatdb.operations.schema import environment
from tests.operations.conversation_rows import add_conversation

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def _configured(database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url.exposed())


@pytest.fixture
def name(database_url: DatabaseUrl) -> str:
    return database_url.name if database_url.path is None else database_url.path.name


def shown(run: Run) -> Any:
    return json.loads(run("environment", "show", "--format", "json").stdout)["environment"]


def test_a_label_is_set_shown_and_logged(run: Run, database: Database, name: str) -> None:
    assert shown(run) is None

    answer = run("environment", "set", "Staging", "--format", "json")

    assert json.loads(answer.stdout) == {
        "environment": "staging",
        "before": None,
        "dry_run": False,
    }
    table = run("environment", "show").stdout
    assert "staging" in table
    assert name in table
    assert "hunter2" not in table
    with database.transaction() as connection:
        row = connection.execute(
            sa.select(schema.log).where(schema.log.c.kind == "environment")
        ).one()
    assert (row.subject, row.details["before"]) == ("staging", None)
    assert row.finished_at <= datetime.now(UTC)


def test_production_is_taken_off_by_its_name_only(run: Run, name: str) -> None:
    run("environment", "set", "production")

    refused = run("environment", "set", "development", "--yes")

    assert refused.exit_code == 6
    assert f"add --confirm {name}" in refused.stderr
    assert shown(run) == "production"
    assert run("environment", "set", "development", "--yes", "--confirm", name).exit_code == 0
    assert shown(run) == "development"


def test_a_dry_run_changes_no_label(run: Run) -> None:
    answer = run("environment", "set", "production", "--dry-run", "--format", "json")

    assert json.loads(answer.stdout)["dry_run"] is True
    assert shown(run) is None


def test_production_that_came_meanwhile_stays(database: Database) -> None:
    environment.set_label(database, "production")

    with pytest.raises(RefusedError, match="in the meantime"):
        environment.set_label(database, "staging")

    assert environment.label(database) == "production"


def test_a_conversation_on_production_goes_by_the_databases_name_only(
    run: Run, database: Database, name: str
) -> None:
    identifier = add_conversation(database, ["hello"])
    environment.set_label(database, "production")

    refused = run("conversations", "delete", identifier, "--yes")

    assert refused.exit_code == 6
    assert "production" in refused.stderr
    listed = run("conversations", "list", "--format", "json").stdout
    assert str(identifier) in listed
    deleted = run("conversations", "delete", identifier, "--yes", "--confirm", name)
    assert deleted.exit_code == 0


def test_the_schema_of_production_is_taken_back_by_its_name_only(
    run: Run, database: Database
) -> None:
    environment.set_label(database, "production")

    assert run("schema", "downgrade", "base", "--yes").exit_code == 6
    assert run("schema", "downgrade", "base", "--yes", "--confirm", "wrong").exit_code == 6
    assert run("schema", "downgrade", "base", "--dry-run").exit_code == 0
    assert shown(run) == "production"


def test_config_and_doctor_tell_the_label(run: Run, database: Database) -> None:
    environment.set_label(database, "production")

    rows = json.loads(run("config", "show", "--format", "json").stdout)
    found = json.loads(run("doctor", "--fail-on", "never", "--format", "json").stdout)

    assert {"name": "environment", "value": "production", "source": "the database"} in rows
    text = next(item["text"] for item in found if item["id"] == "environment")
    assert "labelled production" in text


def test_a_database_that_does_not_answer_leaves_the_settings_shown(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/chat")

    answer = run("config", "show", "--format", "json")

    assert answer.exit_code == 0
    row = next(row for row in json.loads(answer.stdout) if row["name"] == "environment")
    assert (row["value"], row["source"]) == (None, "the database does not answer")
    assert run("environment", "show").exit_code == 3
