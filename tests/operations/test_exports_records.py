"""The records of an export: those that its native lines hold, whatever form a row has."""

import msgspec
import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError
from chatdb.operations.exporting.exports import read_conversations
from chatdb.records import Conversation
from chatdb.store.lines import native_lines
from chatdb.store.selecting import ConversationFilter
from tests.operations.export_rows import conversation, every_shape, insert, message
from tests.store.filled import full_conversation

EVERYTHING = ConversationFilter()


def read(database: Database) -> list[Conversation]:
    return [*read_conversations(database, EVERYTHING, organization_key="default")]


def of_lines(database: Database) -> list[Conversation]:
    lines = b"".join(native_lines(database, EVERYTHING, organization_key="default"))
    return msgspec.json.Decoder(Conversation).decode_lines(lines)


def test_records_are_those_of_the_lines(database: Database) -> None:
    insert(database, every_shape())

    assert read(database) == of_lines(database)


def test_records_have_every_field(database: Database) -> None:
    full = full_conversation()
    full.organization = full.organization_name = None
    insert(database, [full])

    assert read(database) == [full]


def test_conversations_longer_than_a_chunk_stay_whole_and_apart(database: Database) -> None:
    counts = {1: 700, 2: 0, 3: 1, 4: 350, 5: 0}
    insert(
        database,
        [
            conversation(n, [message(m, f"{n} {m}") for m in range(1, count + 1)])
            for n, count in counts.items()
        ],
    )

    found = read(database)

    assert [[each.content for each in record.messages] for record in found] == [
        [f"{n} {m}" for m in range(1, count + 1)] for n, count in counts.items()
    ]


@pytest.mark.parametrize(
    "column",
    [
        "created_at = '2026-01-31 12:00:00.5'",
        "created_at = '2026-01-31T12:00:00+02:00'",
        "edited_at = '2026-01-31 12:00:00'",
        "parent_id = replace(id, '-', '')",
        "parent_id = upper(id)",
        "author = x'00ff'",
        "content = x'00ff'",
        """metadata = '{ "b": 1E2, "a": -0.0, "chatdb": {"hidden": true}}'""",
        """tool_calls = '{"b": [1E2, -0.0]}', reasoning = 'null'""",
    ],
)
def test_what_an_application_wrote_in_its_own_form_reads_alike(
    sqlite_url: DatabaseUrl, column: str
) -> None:
    with Database.open(sqlite_url) as database:
        insert(database, [conversation(1, [message(1), message(2), message(3)])])
        with database.transaction(write=True) as connection:
            position = "(SELECT max(position) FROM messages) - 1"
            connection.exec_driver_sql(f"UPDATE messages SET {column} WHERE position = {position}")

        found = read(database)

        assert found == of_lines(database)
        assert len(found[0].messages) == 3


@pytest.mark.parametrize(
    ("column", "identifier"), [("id = 'seven'", "seven"), ("parent_id = 'seven'", "")]
)
def test_a_message_that_no_record_can_hold_is_named(
    sqlite_url: DatabaseUrl, column: str, identifier: str
) -> None:
    with Database.open(sqlite_url) as database:
        insert(database, [conversation(1, [message(1), message(2)])])
        with database.transaction(write=True) as connection:
            connection.exec_driver_sql(f"UPDATE messages SET {column} WHERE position = 0")

        with pytest.raises(DatabaseFailedError, match=f"^message {identifier}.* of conversation"):
            read(database)


def test_the_message_or_conversation_whose_metadata_is_no_object_is_named(
    database: Database,
) -> None:
    record = conversation(1, [message(1), message(2), message(3)])
    second = record.messages[1].id
    insert(database, [record])
    with database.transaction(write=True) as connection:
        connection.exec_driver_sql("UPDATE messages SET metadata = '[1]' WHERE position = 1")

    with pytest.raises(DatabaseFailedError, match=f"^message {second} of conversation {record.id}"):
        read(database)

    with database.transaction(write=True) as connection:
        connection.exec_driver_sql("UPDATE messages SET metadata = '{}'")
        connection.exec_driver_sql("UPDATE conversations SET metadata = '[1]'")

    with pytest.raises(DatabaseFailedError, match=f"^conversation {record.id} contains"):
        read(database)
