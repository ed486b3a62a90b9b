"""Messages as rows of text are the same on both databases as the records' own rows."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import BytesIO
from itertools import pairwise, starmap
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest
from msgspec.structs import replace

from chatdb.db.database import Database
from chatdb.errors import DatabaseFailedError
from chatdb.formats.base import WriteOptions
from chatdb.formats.files.writing import Written
from chatdb.formats.tables.parquet_writer import make_writer
from chatdb.formats.tables.rows import FIELDS, ConversationRows, rows_of
from chatdb.operations.exporting.exports import read_conversations, read_rows
from chatdb.records import MARKS, Conversation, Message
from chatdb.store.selecting import ConversationFilter
from tests.operations.export_rows import (
    ODD_TEXTS,
    ODD_VALUES,
    conversation,
    every_shape,
    insert,
    message,
)

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


def branches() -> list[Conversation]:
    """Return conversations with branches, hidden messages, and texts that separators might cut."""
    root, hidden = UUID(int=101), {MARKS: {"hidden": True}}
    odd = [
        message(101, "\x02\x02", model="", author="\x02", source_id='"'),
        message(102, "", parent_id=root, metadata=hidden, role="assistant"),
        message(103, "\x02", parent_id=root, user_id="", attached_text="", reasoning=""),
        message(104, "ÿþ", parent_id=UUID(int=103), metadata={"a": "\x02", MARKS: {}}),
    ]
    return [
        conversation(11, odd, current_message_id=UUID(int=102), user_id="anna"),
        conversation(12, odd, current_message_id=UUID(int=104), title="", metadata=hidden),
        conversation(13, odd[:2], current_message_id=UUID(int=102)),
        conversation(14, odd, kind="document"),
        conversation(15, odd[:1], current_message_id=root),
    ]


def chain(number: int, messages: Sequence[Message], *, broken_at: int = 0) -> Conversation:
    """Return a conversation of one branch, or of two if a message is to begin another."""
    for place, (above, below) in enumerate(pairwise(messages), 1):
        below.parent_id = None if place == broken_at else above.id
    return conversation(number, messages, current_message_id=messages[-1].id)


def whole_branches() -> list[Conversation]:
    """Return conversations that go on as they are, and one each of two kinds that does not."""
    shapes = every_shape()
    odd, many = shapes[1].messages, shapes[3].messages
    long = [message(n, "é\U0001f600" * 8_000, attached_text="\t\n\\N") for n in range(1, 41)]
    texts = [message(n, text, model=text, author=text) for n, text in enumerate(ODD_TEXTS, 1)]
    return [
        chain(21, texts),
        chain(22, [message(7, "", metadata=ODD_VALUES)]),
        chain(23, [replace(odd[0], parent_id=None), *odd[1:]]),
        chain(24, [message(1, metadata={MARKS: {"hidden": True}}), message(2), message(3)]),
        chain(25, many),
        chain(26, [*map(replace, many)], broken_at=600),
        chain(27, long),
        chain(28, texts[:2]),
    ]


@pytest.mark.large
@pytest.mark.parametrize("everything", [False, True])
def test_a_file_of_rows_is_that_of_the_records(database: Database, *, everything: bool) -> None:
    insert(database, [*every_shape(), *branches(), *whole_branches()])
    options = WriteOptions(all_branches=everything, include_hidden=everything)

    def file(conversations: Iterable[ConversationRows]) -> list[dict[str, Any]]:
        stream = BytesIO()
        make_writer(options).write_table(stream, conversations, Written())
        rows: list[dict[str, Any]] = pq.read_table(stream).to_pylist()
        return rows

    wanted = ConversationFilter()
    records = read_conversations(database, wanted, organization_key="default", labelled=True)
    expected = file(map(rows_of, records))
    assert file(read_rows(database, wanted, organization_key="default")) == expected
    counts = Counter(UUID(row["conversation_id"]).int >> 64 for row in expected)
    assert [counts[number] for number in range(11, 16)] == (
        [4, 4, 2, 4, 1] if everything else [1, 3, 1, 1, 1]
    )
    assert [counts[number] for number in range(21, 29)] == (
        [8, 1, 9, 3, 1_202, 1_202, 40, 2] if everything else [8, 1, 9, 2, 1_202, 602, 40, 2]
    )
