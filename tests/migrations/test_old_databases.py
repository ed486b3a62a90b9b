"""Databases that released versions made: migrated to head, and used."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

import chatdb
from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import downgrade, upgrade
from chatdb.db.url import DatabaseUrl
from chatdb.operations.schema.check import check
from tests.migrations.conftest import fill
from tests.migrations.write_old_databases import FOLDER, rows
from tests.postgres_server import PostgresServer

FILES = pytest.mark.parametrize("path", sorted(FOLDER.glob("*.sql")), ids=lambda path: path.name)
SEARCH = {
    "sqlite": "SELECT count(*) FROM messages_search WHERE messages_search MATCH 'lantern'",
    "postgresql": "SELECT count(*) FROM messages"
    " WHERE to_tsvector('simple', content) @@ to_tsquery('simple', 'lantern')",
}


def test_this_version_has_its_files() -> None:
    names = {path.name for path in FOLDER.glob("*.sql")}

    assert {f"{chatdb.__version__}.{name}.sql" for name in ("sqlite", "postgresql")} <= names


@FILES
def test_an_old_database_is_migrated_and_used(
    path: Path, postgres: PostgresServer, tmp_path: Path
) -> None:
    text = path.read_text(encoding="utf-8")
    if path.name.endswith(".sqlite.sql"):
        url = DatabaseUrl(dialect_name="sqlite", path=tmp_path / "old.db")
        with closing(sqlite3.connect(url.sqlite_path)) as connection:
            connection.executescript(text)
        migrate_and_use(url)
    else:
        with postgres.new_database() as url:
            with psycopg.connect(**url.libpq()) as connection:  # type: ignore[arg-type]
                connection.execute(text.encode())
            migrate_and_use(url)


def migrate_and_use(url: DatabaseUrl) -> None:
    with Database.open(url) as database:
        upgrade(database)

        assert check(database).differences == ()
        with database.transaction() as connection:
            for table in (schema.messages, schema.snapshots, schema.tombstones):
                expected = [row for of, row in rows() if of is table]
                columns = [table.c[name] for name in expected[0]]
                found = [dict(row) for row in connection.execute(sa.select(*columns)).mappings()]
                assert sorted(found, key=repr) == sorted(expected, key=repr)
            assert connection.exec_driver_sql(SEARCH[database.dialect.name]).scalar_one() == 3
        fill(database, conversations=1, messages=1)
        with database.transaction() as connection:
            assert connection.exec_driver_sql(SEARCH[database.dialect.name]).scalar_one() == 4
        downgrade(database, "0001")
        upgrade(database)
        assert check(database).differences == ()
