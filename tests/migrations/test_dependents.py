"""A downgrade that an application's own objects stop: they are named, and how they go."""

from typing import Any

import pytest

from chatdb.db.another_program import execute_as_another_program
from chatdb.db.migrating.revision import look
from chatdb.db.url import DatabaseUrl

VIEW = "CREATE VIEW app_titles AS SELECT id, title FROM conversations"
REFERENCE = (
    "CREATE TABLE app_notes (organization_id {uuid}, conversation_id {uuid}, FOREIGN KEY"
    " (organization_id, conversation_id) REFERENCES conversations (organization_id, id))"
)


def make(url: DatabaseUrl, statement: str) -> None:
    kind = "uuid" if url.path is None else "text"
    execute_as_another_program(url, statement.format(uuid=kind))


@pytest.mark.parametrize(
    ("statement", "named", "way_on"),
    [
        (VIEW, "view app_titles", "DROP VIEW"),
        (REFERENCE, "app_notes", "app_notes"),
    ],
    ids=["a view", "a foreign key"],
)
def test_what_depends_on_chatdbs_tables_is_named_with_its_drop(
    run: Any, database_url: DatabaseUrl, statement: str, named: str, way_on: str
) -> None:
    make(database_url, statement)

    done = run("schema", "downgrade", "base", "--yes", "-d", database_url.exposed())

    assert done.exit_code == 1
    assert "other objects depend on what it drops" in done.stderr
    assert named in done.stderr
    assert way_on in done.stderr.partition("hint: ")[2]
    assert look(database_url).revision == "0001"


def test_a_broken_view_of_the_applications_is_no_traceback(
    run: Any, sqlite_url: DatabaseUrl
) -> None:
    execute_as_another_program(sqlite_url, "CREATE TABLE gone (id)")
    execute_as_another_program(sqlite_url, "CREATE VIEW broken AS SELECT id FROM gone")
    execute_as_another_program(sqlite_url, "DROP TABLE gone")

    back = run("schema", "downgrade", "0004", "--yes", "-d", sqlite_url.exposed())
    again = run("migrate", "-d", sqlite_url.exposed())

    assert (back.exit_code, again.exit_code) == (0, 0)


def test_a_missing_right_names_the_grant(
    run: Any, empty_postgresql_url: DatabaseUrl, bare_role: DatabaseUrl
) -> None:
    done = run("migrate", "-d", bare_role.exposed())
    planned = run("migrate", "--plan", "-d", bare_role.exposed())
    elsewhere = run("migrate", "--schema", "own", "-d", bare_role.exposed())

    name = bare_role.user
    assert (done.exit_code, planned.exit_code, elsewhere.exit_code) == (1, 1, 1)
    assert f"user {name} may not create tables in the schema public" in done.stderr
    assert f"GRANT USAGE, CREATE ON SCHEMA public TO {name}" in done.stderr
    assert "GRANT USAGE, CREATE" in planned.stderr
    assert f"CREATE SCHEMA own AUTHORIZATION {name}" in elsewhere.stderr
    assert look(empty_postgresql_url).state == "empty"


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_of_another_encoding_is_refused_before_anything_is_written(
    run: Any, postgres: Any, encoding: str
) -> None:
    name = f"letters_{encoding.lower()}"
    postgres.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    try:
        url = postgres.url(name)
        done = run("migrate", "--schema", "chat", "-d", url.exposed())
        planned = run("migrate", "--plan", "-d", url.exposed())
        schemas = execute_as_another_program(
            url, "SELECT nspname FROM pg_namespace WHERE nspname = 'chat'"
        )
    finally:
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")

    assert (done.exit_code, planned.exit_code) == (6, 6)
    assert encoding in done.stderr
    assert "TEMPLATE template0 ENCODING 'UTF8'" in done.stderr
    assert schemas == []


def test_tables_in_another_schema_are_named_instead_of_made_again(
    run: Any, empty_postgresql_url: DatabaseUrl
) -> None:
    url = empty_postgresql_url.exposed()
    made = run("migrate", "--schema", "app", "-d", url)

    refused = run("migrate", "-d", url)
    planned = run("migrate", "--plan", "-d", url)
    told = {
        words: run(*words.split(), "-d", url)
        for words in ("status", "conversations list", "schema history", "search x")
    }
    status = run("schema", "status", "-d", url)
    second = run("migrate", "--schema", "public", "-d", url)

    assert (made.exit_code, refused.exit_code, planned.exit_code) == (0, 6, 6)
    assert "migrate --schema app" in refused.stderr
    assert {words: done.exit_code for words, done in told.items()} == dict.fromkeys(told, 4)
    assert all("--schema app" in done.stderr for done in told.values())
    assert "in the schema app" in status.stderr
    assert second.exit_code == 0


def test_a_search_path_without_a_schema_for_tables_is_told(
    run: Any, empty_postgresql_url: DatabaseUrl, postgres: Any
) -> None:
    name = empty_postgresql_url.database
    postgres.execute(f"ALTER DATABASE {name} SET search_path = 'pg_catalog'")

    done = run("migrate", "-d", empty_postgresql_url.exposed())
    named = run("migrate", "--schema", "public", "-d", empty_postgresql_url.exposed())

    assert (done.exit_code, named.exit_code) == (2, 0)
    assert "--schema public" in done.stderr
