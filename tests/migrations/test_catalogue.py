"""The two schemas: what the migrations build, and that it means the same on both databases."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.migrating.catalogue import (
    catalogue_path,
    compare,
    expected_catalogue,
)
from chatdb.db.migrating.scripts import scripts
from chatdb.db.url import DatabaseUrl, DialectName
from tests.migrations.write_catalogue import catalogue_text

ONLY_SQLITE_COLUMNS = {("messages", "rid")}
ONLY_POSTGRESQL_INDEXES = {
    "ix_conversations_metadata",
    "ix_messages_search",
    "ix_messages_attached_search",
}
KIND_OF_TYPE = {
    "UUID": "text",
    "TEXT": "text",
    "BLOB": "bytes",
    "BYTEA": "bytes",
    "ARRAY": "bytes",
    "VARCHAR": "text",
    "TIMESTAMP": "text",
    "JSONB": "text",
    "INTEGER": "integer",
    "BIGINT": "integer",
}
LONGEST_NAME = 45
FORBIDDEN = re.compile(r"SET NULL|RENAME CONSTRAINT|\bSERIAL\b|IDENTITY", re.IGNORECASE)


def test_the_catalogue_file_is_what_the_migrations_build(database: Database) -> None:
    with database.transaction() as connection:
        found = database.dialect.migration_ways().catalogue(connection)
    expected = expected_catalogue(database.dialect.name)
    assert compare(expected, found) == [], "run: python -m tests.migrations.write_catalogue"
    assert expected == list(found)
    both: tuple[DialectName, ...] = ("sqlite", "postgresql")
    text = catalogue_text({name: expected_catalogue(name) for name in both})
    assert catalogue_path().read_text(encoding="utf-8") == text


def inspected(url: DatabaseUrl) -> sa.Inspector:
    return sa.inspect(Database.open(url).engine)


@pytest.fixture
def both(sqlite_url: DatabaseUrl, postgresql_url: DatabaseUrl) -> tuple[sa.Inspector, sa.Inspector]:
    return inspected(sqlite_url), inspected(postgresql_url)


TABLES = sorted(schema.metadata.tables)


@pytest.mark.parametrize("table", TABLES)
def test_columns_mean_the_same_on_both(both: tuple[sa.Inspector, sa.Inspector], table: str) -> None:
    described = [
        {
            column["name"]: (
                KIND_OF_TYPE[type(column["type"]).__name__.upper()],
                column["nullable"],
                column["default"] and column["default"].removesuffix("::text"),
            )
            for column in inspector.get_columns(table)
            if (table, column["name"]) not in ONLY_SQLITE_COLUMNS
        }
        for inspector in both
    ]

    assert described[0] == described[1]
    assert list(described[1]) == [column.name for column in schema.metadata.tables[table].columns]


@pytest.mark.parametrize("table", TABLES)
def test_keys_checks_and_references_mean_the_same_on_both(
    both: tuple[sa.Inspector, sa.Inspector], table: str
) -> None:
    described = []
    for inspector in both:
        primary = tuple(inspector.get_pk_constraint(table)["constrained_columns"])
        unique = {tuple(item["column_names"]) for item in inspector.get_unique_constraints(table)}
        if primary == ("rid",):
            [primary] = [item for item in unique if item[-1] == "id"]
            unique -= {primary}
        references = {
            (
                item["name"],
                tuple(item["constrained_columns"]),
                item["referred_table"],
                tuple(item["referred_columns"]),
                item["options"].get("ondelete"),
            )
            for item in inspector.get_foreign_keys(table)
        }
        checks = {
            (item["name"], tuple(sorted(re.findall(r"'(\w+)'", item["sqltext"]))))
            for item in inspector.get_check_constraints(table)
        }
        described.append((primary, unique, references, checks))

    assert described[0] == described[1]


@pytest.mark.parametrize("table", TABLES)
def test_indexes_are_the_same_on_both(
    database: Database,
    sqlite_url: DatabaseUrl,
    postgresql_url: DatabaseUrl,
    table: str,
) -> None:
    del database
    described = []
    for url in (sqlite_url, postgresql_url):
        with Database.open(url) as handle, handle.transaction() as connection:
            described.append(
                {
                    entry.name: re.sub(
                        r"\s+|::text|\((?=kind)|\)$", "", entry.definition.split("(", 1)[1]
                    )
                    for entry in handle.dialect.migration_ways().catalogue(connection)
                    if entry.kind == "index"
                    and entry.table == table
                    and entry.name not in ONLY_POSTGRESQL_INDEXES
                }
            )

    assert described[0] == described[1]


def test_the_view_has_the_same_columns_on_both(both: tuple[sa.Inspector, sa.Inspector]) -> None:
    names = [
        [column["name"] for column in inspector.get_columns("conversation_summaries")]
        for inspector in both
    ]

    assert names[0] == names[1]
    # Later revisions add behind the counts: PostgreSQL adds to a view at its end only.
    assert sorted(names[0]) == sorted(schema.conversation_summaries.columns.keys())


def test_each_tenants_keys_begin_with_the_tenant() -> None:
    tenants = [
        each for each in schema.metadata.tables.values() if "organization_id" in each.columns
    ]

    assert len(tenants) > 4
    for table in tenants:
        assert next(iter(table.primary_key.columns)).name == "organization_id"
        for constraint in table.constraints:
            if isinstance(constraint, sa.UniqueConstraint | sa.ForeignKeyConstraint):
                assert next(iter(constraint.columns)).name == "organization_id", constraint.name
        for index in table.indexes:
            assert next(iter(index.expressions)) is table.c.organization_id, index.name


def test_names_are_short_and_deletes_cascade_or_do_nothing(database: Database) -> None:
    with database.transaction() as connection:
        entries = database.dialect.migration_ways().catalogue(connection)

    assert len(entries) > 50
    for entry in entries:
        assert len(entry.name) <= LONGEST_NAME, entry.name
        assert not entry.name.startswith("unnamed"), entry
        assert "SET NULL" not in entry.definition.upper(), entry
        assert "nextval" not in entry.definition, entry


SCRIPTS = pytest.mark.parametrize(
    "path", [script.path for script in scripts()], ids=lambda p: p.stem
)


@SCRIPTS
def test_a_script_stands_alone_and_has_both_directions(path: Path) -> None:
    text = path.read_text()

    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE))
    assert imported <= {"alembic", "sqlalchemy", "uuid", "dataclasses", "datetime", "typing"}
    assert re.search(r"^def upgrade\(\)", text, re.MULTILINE)
    assert re.search(r"^def downgrade\(\)", text, re.MULTILINE)
    assert re.fullmatch(r"\d{4}_[a-z0-9_]+", path.stem)


@pytest.mark.parametrize("down", [False, True], ids=["up", "down"])
def test_each_statement_is_one_that_every_server_takes(database: Database, down: bool) -> None:
    ways = database.dialect.migration_ways()

    for script in scripts():
        statements = list(ways.script_statements(script, down=down, directory=None))
        assert statements, script
        for statement in statements:
            outside_bodies = re.sub(
                r"\$body\$.*\$body\$|\bBEGIN\b.*\bEND\b", "", statement, flags=re.DOTALL
            )
            assert ";" not in re.sub(r"'[^']*'", "", outside_bodies), statement
            assert not FORBIDDEN.search(statement), statement
            assert len(re.findall(r"\b(?:ADD|DROP) (?:COLUMN|CONSTRAINT)", statement)) <= 1


def test_every_table_is_separated_by_row_and_every_tenants_table_has_a_policy() -> None:
    """Roles of applications have rights on later tables too: only policies keep tenants apart."""
    entries = expected_catalogue("postgresql")
    separated = {
        entry.name
        for entry in entries
        if entry.kind == "table" and entry.definition.endswith("row-level security")
    }
    with_policy = {entry.table for entry in entries if entry.kind == "policy"}

    assert separated == set(schema.metadata.tables)
    for table in schema.metadata.tables.values():
        if "organization_id" in table.columns:
            assert table.name in with_policy
    [view] = [entry for entry in entries if entry.kind == "view"]
    assert "security_invoker=true" in view.definition


def test_each_revision_says_what_it_does() -> None:
    assert [each.title for each in scripts() if not each.title[:1].isupper()] == []
