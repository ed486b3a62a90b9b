"""Migrations and checks of a database whose search index is off for a while."""

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.migrating.catalogue import compare, expected_catalogue
from chatdb.db.migrating.migrations import MigrationSettings, downgrade, upgrade
from chatdb.operations.schema.check import check
from chatdb.store.search_index import build_search_index, search_index_state, take_off_search_index
from tests.migrations.conftest import WriteScript, fill


def take_off(database: Database) -> None:
    fill(database)
    with database.transaction(write=True) as connection:
        assert take_off_search_index(database, connection, "deferred")
    fill(database)


def test_a_later_revision_leaves_the_index_to_be_built(
    database: Database, longer_chain: WriteScript
) -> None:
    take_off(database)
    assert check(database).differences == ()
    directory = longer_chain('op.add_column("messages", sa.Column("mood", sa.Text()))')

    upgrade(database, settings=MigrationSettings(directory=directory))

    assert build_search_index(database)
    with database.transaction() as connection:
        found = database.dialect.migration_ways().catalogue(connection)
    differences = compare(expected_catalogue(database.dialect.name), found)
    assert [(item.kind, item.name) for item in differences] == [("column", "mood")]


def test_going_back_before_search_and_up_again_builds_the_index(database: Database) -> None:
    take_off(database)

    downgrade(database, "0001")
    upgrade(database)

    assert check(database).differences == ()
    with database.transaction() as connection:
        assert search_index_state(connection) == "present"
        if database.dialect.name == "sqlite":
            query = "SELECT count(*) FROM messages_search WHERE messages_search MATCH 'lantern'"
            assert connection.scalar(sa.text(query)) == 24
