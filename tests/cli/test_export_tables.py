"""`chatdb export` and `convert` to CSV and Parquet as people run them."""

import csv
import stat
import sys
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from chatdb.formats import native
from chatdb.records import Conversation
from tests.operations.export_rows import NOON, conversation, message

Runner = Callable[..., Any]


def write_native(*records: Conversation) -> None:
    """Write `in.jsonl`."""
    lines = [native.header_line(created=NOON), *map(native.conversation_line, records)]
    Path("in.jsonl").write_bytes(b"".join(lines))


@pytest.mark.usefixtures("filled_url")
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
    write_native(record)

    run("convert", "in.jsonl", "safe.csv")
    run("convert", "in.jsonl", "raw.csv", "--raw-csv")

    assert ",'=1+1," in Path("safe.csv").read_text()
    assert ",=1+1," in Path("raw.csv").read_text()


@pytest.mark.usefixtures("filled_url")
def test_parquet_goes_to_a_file_a_stream_and_a_folder(run: Runner) -> None:
    assert run("export", "--output", "all.parquet").exit_code == 0
    frame = pl.read_parquet("all.parquet")
    assert frame["title"].to_list() == ["Chat 1", "Chat 2", "Chat 3"]
    assert frame["organization"].unique().to_list() == ["default"]
    assert stat.S_IMODE(Path("all.parquet").stat().st_mode) == 0o600

    result = run("export", "--to", "parquet", "--output", "tables/", "--all-orgs")
    assert "wrote 3 conversations with 3 messages to tables/ in 2 files" in result.stderr
    read = pl.scan_parquet("tables/messages", hive_partitioning=True).collect()
    assert read.drop("year").sort("conversation_id").equals(frame.sort("conversation_id"))
    assert stat.S_IMODE(next(Path("tables").glob("*/*/*")).stat().st_mode) == 0o600
    again = run("export", "--to", "parquet", "--output", "tables/")
    assert again.exit_code == 6
    assert "--force" in again.stderr
    assert run("export", "--to", "parquet", "--output", "tables/", "--force").exit_code == 0
    assert run("export", "--output", "all.parquet.gz").exit_code == 2


def test_files_become_parquet_without_a_database(run: Runner) -> None:
    records = [conversation(number, [message(1, "hi")]) for number in (1, 2)]
    write_native(*records)

    one = run("convert", "in.jsonl", "out.parquet")
    folder = run("convert", "in.jsonl", "tables/", "--to", "parquet")

    assert (one.exit_code, folder.exit_code) == (0, 0)
    assert pl.read_parquet("out.parquet")["content"].to_list() == ["hi", "hi"]
    assert len(list(Path("tables").glob("*/year=2026/part-0.parquet"))) == 2


def test_without_pyarrow_the_extra_is_named(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    result = run("convert", "in.jsonl", "out.parquet")
    assert result.exit_code == 1
    assert "pip install 'chatdb-cli[parquet]'" in result.stderr
