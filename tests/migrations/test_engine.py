"""What a migration leaves: all of a revision, or nothing of it."""

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.migrating.migration_log import read_runs
from chatdb.db.migrating.migrations import MigrationSettings, downgrade, upgrade
from chatdb.db.migrating.revision import look
from chatdb.db.migrating.scripts import head_revision, scripts
from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
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


def test_tables_of_another_program_are_refused_and_listed(
    empty_database_url: DatabaseUrl,
) -> None:
    with Database.open(empty_database_url, create=True) as database:
        with database.transaction(write=True) as connection:
            connection.exec_driver_sql('CREATE TABLE conversations (id text, "orgId" text)')
            connection.exec_driver_sql('CREATE TABLE messages (id text, "orgId" text)')
        with pytest.raises(RefusedError, match="not chatdb's") as caught:
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

        with pytest.raises(RefusedError, match="in the schema public") as caught:
            upgrade(database)

    assert "chatdb migrate --schema public" in str(caught.value.hint)


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


def test_a_connection_that_is_lost_midway_leaves_nothing(
    postgresql_url: DatabaseUrl, longer_chain: WriteScript
) -> None:
    lost = ADD_TABLE + '\nop.execute("SELECT pg_terminate_backend(pg_backend_pid())")'

    with Database.open(postgresql_url) as database:
        settings = MigrationSettings(directory=longer_chain(lost))
        with pytest.raises(DatabaseUnreachableError):
            upgrade(database, settings=settings)

        assert not has_table(database, "extra")
        longer_chain(ADD_TABLE)
        assert [item.revision for item in upgrade(database, settings=settings)] == [NEXT]
