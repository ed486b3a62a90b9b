"""Messages are read a bounded amount at a time, whichever column holds it."""

from contextlib import closing
from typing import Any

import pytest

from chatdb.db.contract.message_text import CHUNK_CHARACTERS, Selection
from chatdb.db.database import Database
from tests.operations.importing import ORGANIZATION, conversation, identifier, load, message

_COUNT = 8
_LARGE = "x" * (CHUNK_CHARACTERS // 2)


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
def test_a_chunk_holds_few_large_messages(database: Database, fields: Any) -> None:
    names = [str(number) for number in range(_COUNT)]
    load(database, [conversation("talk", [message(name, **fields) for name in names])])
    selection = Selection([str(identifier("talk"))], gapless=True)

    with (
        database.transaction() as connection,
        closing(database.dialect.read_messages(connection, ORGANIZATION, selection)) as chunks,
    ):
        counts = [count for _, _, count in chunks]

    assert sum(counts) == _COUNT
    assert max(counts) <= 2
