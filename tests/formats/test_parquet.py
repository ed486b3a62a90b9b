"""Parquet: what DuckDB and Polars read back is what was written, without a cast."""

import gc
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from chatdb.errors import RefusedError
from chatdb.formats.base import WriteOptions
from chatdb.formats.files.folder_writing import locked_folder
from chatdb.formats.files.writing import Written
from chatdb.formats.tables import parquet_files
from chatdb.formats.tables.parquet_batches import SIZE, TableBatches
from chatdb.formats.tables.parquet_writer import make_writer
from chatdb.formats.tables.rows import ConversationRows, rows_of
from chatdb.formats.times import EPOCH
from chatdb.records import Conversation
from tests.operations.export_rows import NOON, ODD_TEXTS, conversation, every_shape, message

_TEXT = "organization conversation_id title source kind message_id parent_id role author model"
_MORE = "user_id content reasoning tool_calls tool_outputs attachments attached_text source_id"
KINDS = {
    **dict.fromkeys(f"{_TEXT} {_MORE} metadata".split(), pa.string()),
    **dict.fromkeys(("created_at", "edited_at"), pa.timestamp("us", "UTC")),
    **dict.fromkeys(("on_active_branch", "hidden"), pa.bool_()),
    "position": pa.int32(),
}
EVERYTHING = WriteOptions(all_branches=True, include_hidden=True)


def file_of(records: Iterable[Conversation], options: WriteOptions = EVERYTHING) -> bytes:
    stream, written = BytesIO(), Written()
    make_writer(options).write_table(stream, map(rows_of, records), written)
    return stream.getvalue()


def write_folder(folder: Path, records: Iterable[Conversation], *, force: bool = False) -> Written:
    written = Written()
    with locked_folder(folder, written, force=force, on_kept=print) as place:
        make_writer(EVERYTHING).write_tables(place, map(rows_of, records))
    return written


def years() -> list[Conversation]:
    """Return conversations of two years and of none, the first with messages of both years."""
    new_year = datetime(2027, 1, 1, tzinfo=UTC)
    first = message(1, "q", metadata={"a": [1]})
    answer = message(2, "=a", role="assistant", parent_id=first.id, created_at=new_year, model="m")
    unknown = conversation(2, [message(3, "old", created_at=EPOCH)], created_at=EPOCH)
    late = conversation(3, [message(4, "late", created_at=new_year)], created_at=new_year)
    return [conversation(1, [first, answer], title="T", user_id="anna"), unknown, late]


def test_a_file_has_the_documented_types_and_every_odd_value() -> None:
    records = every_shape()
    table = pq.read_table(BytesIO(file_of(records)))

    assert {field.name: field.type for field in table.schema} == KINDS
    assert table.num_rows == sum(len(record.messages) for record in records)
    expected = [row for record in records for row in rows_of(record).rows]
    found = zip(*(table[name].to_pylist() for name in ("message_id", "content")), strict=True)
    assert list(found) == [(row[0], row[5]) for row in expected]
    assert table["created_at"].to_pylist() == [
        each.created_at for record in records for each in record.messages
    ]


def test_nul_and_lone_surrogates_do_not_fail() -> None:
    odd = [message(1, "a\x00b"), message(2, "x\ud800y", tool_calls=["\udfff"])]

    rows = pq.read_table(BytesIO(file_of([conversation(1, odd, title="\ud800")]))).to_pylist()
    assert [row["content"] for row in rows] == ["a\ufffdb", "x\ufffdy"]
    assert (rows[0]["title"], rows[1]["tool_calls"]) == ("\ufffd", '["\ufffd"]')


def test_duckdb_and_polars_read_a_folder_back_without_a_cast(tmp_path: Path) -> None:
    written = write_folder(tmp_path, years())

    assert (written.conversations, written.messages, written.files) == (3, 4, 6)
    parts = sorted(str(path.parent.name) for path in tmp_path.glob("messages/*/*"))
    assert parts == ["year=2026", "year=2027", "year=__HIVE_DEFAULT_PARTITION__"]
    query = f"""SELECT m.year, m.content, m.created_at, c.title, m.metadata ->> '$.a[0]', c.messages
     FROM read_parquet('{tmp_path}/messages/*/*.parquet') AS m
     JOIN read_parquet('{tmp_path}/conversations/*/*.parquet') AS c USING (conversation_id)
     WHERE c.created_at >= TIMESTAMPTZ '2026-01-01' ORDER BY m.created_at, m.content"""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        rows = connection.sql(query).fetchall()
        kinds = dict(zip(connection.sql(query).columns, connection.sql(query).types, strict=True))
    assert [row[:2] + row[3:] for row in rows] == [
        (2026, "q", "T", "1", 2),
        (2027, "=a", "T", None, 2),
        (2027, "late", None, None, 1),
    ]
    assert (str(kinds["created_at"]), str(kinds["year"])) == ("TIMESTAMP WITH TIME ZONE", "BIGINT")

    frame = pl.scan_parquet(tmp_path / "messages", hive_partitioning=True).collect()
    assert frame.schema["created_at"] == pl.Datetime("us", "UTC")
    assert frame.schema["year"] == pl.Int64
    assert frame.schema["content"] == pl.String
    early = frame.filter(pl.col("year") == 2026).row(0, named=True)
    assert (early["content"], early["created_at"]) == ("q", years()[0].messages[0].created_at)
    assert frame.filter(pl.col("year").is_null())["content"].to_list() == ["old"]
    assert pl.read_parquet(file_of(years()))["created_at"].null_count() == 1


def test_a_folder_with_tables_is_refused_and_replaced_as_a_whole_by_force(tmp_path: Path) -> None:
    write_folder(tmp_path, years())
    mine = tmp_path / "messages/year=2027/mine.parquet"
    mine.write_bytes(b"mine")
    (tmp_path / "messages/year=2026/part-0.parquet.partial").touch()

    with pytest.raises(RefusedError, match="already holds tables"):
        write_folder(tmp_path, years()[:1])
    write_folder(tmp_path, years()[1:2], force=True)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "mine.parquet",
        "part-0.parquet",
        "part-0.parquet",
    ]


def test_nothing_is_a_valid_table_without_rows(tmp_path: Path) -> None:
    write_folder(tmp_path, [])

    for table in ("conversations", "messages"):
        assert pl.scan_parquet(tmp_path / table).collect().height == 0
    assert pq.read_table(BytesIO(file_of([]))).num_rows == 0


def test_batches_are_bounded_within_a_conversation_with_a_long_title(tmp_path: Path) -> None:
    title = "x" * (SIZE // 4)
    record = conversation(1, [message(n, "y", model=title) for n in range(6)], title=title)

    batches = TableBatches(EVERYTHING)
    made = [*batches.add(rows_of(record)), batches.take()]
    assert [each.num_rows for _, each in made] == [2, 2, 2, 0]
    assert [each.num_rows for each, _ in made] == [1, 0, 0, 0]
    written = write_folder(tmp_path, [record, *years()])
    assert (written.conversations, written.messages) == (4, 10)
    table = pq.read_table(tmp_path / "conversations")
    assert sorted(table["messages"].to_pylist()) == [1, 1, 2, 6]
    assert pq.read_table(tmp_path / "messages")["title"].to_pylist().count(title) == 6


def test_a_conversation_of_many_messages_begins_with_no_empty_row_group(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(parquet_files, "GROUP_ROWS", 5)
    metadata = pq.read_metadata(BytesIO(file_of([conversation(1, [*map(message, range(7))])])))

    sizes = [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)]
    assert sizes == [5, 2]


def test_a_file_that_is_broken_off_leaves_its_stream_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def broken_off() -> Iterator[ConversationRows]:
        yield from map(rows_of, every_shape())
        raise RuntimeError

    stream = BytesIO()
    with pytest.raises(RuntimeError):
        make_writer(EVERYTHING).write_table(stream, broken_off(), Written())
    written = stream.getvalue()
    gc.collect()

    assert stream.getvalue() == written
    assert capfd.readouterr().err == ""


@pytest.mark.large
def test_row_groups_are_bounded_by_rows_and_by_the_bytes_of_all_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def groups(path: Any) -> list[int]:
        metadata = pq.read_metadata(path)
        return [metadata.row_group(place).num_rows for place in range(metadata.num_row_groups)]

    def talk(number: int, year: int, size: int) -> Conversation:
        time = NOON.replace(year=year)
        messages = [message(each, "x" * size, created_at=time) for each in range(1, 6_001)]
        return conversation(number, messages)

    small = [talk(number, 2026, 1) for number in range(20)]
    assert groups(BytesIO(file_of(small))) == [99_984, 20_016]
    monkeypatch.setattr(parquet_files, "GROUP_BYTES", 8 << 20)
    write_folder(tmp_path, [talk(number, 2026 + number % 2, 1_000) for number in range(4)])
    assert groups(tmp_path / "messages/year=2026/part-0.parquet") == [6_000, 6_000]


def test_a_failure_leaves_no_file(tmp_path: Path) -> None:
    def broken() -> Iterable[Conversation]:
        yield conversation(1, [message(1, ODD_TEXTS[0])])
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        write_folder(tmp_path, broken())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
