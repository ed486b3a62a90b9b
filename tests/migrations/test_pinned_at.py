"""Revision 0006 on a database with chats: what it adds, keeps and takes back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.another_program import execute_as_another_program
from chatdb.db.connect import connect_sqlite
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import downgrade, upgrade
from chatdb.db.url import DatabaseUrl
from chatdb.operations.schema.check import check
from tests.migrations.conftest import counts, fill
from tests.operations.conversation_rows import START, add_conversation
from tests.operations.restoring import kept_removed
from tests.postgres_server import PostgresServer

Run = Callable[..., Any]

OTHERS = "SELECT id, title, user_id, archived_at, starred_at, metadata, created_at, updated_at"
VIEW = "SELECT * FROM conversation_summaries ORDER BY id"


def rows_of(database: Database, query: str) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return [dict(row) for row in connection.exec_driver_sql(query).mappings()]


def test_the_column_comes_and_goes_and_every_row_stays(database: Database) -> None:
    add_conversation(database, ["one", "two"], number=1, user_id="ann", starred_at=START)
    add_conversation(database, ["x"], number=2, archived_at=START, pinned_at=START)
    fill(database)
    query = f"{OTHERS} FROM conversations ORDER BY id"
    downgrade(database, "0006")
    before, held, view = rows_of(database, query), counts(database), rows_of(database, VIEW)

    downgrade(database, "0005")
    assert rows_of(database, query) == before
    assert counts(database) == held
    without = [{name: value for name, value in row.items() if name != "pinned_at"} for row in view]
    assert rows_of(database, VIEW) == without
    upgrade(database, revision="0006")

    assert rows_of(database, query) == before
    assert counts(database) == held
    again = rows_of(database, VIEW)
    assert [row.pop("pinned_at") for row in again] == [None] * len(before)
    assert again == without


def test_the_view_tells_since_when_a_conversation_is_pinned(database: Database) -> None:
    add_conversation(database, ["x"], number=1, pinned_at=START)
    columns = schema.conversation_summaries.c

    with database.transaction() as connection:
        found = connection.execute(sa.select(columns.pinned_at, columns.message_count)).one()

    assert tuple(found) == (START, 1)


def test_an_applications_view_on_the_summaries_outlives_the_upgrade(
    run: Run, database_url: DatabaseUrl
) -> None:
    with Database.open(database_url) as database:
        downgrade(database, "0005")
        add_at_0005(database)
        execute_as_another_program(
            database_url,
            "CREATE VIEW app_counts AS SELECT message_count FROM conversation_summaries",
        )

    done = run("migrate", "-d", database_url.exposed())

    assert done.exit_code == 0, done.stderr
    assert execute_as_another_program(database_url, "SELECT * FROM app_counts") == [(0,)]


def test_an_applications_view_on_the_column_stops_the_downgrade_by_name(
    run: Run, database_url: DatabaseUrl
) -> None:
    make = "CREATE VIEW app_pins AS SELECT id, pinned_at FROM conversations"
    execute_as_another_program(database_url, make)

    done = run("schema", "downgrade", "0005", "--yes", "-d", database_url.exposed())

    assert done.exit_code == 1
    assert "app_pins" in done.stderr
    assert "DROP VIEW" in done.stderr.partition("hint: ")[2]


def test_a_downgrade_tells_that_the_column_goes_and_nothing_else(
    run: Run, database: Database
) -> None:
    for number in (1, 2, 3):
        add_conversation(database, ["x"], number=number, pinned_at=START)
    words = ("schema", "downgrade", "0005", "--dry-run", "--format", "json")

    lost = json.loads(run(*words, "-d", database.url.exposed()).stdout)

    assert ("column", "conversations.pinned_at", 3) in [
        (each["kind"], each["name"], each["rows"]) for each in lost
    ]


@pytest.mark.postgresql
def test_the_rights_on_the_view_come_through_both_ways(
    postgres: PostgresServer, postgresql_url: DatabaseUrl
) -> None:
    role = f'"by hand {postgresql_url.database}"'
    rights = (
        "SELECT relacl::text, reloptions FROM pg_class WHERE relname = 'conversation_summaries'"
    )

    def held() -> list[tuple[Any, ...]]:
        return execute_as_another_program(postgresql_url, rights)

    postgres.execute(
        f"CREATE ROLE {role}",
        f"GRANT SELECT ON conversation_summaries TO {role}",
        "GRANT SELECT ON conversation_summaries TO PUBLIC",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT INSERT, SELECT ON TABLES TO {role}",
        database=postgresql_url.database,
    )
    try:
        before = held()
        with Database.open(postgresql_url) as database:
            downgrade(database, "0005")
            down = held()
            upgrade(database)
        assert "by hand" in before[0][0]
        assert before == down == held()
    finally:
        postgres.execute(f"DROP OWNED BY {role}", database=postgresql_url.database)
        postgres.execute(f"DROP ROLE {role}")


def test_a_plan_tells_the_locks(run: Run, database: Database) -> None:
    downgrade(database, "0005")

    plan = run("migrate", "--plan", "--format", "json", "-d", database.url.exposed())

    told = [(each["lock"], each["tables"]) for each in json.loads(plan.stdout)]
    if database.dialect.name == "sqlite":
        assert {lock for lock, _ in told} == {"write lock of the file"}
    else:
        assert told[:2] == [
            ("ACCESS EXCLUSIVE", ["conversations"]),
            ("ACCESS EXCLUSIVE", ["conversation_summaries"]),
        ]


def add_at_0005(database: Database) -> str:
    """Write a conversation as that revision has it."""
    name = str(UUID(int=7))
    with database.transaction(write=True) as connection:
        of = connection.exec_driver_sql("SELECT id FROM organizations").scalar_one()
        time = "2026-01-31T12:00:00.000000Z"
        connection.execute(
            sa.text(
                "INSERT INTO conversations (organization_id, id, title, created_at, updated_at,"
                f" metadata) VALUES ('{of}', :id, :title, '{time}', '{time}', '{{}}')"
            ),
            {"id": name, "title": "old"},
        )
    return name


def test_a_database_of_before_is_told_to_be_migrated_and_then_works(
    run: Run, database: Database
) -> None:
    downgrade(database, "0005")
    name = add_at_0005(database)
    own = ("-d", database.url.exposed())

    refused = [
        run(*words, *own)
        for words in (
            ("conversations", "list"),
            ("conversations", "list", "--pinned"),
            ("conversations", "pin", name),
            ("export", "--to", "jsonl"),
            ("users", "list"),
        )
    ]
    done = run("migrate", *own)
    pinned = run("conversations", "pin", name, "--format", "json", *own)

    assert [each.exit_code for each in refused] == [4] * 5
    assert all(each.stderr.rstrip().endswith(" migrate") for each in refused)
    assert done.exit_code == 0, done.stderr
    (row,) = json.loads(pinned.stdout)
    assert row["pinned_at"] == row["updated_at"] > "2026-01-31"


@pytest.mark.parametrize("part", [(), ("--conversation",)], ids=["whole", "one conversation"])
def test_a_backup_of_before_comes_back_with_the_column(
    run: Run, database_url: DatabaseUrl, tmp_path: Path, part: tuple[str, ...]
) -> None:
    own = ("-d", database_url.exposed())
    with Database.open(database_url) as database:
        downgrade(database, "0005")
        name = add_at_0005(database)
    made = run("backup", "create", "-o", tmp_path / "backups", *own)
    assert made.exit_code == 0, made.stderr
    (manifest,) = (tmp_path / "backups").glob("*.json")
    archive = tmp_path / "backups" / json.loads(manifest.read_text())["files"][0]["name"]
    assert run("migrate", *own).exit_code == 0
    assert run("conversations", "delete", name, "--yes", "--no-keep", *own).exit_code == 0
    way = ("--via", database_url.exposed()) if part and database_url.path is None else ()

    with kept_removed(database_url):
        back = run("restore", archive, *(*part, name)[: 2 * len(part)], *way, "--yes", *own)
        shown = run("conversations", "pin", name, "--format", "json", *own)

    assert back.exit_code == 0, back.stderr
    assert shown.exit_code == 0, shown.stderr
    assert json.loads(shown.stdout)[0]["title"] == "old"
    with Database.open(database_url) as database:
        assert check(database).differences == ()


@pytest.mark.parametrize(
    "made",
    [
        "CREATE INDEX app_pins ON conversations (pinned_at)",
        "CREATE INDEX app_pins ON conversations (title) WHERE pinned_at IS NOT NULL",
        "CREATE TRIGGER app_pins AFTER UPDATE ON conversations BEGIN SELECT new.pinned_at; END",
    ],
)
@pytest.mark.parametrize("is_broken", [False, True], ids=["", "beside a broken view"])
def test_what_an_application_has_on_the_column_stops_the_downgrade_of_a_file(
    run: Run, sqlite_url: DatabaseUrl, made: str, *, is_broken: bool
) -> None:
    with connect_sqlite(sqlite_url) as file:
        file.execute(made)
        if is_broken:
            file.execute("CREATE VIEW app_broken AS SELECT * FROM no_such_table")

    done = run("schema", "downgrade", "0005", "--yes", "-d", sqlite_url.exposed())

    assert done.exit_code == 1
    assert ("app_broken" if is_broken else "app_pins") in done.stderr
    assert run("migrate", "-d", sqlite_url.exposed()).exit_code == 0
    assert run("conversations", "list", "--pinned", "-d", sqlite_url.exposed()).exit_code == 0
