"""Reading conversations out of both databases, fast and byte for byte alike."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.types import HyphenUuid
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError, NotFoundError
from chatdb.formats import native
from chatdb.operations.exporting.exports import find_ids, read_conversations
from chatdb.records import Conversation
from chatdb.store.lines import native_lines
from chatdb.store.reading import read_stored
from chatdb.store.selecting import (
    AT_ONCE,
    ConversationFilter,
    count_conversations,
)
from tests.operations.export_rows import (
    NOON,
    ODD_TEXTS,
    ORGANIZATION,
    conversation,
    every_shape,
    insert,
    message,
)

EVERYTHING = ConversationFilter()


def exported(database: Database, wanted: ConversationFilter = EVERYTHING) -> bytes:
    return b"".join(native_lines(database, wanted, organization_key="default"))


def read(
    database: Database, wanted: ConversationFilter = EVERYTHING, *, at_once: int = AT_ONCE
) -> list[Conversation]:
    records = read_conversations(database, wanted, organization_key="default", at_once=at_once)
    return list(records)


def test_native_lines_are_the_lines_of_the_typed_records(database: Database) -> None:
    records = every_shape()
    insert(database, records)

    with database.transaction(snapshot=True) as connection:
        stored = read_stored(connection, ORGANIZATION, [record.id for record in records])

    typed = [native.conversation_line(stored[record.id].record) for record in records]
    assert exported(database).splitlines(keepends=True) == typed


def test_native_lines_are_the_lines_of_what_was_stored(database: Database) -> None:
    records = every_shape()

    insert(database, records)

    expected = b"".join(native.conversation_line(record) for record in records)
    assert exported(database) == expected


@pytest.mark.postgresql
def test_both_databases_give_the_same_bytes(both: list[Database]) -> None:
    for database in both:
        insert(database, every_shape())

    first, second = map(exported, both)

    assert first == second
    assert first.count(b"\n") == len(every_shape())


def test_records_read_back_are_those_that_went_in(database: Database) -> None:
    records = [conversation(1), conversation(2, [message(1, text) for text in ODD_TEXTS[:1]])]

    insert(database, records)

    assert read(database) == records


def test_an_empty_database_gives_nothing(database: Database) -> None:
    assert exported(database) == b""
    assert read(database) == []


def test_conversations_come_by_ascending_id_across_batches(database: Database) -> None:
    insert(database, [conversation(n, [message(n)]) for n in (5, 2, 9, 1, 7, 4, 6)])

    found = read(database, at_once=3)

    assert [record.id.int >> 64 for record in found] == [1, 2, 4, 5, 6, 7, 9]
    assert all(len(record.messages) == 1 for record in found)


def test_a_filter_leaves_out_the_messages_of_others(database: Database) -> None:
    insert(
        database,
        [
            conversation(n, [message(1, str(n)), message(2)], user_id="odd" if n % 2 else None)
            for n in range(1, 8)
        ],
    )

    found = read(database, ConversationFilter(user_id="odd"), at_once=2)

    assert [record.messages[0].content for record in found] == ["1", "3", "5", "7"]
    assert [len(record.messages) for record in found] == [2, 2, 2, 2]


FILTERS = [
    (ConversationFilter(ids=[UUID(int=3 << 64), UUID(int=1 << 64), UUID(int=77)]), [1, 3]),
    (ConversationFilter(ids=[]), []),
    (ConversationFilter(user_id="bob"), [2]),
    (ConversationFilter(user_id="' OR 1=1"), []),
    (ConversationFilter(since=NOON + timedelta(minutes=2)), [2, 3]),
    (ConversationFilter(before=NOON + timedelta(minutes=2)), [1]),
    (ConversationFilter(source="claude"), [3]),
    (ConversationFilter(flags={"archived": True}), [1]),
    (ConversationFilter(flags={"archived": False}), [2, 3]),
    (
        ConversationFilter(flags={"archived": False}, user_id="bob", ids=[UUID(int=2 << 64)]),
        [2],
    ),
]


@pytest.mark.parametrize(("wanted", "numbers"), FILTERS)
def test_every_condition_has_to_hold(
    database: Database, wanted: ConversationFilter, numbers: list[int]
) -> None:
    insert(
        database,
        [
            conversation(1, archived_at=NOON),
            conversation(2, user_id="bob"),
            conversation(3, source="claude"),
        ],
    )

    assert [record.id.int >> 64 for record in read(database, wanted)] == numbers


def test_counting_counts_what_is_wanted(database: Database) -> None:
    insert(database, [conversation(1, user_id="bob"), conversation(2)])

    count = count_conversations(
        database, ConversationFilter(user_id="bob"), organization_key="default"
    )

    assert count == 1


def test_an_unknown_organization_is_not_found(database: Database) -> None:
    with pytest.raises(NotFoundError, match="nobody"):
        list(native_lines(database, EVERYTHING, organization_key="nobody"))


def test_the_export_is_one_state_though_others_write(database: Database) -> None:
    insert(database, [conversation(n, [message(1, "x" * 9000)]) for n in range(1, 100)])
    lines = native_lines(database, EVERYTHING, organization_key="default")
    first = next(lines)

    insert(database, [conversation(10_000, [message(1)])])
    rest = b"".join(lines)

    assert (first + rest).count(b"\n") == 99


def test_an_export_that_is_left_early_ends_its_transaction(database: Database) -> None:
    insert(database, [conversation(n, [message(1, "x" * 9000)]) for n in range(1, 100)])
    lines = native_lines(database, EVERYTHING, organization_key="default")

    next(lines)
    lines.close()

    insert(database, [conversation(1000)])
    assert len(read(database)) == 100


MANY = """
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata,
 created_at)
WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
SELECT c.organization_id, c.id, {identifier}, n.i, 'user', 'message', '{{}}', c.created_at
FROM n JOIN conversations c ON c.user_id = 'many'
"""
IDENTIFIER = {
    "sqlite": "printf('00000000-0000-0000-0000-%012x', n.i)",
    "postgresql": "lpad(to_hex(n.i), 32, '0')::uuid",
}


@pytest.mark.large
def test_a_conversation_of_100000_messages_comes_in_pieces(database: Database) -> None:
    insert(database, [conversation(1, user_id="many"), conversation(2, [message(1)])])
    with database.transaction(write=True, settings={"chatdb.bulk": "on"}) as connection:
        if database.dialect.name == "sqlite":
            for name in ("messages_search_insert", "messages_touch_insert"):
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        statement = MANY.format(identifier=IDENTIFIER[database.dialect.name])
        connection.execute(sa.text(statement.replace(":", "\\:")))

    pieces = list(native_lines(database, EVERYTHING, organization_key="default"))

    assert max(map(len, pieces)) < 2_000_000
    assert [len(record.messages) for record in read(database)] == [100_000, 1]


@pytest.mark.large
def test_a_message_of_50_megabytes_comes_back(database: Database) -> None:
    huge = '"\\\n' * (50_000_000 // 3)
    insert(database, [conversation(1, [message(1, huge)])])

    (record,) = read(database)

    assert record.messages[0].content == huge


def test_other_forms_of_time_that_an_application_wrote_are_read(sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        insert(database, [conversation(1, [message(1)])])
        with database.transaction(write=True) as connection:
            connection.exec_driver_sql(
                "UPDATE messages SET created_at = '2026-01-31 13:00:00+01:00'"
            )
            connection.exec_driver_sql("UPDATE conversations SET updated_at = '2026-01-31'")

        (record,) = read(database)

    assert record.messages[0].created_at == NOON
    assert record.updated_at == datetime(2026, 1, 31, tzinfo=UTC)


def test_positions_that_an_application_chose_give_the_order(database: Database) -> None:
    insert(database, [conversation(n, [message(1), message(2), message(3)]) for n in (1, 2)])
    with database.transaction(write=True) as connection:
        connection.exec_driver_sql("UPDATE messages SET position = -2000000000 - position")

    assert [[m.id.int for m in record.messages] for record in read(database)] == [[3, 2, 1]] * 2


@pytest.mark.parametrize("column", ["created_at", "edited_at"])
@pytest.mark.parametrize("time", ["infinity", "20226-01-31 12:00:00.12345+00"])
def test_a_time_that_no_record_can_hold_is_named(
    database: Database, column: str, time: str
) -> None:
    insert(database, [conversation(1, [message(6), message(7)])])
    with database.transaction(write=True, settings={"chatdb.bulk": "on"}) as connection:
        identifier = sa.bindparam("id", UUID(int=7), HyphenUuid)
        statement = sa.text(f"UPDATE messages SET {column} = '{time}' WHERE id = :id")
        connection.execute(statement.bindparams(identifier))

    named = f"message {UUID(int=7)} of conversation {UUID(int=1 << 64)}"
    with pytest.raises(DatabaseFailedError, match=named):
        read(database)


def test_json_that_an_application_wrote_in_another_form_becomes_canonical(
    sqlite_url: DatabaseUrl,
) -> None:
    with Database.open(sqlite_url) as database:
        insert(database, [conversation(1, [message(1)])])
        with database.transaction(write=True) as connection:
            connection.exec_driver_sql(
                """UPDATE messages SET metadata = '{ "b": 1E2, "a": -0.0}', reasoning = 'null'"""
            )

        assert b'"metadata":{"a":0.0,"b":100.0}' in exported(database)
        assert b"reasoning" not in exported(database)


def test_json_that_is_none_is_named(sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        insert(database, [conversation(1, [message(1)])])
        with database.transaction(write=True) as connection:
            connection.exec_driver_sql("UPDATE messages SET metadata = 'x'")

        with pytest.raises(DatabaseFailedError, match="message"):
            read(database)


def test_ids_are_found_by_a_part_and_once(database: Database) -> None:
    insert(database, [conversation(1), conversation(2)])
    names = [str(UUID(int=1 << 64)), "00000000-0000-0001"]

    found = find_ids(database, names, organization_key="default")

    assert found == [UUID(int=1 << 64)]
