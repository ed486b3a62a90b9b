"""Transactions, the errors they raise, and the triggers below them."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl, parse_url
from chatdb.errors import DatabaseUnreachableError
from chatdb.records import organization_id_of

DEFAULT = organization_id_of("default")
LONG_AGO = datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=UTC)


def insert_conversation(connection: sa.Connection) -> dict[str, object]:
    row = {
        "organization_id": DEFAULT,
        "id": uuid4(),
        "title": "Ünï 漢字 \N{PILE OF POO}",
        "created_at": LONG_AGO,
        "updated_at": LONG_AGO,
        "metadata": {"b": [1, 2.5, None], "a": {"x": 1e22, "y": "\u2028"}},
    }
    connection.execute(schema.conversations.insert(), row)
    return row


def message_row(conversation: dict[str, object], position: int = 0) -> dict[str, object]:
    return {
        "organization_id": DEFAULT,
        "conversation_id": conversation["id"],
        "id": uuid4(),
        "position": position,
        "role": "user",
        "content": "hello",
        "metadata": {},
        "created_at": LONG_AGO,
    }


def test_every_column_type_gives_back_what_was_put_in(database: Database) -> None:
    with database.transaction(write=True) as connection:
        row = insert_conversation(connection)

    with database.transaction() as connection:
        found = connection.execute(sa.select(schema.conversations)).one()._mapping

    assert {name: found[name] for name in row} == row


def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    def insert_and_fail() -> None:
        with database.transaction(write=True) as connection:
            insert_conversation(connection)
            raise KeyError

    with pytest.raises(KeyError):
        insert_and_fail()

    with database.transaction() as connection:
        count = connection.scalar(sa.select(sa.func.count()).select_from(schema.conversations))
    assert count == 0


def test_a_message_written_directly_moves_updated_at(database: Database) -> None:
    with database.transaction(write=True) as connection:
        conversation = insert_conversation(connection)
    before = datetime.now(UTC).replace(microsecond=0)

    with database.transaction(write=True) as connection:
        connection.execute(schema.messages.insert(), message_row(conversation))

    with database.transaction() as connection:
        found = connection.execute(sa.select(schema.conversation_summaries)).one()
    assert found.updated_at >= before
    assert found.message_count == 1
    assert found.first_message_at == LONG_AGO


def test_deleting_a_conversation_takes_its_messages_and_their_words(database: Database) -> None:
    with database.transaction(write=True) as connection:
        conversation = insert_conversation(connection)
        connection.execute(schema.messages.insert(), message_row(conversation))

    with database.transaction(write=True) as connection:
        connection.execute(sa.delete(schema.conversations))

    with database.transaction() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(schema.messages)) == 0


def test_a_server_that_does_not_answer_is_unreachable() -> None:
    url = parse_url("postgresql://someone:geheim@127.0.0.1:1/nowhere")

    with (
        pytest.raises(DatabaseUnreachableError) as caught,
        Database.open(url) as database,
        database.transaction(),
    ):
        pass

    assert caught.value.exit_code == 3
    assert "geheim" not in caught.value.text


def test_a_database_that_does_not_exist_is_unreachable(postgresql_url: DatabaseUrl) -> None:
    url = postgresql_url.with_database("no_such_database")

    with (
        pytest.raises(DatabaseUnreachableError, match="no_such_database"),
        Database.open(url) as database,
        database.transaction(),
    ):
        pass
