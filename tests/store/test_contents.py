"""Contents: the same figures for the same data, whichever database holds them."""

from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from chatdb.backups.contents import Contents, IndexEntry, differences
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.records import organization_id_of
from chatdb.store.contents import measure
from tests.operations.conversation_rows import START, add_conversation, add_organization


def measured(database: Database, **options: Any) -> Contents:
    with database.transaction(snapshot=True) as connection:
        return measure(database, connection, **options)


def fill(database: Database) -> None:
    add_organization(database, "acme")
    add_organization(database, "empty")
    for number in range(1, 8):
        add_conversation(
            database,
            ["x"] * (number % 3),
            number=number,
            id=UUID(int=number * 0x0F2B_0000_0000_1111_0000_0000_0000_7777),
            organization="acme" if number % 2 else "default",
            title=None if number == 3 else f"Títle {number}\t\n\x1b[31m",
        )


@pytest.fixture
def filled(database: Database) -> Database:
    fill(database)
    return database


def test_everything_is_counted(filled: Database) -> None:
    found = measured(filled)

    assert (found.conversations, found.messages, found.orphans) == (7, 7, 0)
    by_key = {item.key: (item.conversations, item.messages) for item in found.organizations}
    assert by_key == {"default": (3, 3), "acme": (4, 4), "empty": (0, 0)}
    assert found.rows["messages"] == 7
    assert found.rows["organizations"] == 3
    assert "chatdb_leases" not in found.rows
    assert found.newest_message_at is not None
    assert found.newest_message_at > START


def test_both_databases_give_the_same_contents(
    sqlite_url: DatabaseUrl, postgresql_url: DatabaseUrl
) -> None:
    found = []
    for url in (sqlite_url, postgresql_url):
        with Database.open(url) as database:
            fill(database)
            found.append(measured(database))

    assert differences(*found) == ()
    assert found[0].organizations == found[1].organizations
    assert found[0].content_hash == found[1].content_hash


def test_the_hash_tells_another_number_of_messages(filled: Database) -> None:
    before = measured(filled)
    add_conversation(filled, [], number=9)
    after = measured(filled)

    assert before.content_hash != after.content_hash
    assert "organization default: conversations 4, not 3" in differences(before, after)


def test_one_organization_is_measured_alone(filled: Database) -> None:
    whole = measured(filled)
    alone = measured(filled, organization_id=organization_id_of("acme"))

    assert alone.organizations == tuple(o for o in whole.organizations if o.key == "acme")
    assert alone.messages == 4


def test_the_conversations_are_handed_over_in_order(filled: Database) -> None:
    entries: list[IndexEntry] = []
    measured(filled, on_entries=entries.extend)

    keys = [(entry.organization_id, entry.id) for entry in entries]
    assert keys == sorted(keys)
    assert len(keys) == 7
    assert sum(entry.messages for entry in entries) == 7


def test_messages_without_a_conversation_are_counted_as_orphans(sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        fill(database)
        with database.migration_transaction() as connection:
            connection.execute(sa.text("DELETE FROM conversations WHERE title LIKE '%5%'"))
            connection.execute(sa.text("DELETE FROM conversations WHERE title LIKE '%7%'"))

        found = measured(database)

    assert found.orphans == 3
    assert found.messages == 4
    assert found.rows["messages"] == 7


def test_a_database_without_tables_has_no_contents(empty_database_url: DatabaseUrl) -> None:
    with Database.open(empty_database_url, create=True) as database:
        found = measured(database)

    assert found.revision is None
    assert (found.rows, found.organizations, found.messages) == ({}, (), 0)
