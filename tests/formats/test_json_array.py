"""The JSON array: one document, the shape of the native lines, the messages asked for."""

import io
import json
from typing import Any
from uuid import UUID

import pytest

from chatdb.formats import native, registry
from chatdb.formats.base import WriteOptions
from chatdb.formats.files.writing import Written, write_stream
from chatdb.records import Conversation
from tests.operations.export_rows import conversation, embedding, every_shape, message


def document(records: list[Conversation], **options: Any) -> bytes:
    stream = io.BytesIO()
    write_stream(stream, registry.writer("json", WriteOptions(**options)), records, Written())
    return stream.getvalue()


def test_each_element_is_the_native_line() -> None:
    records = every_shape()

    lines = document(records, all_branches=True, include_hidden=True).splitlines()

    expected = [native.conversation_line(record)[:-1] for record in records]
    assert [line.removesuffix(b",") for line in lines[1:-1]] == expected
    assert len(json.loads(b"\n".join(lines))) == len(records)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_any_number_of_conversations_is_one_array(count: int) -> None:
    records = [conversation(n) for n in range(1, count + 1)]

    assert len(json.loads(document(records))) == count


def test_branches_and_hidden_messages_are_left_out_unless_asked_for() -> None:
    messages = [
        message(1, "root", metadata={"chatdb": {"hidden": True}}),
        message(2, "answer", parent_id=UUID(int=1)),
        message(3, "other answer", parent_id=UUID(int=1)),
    ]
    embeddings = [embedding(number, number) for number in (1, 2, 3)]
    record = conversation(1, messages, current_message_id=UUID(int=3), embeddings=embeddings)

    def contents(**options: Any) -> list[str]:
        return [
            each["content"] for each in json.loads(document([record], **options))[0]["messages"]
        ]

    assert contents() == ["other answer"]
    assert contents(include_hidden=True) == ["root", "other answer"]
    assert contents(all_branches=True) == ["answer", "other answer"]
    (shown,) = json.loads(document([record]))
    assert [each["vector"] for each in shown["embeddings"]] == [[3.0]]
    assert len(record.messages) == 3


@pytest.mark.parametrize(
    ("parents", "current", "expected"),
    [
        ([None, None, None], None, [1, 2, 3]),
        ([99, 98, 97], 3, [1, 2, 3]),
        ([2, 1, 2], 3, [1, 2, 3]),
        ([None, 1, 1], 77, [1, 3]),
        ([None, 1, 99], 3, [3]),
        ([1, 1, 2], 3, [1, 2, 3]),
    ],
    ids=["flat", "all dangling", "circle", "current dangles", "parent dangles", "own parent"],
)
def test_the_active_path_survives_odd_links(
    parents: list[int | None], current: int | None, expected: list[int]
) -> None:
    messages = [
        message(n, parent_id=None if parent is None else UUID(int=parent))
        for n, parent in enumerate(parents, 1)
    ]
    leaf = None if current is None else UUID(int=current)
    record = conversation(1, messages, current_message_id=leaf)

    (element,) = json.loads(document([record]))

    assert [UUID(each["id"]).int for each in element["messages"]] == expected
