"""Each method of a Dialect, asked the same question on both databases."""

import os
import shutil
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.connect import driver_connection
from chatdb.db.database import Database
from chatdb.db.schema import TABLE_NAMES
from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
    DatabaseFailedError,
    DatabaseLockedError,
    DatabaseUnreachableError,
    StorageError,
)
from chatdb.primitives import canonical
from tests.postgres_server import PostgresServer


def test_the_server_version_is_a_plain_number(database: Database) -> None:
    with database.transaction() as connection:
        version = database.dialect.server_version(connection)

    assert all(part.isdigit() for part in version.split("."))


def test_existing_tables_names_chatdbs_tables_and_view(database: Database) -> None:
    with database.transaction() as connection:
        assert set(database.dialect.existing_tables(connection)) >= TABLE_NAMES


def test_json_is_stored_with_the_same_numbers_on_both(database: Database) -> None:
    odd = {"b": 1.5e300, "a": [1e22, -0.0, 1e-7, 2**70]}
    now = datetime.now(UTC)
    entry = {"id": uuid4(), "kind": "k", "subject": "s", "started_at": now, "outcome": "o"}
    with database.transaction(write=True) as connection:
        connection.execute(schema.log.insert(), {**entry, "details": odd})

    details = schema.log.c.details
    with database.transaction() as connection:
        found, read = connection.execute(
            sa.select(sa.cast(details, sa.Text), details).where(schema.log.c.kind == "k")
        ).one()
    assert canonical.encode(canonical.decode(found)) == canonical.encode(odd)
    assert canonical.encode(read) == canonical.encode(odd)


def test_a_snapshot_does_not_see_what_others_commit(database: Database) -> None:
    count = sa.text("SELECT count(*) FROM chatdb_settings")
    with database.transaction(snapshot=True) as reader:
        before = reader.scalar(count)
        with database.transaction(write=True) as writer:
            writer.execute(sa.text("INSERT INTO chatdb_settings VALUES ('a', 'b')"))

        assert reader.scalar(count) == before


def test_settings_end_with_their_transaction(postgresql_url: DatabaseUrl) -> None:
    ask = sa.text("SELECT current_setting('chatdb.bulk', true)")
    with Database.open(postgresql_url) as database, database.engine.connect() as connection:
        database.dialect.begin(
            connection, write=True, snapshot=False, settings={"chatdb.bulk": "it's on"}
        )
        assert connection.scalar(ask) == "it's on"
        connection.commit()

        assert not connection.scalar(ask)


def test_a_reading_transaction_cannot_write_on_postgresql(postgresql_url: DatabaseUrl) -> None:
    def write() -> None:
        with Database.open(postgresql_url) as database, database.transaction() as connection:
            connection.execute(sa.text("DELETE FROM chatdb_settings"))

    with pytest.raises(DatabaseFailedError, match="read-only"):
        write()


def test_chatdb_lives_in_a_schema_of_its_own(empty_postgresql_url: DatabaseUrl) -> None:
    with Database.open(empty_postgresql_url, schema='odd "name"') as database:
        with database.transaction(write=True) as connection:
            connection.execute(sa.text('CREATE SCHEMA "odd ""name"""'))
        with database.transaction(write=True) as connection:
            connection.execute(sa.text("CREATE TABLE here (a int)"))
            assert list(database.dialect.existing_tables(connection)) == ["here"]

    with Database.open(empty_postgresql_url) as database, database.transaction() as connection:
        assert list(database.dialect.existing_tables(connection)) == []


def test_a_list_of_hosts_is_tried_in_turn(
    postgres: PostgresServer, postgresql_url: DatabaseUrl
) -> None:
    url = DatabaseUrl(
        dialect_name="postgresql",
        user=postgresql_url.user,
        password=postgresql_url.password,
        host="127.0.0.1,127.0.0.1",
        port=f"1,{postgres.port}",
        database=postgresql_url.database,
        parameters=(("target_session_attrs", "read-write"),),
    )

    with Database.open(url) as database, database.transaction() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1


def test_a_wrong_password_is_unreachable_and_not_shown(postgresql_url: DatabaseUrl) -> None:
    url = DatabaseUrl(
        dialect_name="postgresql",
        user=postgresql_url.user,
        password="geheim",
        host=postgresql_url.host,
        port=postgresql_url.port,
        database=postgresql_url.database,
    )

    with pytest.raises(DatabaseUnreachableError) as caught, Database.open(url).transaction():
        pass

    assert "geheim" not in caught.value.text


@pytest.mark.large
def test_a_locked_file_is_said_to_be_locked(sqlite_url: DatabaseUrl) -> None:
    holder = sqlite3.connect(sqlite_url.sqlite_path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    def write() -> None:
        with Database.open(sqlite_url) as database, database.engine.connect() as connection:
            driver_connection(connection).execute("PRAGMA busy_timeout=50")
            with database.translated_errors():
                database.dialect.begin(connection, write=True, snapshot=False, settings={})

    with pytest.raises(DatabaseLockedError, match=r"chatdb\.db is locked"):
        write()
    holder.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "letter.db"
    path.write_text("Dear database, " * 100)
    url = DatabaseUrl(dialect_name="sqlite", path=path)

    with (
        pytest.raises(DatabaseUnreachableError, match=r"letter\.db is not a SQLite database"),
        Database.open(url).transaction() as connection,
    ):
        connection.exec_driver_sql("SELECT * FROM sqlite_master")


def test_a_missing_file_is_not_made_by_looking(tmp_path: Path) -> None:
    url = DatabaseUrl(dialect_name="sqlite", path=tmp_path / "none.db")

    with (
        pytest.raises(DatabaseUnreachableError, match=r"none\.db"),
        Database.open(url).transaction(),
    ):
        pass

    assert not url.sqlite_path.exists()


_READ_ONLY = """
import os, sys
import sqlalchemy as sa
from chatdb.db.database import Database
from chatdb.db.url import parse_url
from chatdb.errors import StorageError
database = Database.open(parse_url(sys.argv[1]))
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
with database.transaction() as connection:
    print(connection.scalar(sa.text("SELECT count(*) FROM organizations")))
try:
    with database.transaction(write=True) as connection:
        connection.execute(sa.text("DELETE FROM organizations"))
except StorageError as error:
    print(error.text)
"""


def test_a_file_in_a_read_only_folder_can_be_read_and_writing_is_refused(
    sqlite_url: DatabaseUrl,
) -> None:
    folder = Path("/tmp") / f"chatdb-read-only-{os.getpid()}"  # noqa: S108 - nobody must get in
    folder.mkdir()
    try:
        path = folder / "chat db.db"
        shutil.copy(sqlite_url.sqlite_path, path)
        path.chmod(0o444)
        folder.chmod(0o555)
        done = subprocess.run(
            [sys.executable, "-c", _READ_ONLY, f"sqlite:///{path}"],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)

    assert done.stdout.splitlines() == ["1", f"{path} is read-only"]


def test_a_full_disk_is_a_storage_error(sqlite_url: DatabaseUrl) -> None:
    def fill() -> None:
        with Database.open(sqlite_url) as database, database.transaction(write=True) as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=1")
            connection.exec_driver_sql(
                "INSERT INTO chatdb_settings VALUES ('big', zeroblob(10000000))"
            )

    with pytest.raises(StorageError, match="the disk is full"):
        fill()
