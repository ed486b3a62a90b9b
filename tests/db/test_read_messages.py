"""Messages are read a bounded amount at a time, whichever column holds it."""

from contextlib import closing
from typing import Any

import pytest

from chatdb.db.contract.message_text import CHUNK_CHARACTERS, Selection
from chatdb.db.database import Database
from tests.operations.importing import ORGANIZATION, conversation, identifier, load, message

_COUNT = 8
_LARGE = "x" * (CHUNK_CHARACTERS // 2)


@pytest.mark.parametrize("way", ["read_messages", "read_records", "read_rows"])
@pytest.mark.parametrize(
    "fields",
    [
        {"content": _LARGE},
        {"attached_text": _LARGE},
        {"tool_outputs": [_LARGE]},
        {"metadata": {"page": _LARGE}},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_a_chunk_holds_few_large_messages(database: Database, fields: Any, way: str) -> None:
    names = [str(number) for number in range(_COUNT)]
    load(database, [conversation("talk", [message(name, **fields) for name in names])])
    selection = Selection([str(identifier("talk"))], gapless=True)

    with (
        database.transaction() as connection,
        closing(getattr(database.dialect, way)(connection, ORGANIZATION, selection)) as chunks,
    ):
        # Text has its number of messages beside it.
        counts = [number[0] if number else len(messages) for _, messages, *number in chunks]

    assert sum(counts) == _COUNT
    assert max(counts) <= 2
