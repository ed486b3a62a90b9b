"""Messages as rows of text are the same on both databases as the records' own rows."""

from datetime import datetime
from itertools import starmap
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.errors import DatabaseFailedError
from chatdb.formats.tables.rows import FIELDS, rows_of
from chatdb.operations.exporting.exports import read_conversations, read_rows
from chatdb.store.selecting import ConversationFilter
from tests.operations.export_rows import conversation, every_shape, insert, message

_TIME = FIELDS.index("created_at")


def _text(place: int, value: Any) -> object:
    text = value.decode() if isinstance(value, bytes) else value
    return datetime.fromisoformat(text) if place == _TIME else text


@pytest.mark.parametrize("column", ["created_at", "edited_at"])
def test_the_message_that_no_row_can_hold_is_named(database: Database, column: str) -> None:
    record = conversation(1, [message(1), message(2), message(3)])
    insert(database, [record])
    with database.transaction(write=True) as connection:
        statement = f"UPDATE messages SET {column} = 'infinity' WHERE position = 1"
        connection.exec_driver_sql(statement)

    named = f"^message {record.messages[1].id} of conversation {record.id} "
    with pytest.raises(DatabaseFailedError, match=named):
        list(read_rows(database, ConversationFilter(), organization_key="default"))


def test_rows_of_every_shape_are_those_of_the_records(database: Database) -> None:
    insert(database, every_shape())
    wanted = ConversationFilter()

    records = read_conversations(database, wanted, organization_key="default", labelled=True)
    expected = [rows_of(record) for record in records]
    found = list(read_rows(database, wanted, organization_key="default"))

    assert [each.record.id for each in found] == [each.record.id for each in expected]
    assert sum(len(each.rows) for each in found) > 10
    for one, other in zip(found, expected, strict=True):
        assert one.record.metadata == other.record.metadata
        assert [[*starmap(_text, enumerate(row))] for row in one.rows] == [
            [*starmap(_text, enumerate(row))] for row in other.rows
        ]
