"""What `schema check` finds different from head, and what `schema dump` writes."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from chatdb.db import schema as tables
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.migrating.scripts import scripts
from chatdb.db.url import DatabaseUrl
from chatdb.errors import SchemaMismatchError
from chatdb.operations.schema.check import check, dump
from chatdb.operations.schema.schema import status
from tests.migrations.conftest import fill
from tests.postgres_server import PostgresServer


def execute(database: Database, *statements: str) -> None:
    with database.transaction(write=True) as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def problems(database: Database) -> set[tuple[str, str, str]]:
    return {(item.problem, item.kind, item.name) for item in check(database).differences}


def test_a_migrated_database_has_no_differences(database: Database) -> None:
    fill(database)

    report = check(database)

    assert report.differences == ()
    assert report.notes == ()


def test_check_names_what_was_dropped_added_and_changed(database: Database) -> None:
    execute(
        database,
        "DROP INDEX ix_messages_created_at",
        "CREATE INDEX ix_theirs ON messages (model)",
        "ALTER TABLE messages ADD COLUMN mood text",
        "DROP VIEW conversation_summaries",
        "CREATE VIEW conversation_summaries AS SELECT id FROM conversations",
        "DROP TRIGGER messages_touch_insert"
        + (" ON messages" if database.dialect.name == "postgresql" else ""),
        "DROP TABLE tombstones",
    )

    assert problems(database) == {
        ("missing", "index", "ix_messages_created_at"),
        ("unexpected", "column", "mood"),
        ("changed", "view", "conversation_summaries"),
        ("missing", "trigger", "messages_touch_insert"),
        ("missing", "table", "tombstones"),
    }


def test_check_sees_constraints_types_functions_and_disabled_triggers(
    postgresql_url: DatabaseUrl,
) -> None:
    with Database.open(postgresql_url) as database:
        execute(
            database,
            "ALTER TABLE messages DROP CONSTRAINT ck_messages_role",
            "ALTER TABLE messages ALTER COLUMN position TYPE bigint",
            "ALTER TABLE conversations ALTER COLUMN title SET NOT NULL",
            "ALTER TABLE messages DISABLE TRIGGER messages_touch_update",
            "CREATE OR REPLACE FUNCTION chatdb_touch_conversations() RETURNS trigger"
            " LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        )

        assert problems(database) == {
            ("missing", "constraint", "ck_messages_role"),
            ("changed", "column", "position"),
            ("changed", "column", "title"),
            ("changed", "trigger", "messages_touch_update"),
            ("changed", "function", "chatdb_touch_conversations"),
        }


def test_an_index_that_others_added_is_a_note_unless_it_is_unique(database: Database) -> None:
    execute(
        database,
        "CREATE INDEX ix_theirs ON messages (model)",
        "CREATE UNIQUE INDEX ix_harmful ON messages (organization_id, content)",
    )

    assert problems(database) == {("unexpected", "index", "ix_harmful")}
    assert check(database).notes == ("the index ix_theirs on messages is not chatdb's",)


def test_triggers_that_citus_cannot_have_are_neither_made_nor_missed(
    empty_postgresql_url: DatabaseUrl,
) -> None:
    with Database.open(empty_postgresql_url) as database:
        execute(  # what the server's catalogue says where Citus is installed
            database,
            "INSERT INTO pg_extension (oid, extname, extowner, extnamespace, extrelocatable,"
            " extversion) SELECT 1, 'citus', extowner, extnamespace, false, '13.0'"
            " FROM pg_extension WHERE extname = 'plpgsql'",
        )
        upgrade(database)

        with database.transaction() as connection:
            triggers = connection.exec_driver_sql("SELECT tgname FROM pg_trigger").scalars().all()
        assert not [name for name in triggers if "touch" in name]
        assert check(database).differences == ()


def test_a_schema_of_any_name_is_compared(empty_postgresql_url: DatabaseUrl) -> None:
    with Database.open(empty_postgresql_url, schema='their "own" schema.') as database:
        upgrade(database)

        assert check(database).differences == ()
        assert "their" not in dump(database)


def test_a_changed_script_of_an_applied_revision_is_named(database: Database) -> None:
    execute(database, "UPDATE chatdb_log SET sha256 = 'other' WHERE subject = '0002'")

    [difference] = check(database).differences

    assert (difference.kind, difference.name, difference.found) == ("script", "0002", "other")
    assert scripts()[1].sha256 in difference.expected


@pytest.mark.parametrize("state", ["deferred", "off"])
def test_a_search_index_that_is_missing_on_purpose_is_a_note(
    database: Database, state: str
) -> None:
    if database.dialect.name == "postgresql":
        execute(database, "DROP INDEX ix_messages_search")
    else:
        execute(database, "DROP TRIGGER messages_search_insert")
    assert len(check(database).differences) == 1
    execute(database, f"INSERT INTO chatdb_settings VALUES ('search_index', '{state}')")

    report = check(database)

    assert report.differences == ()
    assert state in report.notes[0]
    assert status(database).search_index == state


def test_check_wants_the_database_at_head(empty_database_url: DatabaseUrl) -> None:
    with Database.open(empty_database_url, create=True) as database:
        upgrade(database, revision=scripts()[0].revision)
        with pytest.raises(SchemaMismatchError):
            check(database)


def test_a_dump_makes_a_schema_that_check_accepts(
    database: Database, postgres: PostgresServer, tmp_path: Path
) -> None:
    execute(database, "CREATE INDEX \"Their own\" ON messages (model) WHERE model <> 'a;b'")
    text = dump(database)

    if database.dialect.name == "sqlite":
        url = DatabaseUrl(dialect_name="sqlite", path=tmp_path / "dumped.db")
        with closing(sqlite3.connect(url.sqlite_path)) as connection:
            connection.executescript(text)
        assert_like(database, url)
    else:
        with postgres.new_database() as url:
            with psycopg.connect(**url.libpq()) as connection:  # type: ignore[arg-type]
                connection.execute(text.encode())
            assert_like(database, url)


def assert_like(database: Database, url: DatabaseUrl) -> None:
    with Database.open(url) as copy:
        fill(copy)
        assert check(copy) == check(database)
        assert check(copy).notes == ("the index Their own on messages is not chatdb's",)
        assert dump(copy) == dump(database)
        with copy.transaction() as connection:
            query = sa.select(tables.organizations.c.key)
            assert connection.scalars(query).all() == ["default"]


def test_a_dump_of_a_schema_of_its_own_names_no_schema(
    empty_postgresql_url: DatabaseUrl,
) -> None:
    with Database.open(empty_postgresql_url, schema="theirs") as database:
        upgrade(database)

        assert check(database).differences == ()
        assert "theirs" not in dump(database)
