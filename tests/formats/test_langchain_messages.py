"""LangChain's messages in each shape that its packages write."""

from typing import Any
from uuid import UUID

import pytest

from chatdb.formats.base import Tally
from chatdb.formats.langchain.messages import id_of, message_fields, record_of
from chatdb.records import MARKS
from tests.store.filled import NOON

PYTHON = {"type": "ai", "data": {"content": "hi", "id": "m1"}}
CONSTRUCTOR = {
    "lc": 1,
    "type": "constructor",
    "id": ["langchain_core", "messages", "AIMessage"],
    "kwargs": {"content": "hi", "id": "m1"},
}


@pytest.mark.parametrize(
    "value",
    [
        {"type": "ai", "content": "hi", "id": "m1"},
        {"role": "assistant", "content": "hi", "id": "m1"},
        PYTHON,
        CONSTRUCTOR,
    ],
    ids=["flat", "role", "python", "constructor"],
)
def test_every_shape_gives_the_same_message(value: dict[str, Any]) -> None:
    fields = message_fields(value)

    assert fields is not None
    assert id_of(fields) == "m1"
    message = record_of(fields, UUID(int=1), NOON, Tally())
    assert (message.role, message.content, message.metadata) == ("assistant", "hi", {})


@pytest.mark.parametrize("value", [None, 5, "hi", [], {}, {"content": "x"}, {"type": "ai"},
                                   {"type": "text", "content": "x"}])  # fmt: skip
def test_what_is_no_message_is_none(value: Any) -> None:
    assert message_fields(value) is None


def test_a_role_of_the_applications_own_is_kept_as_a_mark() -> None:
    fields = message_fields({"type": "chat", "role": "moderator", "content": "calm"})
    tally = Tally()

    assert fields is not None
    message = record_of(fields, UUID(int=1), NOON, tally)

    assert (message.role, message.metadata) == ("assistant", {MARKS: {"role": "moderator"}})
    assert dict(tally.lossy) == {"unknown role 'moderator' read as assistant": 1}
