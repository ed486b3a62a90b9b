"""Databases that the systems made themselves are read with the counts of the notes beside them."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.records import Conversation
from tests.conformance.watching import fingerprint, nothing_executed
from tests.layouts.conftest import ImportFrom

pytestmark = pytest.mark.corpus


def forks(records: list[Conversation]) -> int:
    """Return how many messages have several answers."""
    children = Counter((record.id, each.parent_id) for record in records
                       for each in record.messages if each.parent_id)  # fmt: skip
    return sum(count > 1 for count in children.values())


def roles(records: list[Conversation]) -> dict[str, int]:
    """Return how many messages there are of each role."""
    return dict(Counter(each.role for record in records for each in record.messages))


def test_open_webui_0_12_4(corpus: Path, tmp_path: Path, import_from: ImportFrom) -> None:
    script = (corpus / "stores" / "open-webui-0.12.4" / "webui.sql").read_text()
    with closing(sqlite3.connect(tmp_path / "webui.db")) as connection:
        connection.executescript(script)

    with nothing_executed():
        done = import_from(DatabaseUrl(dialect_name="sqlite", path=tmp_path / "webui.db"))

    records = done.records()
    assert len(records) == 3
    assert roles(records) == {"user": 4, "assistant": 6}
    assert forks(records) == 2
    assert done.record("Nothing said").archived_at is not None
    lossy: dict[str, Any] = done.report["files"][0]["lossy"]
    assert lossy == {
        "a current message that does not exist: the newest leaf taken": 1,
        "shared copies of chats: not read again": 1,
    }
    assert done.report["files"][0]["unknown_fields"] == {}
    assert done.record("Melons").metadata["tags"] == ["Fruit"]


def test_open_webui_of_june_2026(corpus: Path, import_from: ImportFrom) -> None:
    path = corpus / "sqlite" / "openwebui-new-42e2978c7933.db"
    url = DatabaseUrl(dialect_name="sqlite", path=path)
    before = fingerprint(url)

    done = import_from(url)

    assert (len(done.records()), roles(done.records())) == (3, {"user": 3, "assistant": 3})
    assert done.report["files"][0]["lossy"] == {}
    by_title = {each.title: each for each in done.records()}
    assert by_title["Chat with reasoning"].messages[1].content == "255"
    assert by_title["Chat with tool call"].messages[1].tool_calls[0]["name"] == "get_weather"
    assert fingerprint(url) == before
