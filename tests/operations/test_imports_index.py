"""Importing with the full-text index off, deferred and in place."""

import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.operations.importing.imports import ImportRun
from chatdb.store.batches import Arrival
from chatdb.store.search_index import build_search_index, search_index_state
from tests.operations.importing import (
    at,
    check_search,
    conversation,
    delete_message,
    load,
    message,
    the_one,
)


def test_an_import_without_the_index_is_completed_by_the_next(database: Database) -> None:
    load(database, [conversation("one", [message("a")])], search_index=False)
    with database.transaction() as connection:
        state = search_index_state(connection)
    load(database, [conversation("one", [message("a"), message("c")], 1)], search_index=False)

    load(database, [conversation("two", [message("a")])])

    assert state == "off"
    check_search(database, "text", 3)
    with database.transaction() as connection:
        assert search_index_state(connection) == "present"


def test_the_index_can_be_built_alone_and_only_once(database: Database) -> None:
    load(database, [conversation("one", [message("a")])], search_index=False)

    assert build_search_index(database)
    assert not build_search_index(database)
    check_search(database, "text", 1)


def test_messages_written_and_deleted_while_the_index_is_off_do_not_spoil_it(
    database: Database,
) -> None:
    load(database, [conversation("one", [message("a"), message("b")])], search_index=False)
    delete_message(database, "a", "one")

    load(database, [conversation("two", [message("c")])])

    check_search(database, "text", 2)


def test_an_import_that_died_before_the_index_was_built_is_completed_by_the_next(
    database: Database,
) -> None:
    with ImportRun(database, "default", subject="test") as run:
        run.load([Arrival(conversation("one", [message("a")]))])
    with database.transaction() as connection:
        state = search_index_state(connection)

    load(database, [])

    assert state == ("present" if database.url.dialect_name == "sqlite" else "deferred")
    check_search(database, "text", 1)


def test_a_table_with_rows_keeps_its_index(database: Database) -> None:
    load(database, [conversation("one", [message("a")])])

    with ImportRun(database, "default", subject="test") as run:
        run.load([Arrival(conversation("two", [message("a")]))])

    check_search(database, "text", 2)


def test_triggers_still_work_after_an_import(database: Database) -> None:
    load(database, [conversation("one", [message("a")])])
    with database.transaction(write=True) as connection:
        table = schema.messages
        connection.execute(sa.update(table).values(content="rewritten"))

    check_search(database, "rewritten", 1)
    assert the_one(database).updated_at > at(0)


def test_fts_keeps_its_own_setting_for_later_writers(sqlite_url: object) -> None:
    with Database.open(sqlite_url) as database:  # type: ignore[arg-type]
        load(database, [conversation("one", [message("a")])])
        with database.transaction() as connection:
            size = connection.exec_driver_sql(
                "SELECT v FROM messages_search_config WHERE k = 'hashsize'"
            ).scalar_one()

    assert size == 1 << 20
