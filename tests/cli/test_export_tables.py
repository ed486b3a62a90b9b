"""`chatdb export` and `convert` to CSV and Parquet as people run them."""

import csv
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl
from chatdb.formats import native
from tests.operations.export_rows import conversation, fill, message

Runner = Callable[..., Any]


@pytest.fixture
def url(database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> DatabaseUrl:
    """A database with three conversations, which the command finds by itself."""
    fill(database_url)
    monkeypatch.setenv("DATABASE_URL", database_url.exposed())
    return database_url


@pytest.mark.usefixtures("url")
def test_csv_goes_to_files_streams_and_folders(run: Runner) -> None:
    assert run("export", "--output", "all.csv").exit_code == 0
    text = Path("all.csv").read_text()
    assert run("export", "--to", "csv").stdout == text
    rows = list(csv.DictReader(StringIO(text)))
    assert [row["title"] for row in rows] == ["Chat 1", "Chat 2", "Chat 3"]
    assert {row["organization"] for row in rows} == {"default"}

    folder = run("export", "--to", "csv", "--output", "rows/")
    assert "in 3 files" in folder.stderr
    parts = [path.read_text().splitlines() for path in sorted(Path("rows").iterdir())]
    assert [part[0] for part in parts] == [text.splitlines()[0]] * 3
    assert run("export", "--output", "all.csv").exit_code == 6


def test_cells_are_guarded_unless_raw_csv_is_asked_for(run: Runner) -> None:
    record = conversation(1, [message(1, "=1+1")], title="One")
    Path("in.jsonl").write_bytes(native.conversation_line(record))

    run("convert", "in.jsonl", "safe.csv")
    run("convert", "in.jsonl", "raw.csv", "--raw-csv")

    assert ",'=1+1," in Path("safe.csv").read_text()
    assert ",=1+1," in Path("raw.csv").read_text()
