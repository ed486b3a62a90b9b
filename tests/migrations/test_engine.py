"""What a migration leaves: all of a revision, or nothing of it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.migration_log import read_runs
from chatdb.db.migrations import MigrationSettings, downgrade, upgrade
from chatdb.db.revision import look
from chatdb.db.scripts import head_revision, scripts
from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
    ConfigurationError,
    DatabaseUnreachableError,
    MigrationFailedError,
    NotFoundError,
    RefusedError,
    SchemaMismatchError,
    UsageError,
)
from tests.migrations.conftest import NEXT, Listener, WriteScript, counts, fill
from tests.postgres_server import PostgresServer

ADD_TABLE = 'op.create_table("extra", sa.Column("id", sa.Integer(), nullable=False))'
FAIL = ADD_TABLE + '\nop.execute("INSERT INTO no_such_table VALUES (1)")'


def copies(url: DatabaseUrl) -> list[Path]:
    return sorted(url.sqlite_path.parent.glob("*.before_*"))


def has_table(database: Database, name: str) -> bool:
    with database.transaction() as connection:
        return name in database.dialect.existing_tables(connection)


def test_an_empty_database_comes_to_head_with_a_log(empty_database_url: DatabaseUrl) -> None:
    listener = Listener()

    with Database.open(empty_database_url, create=True) as database:
        applied = upgrade(database, watch=listener)
        with database.transaction() as connection:
            runs = read_runs(connection)

    assert [item.revision for item in applied] == [script.revision for script in scripts()]
    assert listener.revisions == applied
    assert [(run.revision, run.outcome, run.sha256) for run in runs] == [
        (script.revision, "succeeded", script.sha256) for script in scripts()
    ]
    assert all(run.started_at <= run.finished_at for run in runs)
    assert look(empty_database_url).state == "current"


def test_a_second_run_does_nothing(database: Database) -> None:
    assert upgrade(database) == []


def test_a_failed_revision_leaves_nothing_and_the_next_run_succeeds(
    database: Database, longer_chain: WriteScript
) -> None:
    fill(database)
    before = counts(database)
    settings = MigrationSettings(directory=longer_chain(FAIL))

    with pytest.raises(MigrationFailedError) as caught:
        upgrade(database, settings=settings)

    assert NEXT in caught.value.text
    assert "INSERT INTO no_such_table VALUES (1)" in caught.value.text
    assert "no_such_table" in caught.value.text.split("statement:")[0]
    assert not has_table(database, "extra")
    assert look(database.url).revision == head_revision()
    assert counts(database) == before
    longer_chain(ADD_TABLE)
    assert [item.revision for item in upgrade(database, settings=settings)] == [NEXT]
    assert has_table(database, "extra")


def test_a_failure_is_logged(database: Database, longer_chain: WriteScript) -> None:
    with pytest.raises(MigrationFailedError):
        upgrade(database, settings=MigrationSettings(directory=longer_chain(FAIL)))

    with database.transaction() as connection:
        query = sa.select(schema.log).where(schema.log.c.outcome == "failed")
        row = connection.execute(query).one()
    assert (row.kind, row.subject) == ("migration", NEXT)
    assert "no_such_table" in row.details["error"]


def test_a_bug_in_a_script_is_a_failed_revision(
    database: Database, longer_chain: WriteScript
) -> None:
    with pytest.raises(MigrationFailedError, match="ZeroDivisionError"):
        upgrade(database, settings=MigrationSettings(directory=longer_chain("1 / 0")))


def test_each_revision_goes_down_and_up_again(database: Database) -> None:
    fill(database)
    before = counts(database)
    chain = [script.revision for script in scripts()]

    for revision in reversed(chain[:-1]):
        downgrade(database, revision)
        upgrade(database)
        assert look(database.url).state == "current"

    assert counts(database) == before
    downgrade(database, "base")
    assert look(database.url).state == "empty"
    assert len(upgrade(database)) == len(chain)


def test_a_named_revision_is_where_it_ends(empty_database_url: DatabaseUrl) -> None:
    with Database.open(empty_database_url, create=True) as database:
        upgrade(database, revision="0001")
        assert look(empty_database_url).revision == "0001"
        upgrade(database, revision="0002")
        assert look(empty_database_url).revision == "0002"
        with pytest.raises(UsageError) as caught:
            upgrade(database, revision="0001")

    assert caught.value.hint == "go back with: chatdb schema downgrade 0001"


def test_a_revision_that_does_not_exist_is_not_found(database: Database) -> None:
    with pytest.raises(NotFoundError, match="no revision 0815"):
        upgrade(database, revision="0815")


@pytest.mark.parametrize(
    ("revision", "state"), [("9999", "ahead"), ("5d8533fcfb18", "unknown_revision")]
)
def test_a_revision_of_another_make_is_left_alone(
    database: Database, revision: str, state: str
) -> None:
    with database.transaction(write=True) as connection:
        connection.execute(sa.text(f"UPDATE chatdb_version SET version_num = '{revision}'"))

    with pytest.raises(SchemaMismatchError) as caught:
        upgrade(database)

    assert caught.value.state == state
    assert look(database.url).state == state


def test_tables_of_another_program_are_refused_by_name(empty_database_url: DatabaseUrl) -> None:
    with Database.open(empty_database_url, create=True) as database:
        with database.transaction(write=True) as connection:
            connection.exec_driver_sql('CREATE TABLE conversations (id text, "orgId" text)')
            connection.exec_driver_sql('CREATE TABLE messages (id text, "orgId" text)')
        with pytest.raises(RefusedError, match="Helvino") as caught:
            upgrade(database)

        assert "conversations, messages" in caught.value.text
        assert not has_table(database, "organizations")
        assert look(empty_database_url).state == "not_chatdb"


def test_an_applications_own_alembic_is_not_in_the_way(empty_database_url: DatabaseUrl) -> None:
    with Database.open(empty_database_url, create=True) as database:
        with database.transaction(write=True) as connection:
            connection.exec_driver_sql("CREATE TABLE alembic_version (version_num text)")
            connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('abc')")

        upgrade(database)

        with database.transaction() as connection:
            query = sa.text("SELECT version_num FROM alembic_version")
            assert connection.scalar(query) == "abc"


def test_a_schema_of_its_own_leaves_the_applications_tables_alone(
    empty_postgresql_url: DatabaseUrl, postgres: PostgresServer
) -> None:
    name = empty_postgresql_url.database
    postgres.execute("CREATE TABLE conversations (id int)", database=name)

    with Database.open(empty_postgresql_url, schema="Chat db") as database:
        upgrade(database)
        fill(database)

    assert look(empty_postgresql_url, schema="Chat db").state == "current"
    assert look(empty_postgresql_url).state == "not_chatdb"


def test_tables_further_down_the_search_path_are_not_migrated_halfway(
    empty_postgresql_url: DatabaseUrl, postgres: PostgresServer
) -> None:
    with Database.open(empty_postgresql_url) as database:
        upgrade(database, revision="0001")
        postgres.execute("CREATE SCHEMA chatdb", database=empty_postgresql_url.database)

        with pytest.raises(ConfigurationError) as caught:
            upgrade(database)

    assert caught.value.hint == "name the schema: --schema public"


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
        with pytest.raises(MigrationFailedError, match="no longer fits its texts"):
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

        with pytest.raises(MigrationFailedError, match="rows of messages point at rows of conv"):
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
        assert not has_table(database, "extra")
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


def test_timeouts_of_the_role_do_not_end_a_long_revision(
    postgresql_url: DatabaseUrl, longer_chain: WriteScript, postgres: PostgresServer
) -> None:
    name = postgresql_url.database
    postgres.execute(
        f"ALTER DATABASE {name} SET statement_timeout = '100ms'",
        f"ALTER DATABASE {name} SET default_transaction_isolation = 'serializable'",
        f"ALTER DATABASE {name} SET default_transaction_read_only = on",
    )
    slow = 'op.execute("SELECT pg_sleep(0.3)")'

    with Database.open(postgresql_url) as database:
        settings = MigrationSettings(directory=longer_chain(slow))
        assert len(upgrade(database, settings=settings)) == 1


def test_a_role_without_rights_is_told_so(
    empty_postgresql_url: DatabaseUrl, postgres: PostgresServer
) -> None:
    name = f"reader_of_{empty_postgresql_url.database}"
    postgres.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    try:
        parts = {**empty_postgresql_url.libpq(), "user": name, "password": "x"}
        with psycopg.connect(**parts):  # type: ignore[arg-type]
            pass
        url = DatabaseUrl(
            dialect_name="postgresql",
            user=name,
            password="x",
            host=empty_postgresql_url.host,
            port=empty_postgresql_url.port,
            database=empty_postgresql_url.database,
        )
        with (
            Database.open(url) as database,
            pytest.raises(MigrationFailedError, match="permission denied for schema public"),
        ):
            upgrade(database)
    finally:
        postgres.execute(f"DROP ROLE {name}")
