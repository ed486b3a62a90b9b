"""What SQLite needs beside transactions: a copy first, nothing lost when a table is rebuilt."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import MigrationSettings, upgrade
from chatdb.db.migrating.revision import look
from chatdb.db.migrating.scripts import head_revision, scripts
from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
    DatabaseUnreachableError,
    MigrationFailedError,
    RefusedError,
)
from tests.migrations.conftest import Listener, WriteScript, counts, fill

ADD_TABLE = 'op.create_table("extra", sa.Column("id", sa.Integer(), nullable=False))'
WITHOUT_ROOTS_RIGHTS = """
import ctypes, os, sys
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
for right in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
    assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, right, 0, 0, 0) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""
FAIL = ADD_TABLE + '\nop.execute("INSERT INTO no_such_table VALUES (1)")'


def copies(url: DatabaseUrl) -> list[Path]:
    return sorted(url.sqlite_path.parent.glob("*.before_*"))


def test_the_copy_of_a_sqlite_file_goes_after_success(
    sqlite_url: DatabaseUrl, longer_chain: WriteScript
) -> None:
    settings = MigrationSettings(directory=longer_chain(ADD_TABLE))

    with Database.open(sqlite_url) as database:
        upgrade(database, settings=settings)

    assert copies(sqlite_url) == []


def test_the_copy_of_a_sqlite_file_stays_when_asked_for(
    sqlite_url: DatabaseUrl, longer_chain: WriteScript, listener: Listener
) -> None:
    settings = MigrationSettings(directory=longer_chain(ADD_TABLE), keep_copy=True)

    with Database.open(sqlite_url) as database:
        upgrade(database, settings=settings, watch=listener)

    [copy] = copies(sqlite_url)
    assert str(copy) in listener.notes[-1]
    assert look(DatabaseUrl(dialect_name="sqlite", path=copy)).revision == head_revision()


def test_the_copy_of_a_sqlite_file_is_kept_and_named_when_a_revision_fails(
    sqlite_url: DatabaseUrl, longer_chain: WriteScript
) -> None:
    with Database.open(sqlite_url) as database:
        fill(database)
        expected = counts(database)
        with pytest.raises(MigrationFailedError) as caught:
            upgrade(database, settings=MigrationSettings(directory=longer_chain(FAIL)))

    [copy] = copies(sqlite_url)
    assert str(copy) in caught.value.text
    assert copy.stat().st_mode & 0o777 == 0o600
    with Database.open(DatabaseUrl(dialect_name="sqlite", path=copy)) as database:
        assert counts(database) == expected


def test_a_file_with_an_applications_tables_is_copied_first(tmp_path: Path) -> None:
    path = tmp_path / "application.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE theirs (id)")
        connection.execute("INSERT INTO theirs VALUES (7)")
        connection.commit()

    with Database.open(DatabaseUrl(dialect_name="sqlite", path=path)) as database:
        upgrade(database, settings=MigrationSettings(keep_copy=True))

    [copy] = tmp_path.glob("*.before_*.db")
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


def test_names_in_another_case_are_chatdbs_names_to_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "application.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE Messages (id)")
    url = DatabaseUrl(dialect_name="sqlite", path=path)

    assert look(url).state == "not_chatdb"
    with Database.open(url) as database, pytest.raises(RefusedError, match="messages"):
        upgrade(database)


def test_a_read_only_file_is_told_before_it_is_copied(tmp_path: Path) -> None:
    """As root without the right to write what others may not."""
    path = tmp_path / "chatdb.db"
    url = DatabaseUrl(dialect_name="sqlite", path=path)
    with Database.open(url, create=True) as database:
        upgrade(database, revision=scripts()[0].revision)
    path.chmod(0o444)
    words = [sys.executable, "-m", "chatdb", "migrate", "-d", url.exposed()]
    if os.geteuid() == 0:
        words = [sys.executable, "-c", WITHOUT_ROOTS_RIGHTS, *words]

    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == 1
    assert f"{path} is read-only" in done.stderr
    assert list(tmp_path.glob("*.before_*")) == []


def test_a_new_file_is_not_copied(tmp_path: Path) -> None:
    url = DatabaseUrl(dialect_name="sqlite", path=tmp_path / "new.db")

    with Database.open(url, create=True) as database:
        upgrade(database, settings=MigrationSettings(keep_copy=True))

    assert copies(url) == []


REBUILD = """
if sqlite:
    with op.batch_alter_table("{table}", recreate="always") as batch:
        batch.add_column(sa.Column("mood", sa.Text()))
"""


def test_rebuilding_a_parent_table_keeps_every_child_row(
    sqlite_url: DatabaseUrl, longer_chain: WriteScript
) -> None:
    rebuild = REBUILD.format(table="organizations")
    with Database.open(sqlite_url) as database:
        fill(database)
        before = counts(database)

        upgrade(database, settings=MigrationSettings(directory=longer_chain(rebuild)))

        assert counts(database) == before


RECIPE = """
if not sqlite:
    return
connection = op.get_bind()
kept = connection.exec_driver_sql(
    "SELECT type, name, sql FROM sqlite_master"
    " WHERE type = 'view' OR type = 'trigger' AND tbl_name = 'messages' ORDER BY type DESC"
).all()
for kind, name, _ in kept:
    if kind == "view":
        op.execute(f"DROP VIEW {name}")
with op.batch_alter_table("messages", recreate="always") as batch:
    batch.add_column(sa.Column("mood", sa.Text()))
for _, _, statement in kept:
    connection.exec_driver_sql(statement)
op.execute("INSERT INTO messages_search(messages_search) VALUES('rebuild')")
"""
"""How docs/migrations.md tells to rebuild a table that views and triggers hang on."""


def test_a_rebuild_by_the_recipe_keeps_rows_triggers_and_search(
    sqlite_url: DatabaseUrl, longer_chain: WriteScript
) -> None:
    with Database.open(sqlite_url) as database:
        fill(database)
        before = counts(database)

        upgrade(database, settings=MigrationSettings(directory=longer_chain(RECIPE)))

        assert counts(database) == before
        fill(database, conversations=1, messages=1)
        with database.transaction() as connection:
            found = connection.exec_driver_sql(
                "SELECT count(*) FROM messages_search WHERE messages_search MATCH 'lantern'"
            )
            assert found.scalar_one() == 13


def test_a_rebuild_that_loses_triggers_is_taken_back(
    sqlite_url: DatabaseUrl, longer_chain: WriteScript
) -> None:
    rebuild = RECIPE.replace(
        "for _, _, statement in kept:",
        "for _, _, statement in [row for row in kept if row[0] == 'view']:",
    )
    with Database.open(sqlite_url) as database:
        fill(database)
        with pytest.raises(MigrationFailedError, match="messages_search_insert on messages"):
            upgrade(database, settings=MigrationSettings(directory=longer_chain(rebuild)))

        assert look(sqlite_url).revision == head_revision()
        with database.transaction() as connection:
            found = connection.exec_driver_sql(
                "SELECT count(*) FROM messages_search WHERE messages_search MATCH 'lantern'"
            )
            assert found.scalar_one() == 12


def test_a_revision_after_which_search_answers_wrongly_is_taken_back(
    sqlite_url: DatabaseUrl, longer_chain: WriteScript
) -> None:
    shift = """
if sqlite:
    op.execute("DROP TRIGGER messages_search_update")
    op.execute("UPDATE messages SET content = 'other words'")
    op.execute(
        "CREATE TRIGGER messages_search_update AFTER UPDATE OF rid, content ON messages"
        " BEGIN SELECT 1; END"
    )
"""
    with Database.open(sqlite_url) as database:
        fill(database)
        with pytest.raises(MigrationFailedError, match="no longer matches its texts"):
            upgrade(database, settings=MigrationSettings(directory=longer_chain(shift)))

        with database.transaction() as connection:
            assert "lantern" in (connection.scalar(sa.select(schema.messages.c.content)) or "")


def test_a_revision_that_breaks_references_is_taken_back(
    sqlite_url: DatabaseUrl, longer_chain: WriteScript
) -> None:
    orphan = 'if sqlite:\n    op.execute("DELETE FROM conversations")'
    with Database.open(sqlite_url) as database:
        fill(database)
        before = counts(database)

        with pytest.raises(
            MigrationFailedError, match=r"rows of message\w* refer to missing rows of conv"
        ):
            upgrade(database, settings=MigrationSettings(directory=longer_chain(orphan)))

        assert counts(database) == before


def test_a_full_disk_takes_the_revision_back(
    sqlite_url: DatabaseUrl, longer_chain: WriteScript
) -> None:
    """SQLite is told that the file may not grow, which is what a full disk looks like to it."""
    grow = """
pages = op.get_bind().exec_driver_sql("PRAGMA page_count").scalar()
op.get_bind().exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")
op.execute("CREATE TABLE extra AS SELECT zeroblob(1000000) AS filling")
"""
    with Database.open(sqlite_url) as database:
        fill(database)
        before = counts(database)

        with pytest.raises(MigrationFailedError, match="disk is full"):
            upgrade(database, settings=MigrationSettings(directory=longer_chain(grow)))

        assert counts(database) == before
        assert "extra" not in sa.inspect(database.engine).get_table_names()
        assert upgrade(database) == []


def test_a_file_and_folder_that_cannot_be_written_are_told(tmp_path: Path) -> None:
    path = tmp_path / "not a database.db"
    path.write_text("This is a letter, and a long one, to somebody who is no database at all. " * 9)
    url = DatabaseUrl(dialect_name="sqlite", path=path)

    with (
        Database.open(url) as database,
        pytest.raises(DatabaseUnreachableError, match="is not a SQLite database"),
    ):
        upgrade(database)


def test_references_that_were_broken_before_are_no_reason_to_stop(
    sqlite_url: DatabaseUrl, longer_chain: WriteScript
) -> None:
    with closing(sqlite3.connect(sqlite_url.sqlite_path)) as connection:
        connection.execute(
            "INSERT INTO snapshots VALUES ('no', 'such', 'conversation', '{}', '2026')"
        )
        connection.commit()

    with Database.open(sqlite_url) as database:
        settings = MigrationSettings(directory=longer_chain(ADD_TABLE))
        assert len(upgrade(database, settings=settings)) == 1
