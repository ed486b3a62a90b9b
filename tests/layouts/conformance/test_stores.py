"""Databases that the systems made themselves are read with the counts of the notes beside them."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.formats.branches import active_path
from chatdb.records import Conversation
from tests.layouts.conformance.watching import fingerprint, nothing_executed
from tests.layouts.conftest import Imported, ImportFrom
from tests.layouts.foreign_databases import make_postgresql

pytestmark = pytest.mark.corpus


def sqlite(path: Path) -> DatabaseUrl:
    return DatabaseUrl(dialect_name="sqlite", path=path)


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
        done = import_from(sqlite(tmp_path / "webui.db"))

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
    url = sqlite(corpus / "sqlite" / "openwebui-new-42e2978c7933.db")
    before = fingerprint(url)

    done = import_from(url)

    assert (len(done.records()), roles(done.records())) == (3, {"user": 3, "assistant": 3})
    assert done.report["files"][0]["lossy"] == {}
    by_title = {each.title: each for each in done.records()}
    assert by_title["Chat with reasoning"].messages[1].content == "255"
    assert by_title["Chat with tool call"].messages[1].tool_calls[0]["name"] == "get_weather"
    assert fingerprint(url) == before


@pytest.mark.parametrize("version", ["3.1.2", "1.0.4"])
def test_langgraph_on_sqlite(version: str, corpus: Path, import_from: ImportFrom) -> None:
    url = sqlite(corpus / "stores" / f"langgraph-checkpoint-sqlite-{version}" / "checkpoints.db")
    before = fingerprint(url)

    with nothing_executed():
        done = import_from(url)

    _check_langgraph(done)
    assert fingerprint(url) == before


@pytest.mark.postgresql
def test_langgraph_on_postgresql(
    corpus: Path, import_from: ImportFrom, empty_postgresql_url: DatabaseUrl
) -> None:
    script = corpus / "stores" / "langgraph-checkpoint-postgres-3.2.0" / "checkpoints.sql"
    lines = (line for line in script.read_text().splitlines(keepends=True) if line[:1] != "\\")
    kept = "".join(lines).replace("SET transaction_timeout = 0;", "")
    make_postgresql(empty_postgresql_url, kept)

    with nothing_executed():
        done = import_from(empty_postgresql_url)

    _check_langgraph(done)


def _check_langgraph(done: Imported) -> None:
    """Check what the notes say of all three: distinct ids, the newest branch, the leaves."""
    assert done.exit_code == 0, done.stderr
    by_id = {each.source_id: each for each in done.records()}
    asha, bruno = by_id["asha-1"], by_id["bruno-1"]
    assert (len(asha.messages), forks([asha])) == (9, 1)
    newest = Counter(each.role for each in active_path(asha))
    assert newest == {"system": 1, "user": 2, "assistant": 3, "tool": 1}
    assert len({each.source_id for each in bruno.messages}) == 4
    assert [each.role for each in active_path(bruno)] == ["user", "user", "assistant"]
    lossy = done.report["files"][0]["lossy"]
    assert lossy["messages removed there: kept off the active branch"] == 1


@pytest.mark.parametrize(
    ("path", "counts", "leaves"),
    [
        ("langgraph-checkpoint-sqlite-3.1.2/delta-channel.db", {"user": 3, "assistant": 3}, 1),
        ("frameworks/lg_plain.db", {"user": 4, "assistant": 4}, 2),
        ("frameworks/lg_delta.db", {"user": 4, "assistant": 4}, 2),
    ],
)
def test_langgraphs_lists_are_rebuilt(
    path: str, counts: dict[str, int], leaves: int, corpus: Path, import_from: ImportFrom
) -> None:
    done = import_from(sqlite(corpus / "stores" / path))

    (record,) = done.records()
    assert roles([record]) == counts
    above = {each.parent_id for each in record.messages}
    assert sum(each.id not in above for each in record.messages) == leaves
