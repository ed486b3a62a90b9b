"""Reading for a transcript: without metadata that it does not show, alike on both databases."""

from typing import Any

from chatdb.db.database import Database
from chatdb.formats.base import WriteOptions
from chatdb.formats.registry import writer
from chatdb.operations.exporting.exports import read_conversations
from chatdb.records import MARKS, Conversation
from chatdb.store.selecting import ConversationFilter
from tests.operations.export_rows import conversation, every_shape, insert, message


def read(database: Database, **wanted: Any) -> list[Conversation]:
    return [
        *read_conversations(database, ConversationFilter(), organization_key="default", **wanted)
    ]


def test_messages_have_only_metadata_with_marks_and_everything_else(database: Database) -> None:
    marked = {MARKS: {"hidden": True}, "model_slug": "x"}
    talk = conversation(
        900,
        [
            message(1, "seen", metadata={"model_slug": "x", "about": "our chatdb"}),
            message(2, "hidden", metadata=marked),
        ],
    )
    insert(database, [*every_shape(), talk])

    whole, lean = read(database), read(database, marks_only=True)

    assert len(whole) == len(lean) > 1
    (found,) = [record for record in lean if record.id == talk.id]
    assert [each.metadata for each in found.messages] == [{}, marked]
    for one, other in zip(whole, lean, strict=True):
        for each in one.messages:
            each.metadata = each.metadata if MARKS in each.metadata else {}
        for each in other.messages:
            each.metadata = each.metadata if MARKS in each.metadata else {}
        assert one == other


def test_the_transcript_is_the_same(database: Database) -> None:
    insert(database, every_shape())
    for hidden in (False, True):
        options = WriteOptions(all_branches=True, include_hidden=hidden, source="test")
        markdown = writer("markdown", options)

        written = [
            [markdown.conversation(record) for record in read(database, marks_only=lean)]
            for lean in (False, True)
        ]

        assert written[0] == written[1]
