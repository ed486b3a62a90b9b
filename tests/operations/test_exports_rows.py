"""Messages as rows of text are the same on both databases as the records' own rows."""

from datetime import datetime
from itertools import starmap
from typing import Any

from chatdb.db.database import Database
from chatdb.formats.tables.rows import FIELDS, rows_of
from chatdb.operations.exporting.exports import read_conversations, read_rows
from chatdb.store.selecting import ConversationFilter
from tests.operations.export_rows import every_shape, insert

_TIME = FIELDS.index("created_at")


def _text(place: int, value: Any) -> object:
    text = value.decode() if isinstance(value, bytes) else value
    return datetime.fromisoformat(text) if place == _TIME else text


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
