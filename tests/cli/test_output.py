"""The same rows in four formats, streamed, and safe wherever a terminal may read them."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import msgspec
import pytest

from chatdb.cli.options import OutputFormat
from chatdb.cli.output import Output


@dataclass(frozen=True, slots=True)
class Row:
    """A row with a field of each kind."""

    id: UUID
    title: str | None
    messages: int
    share: float
    archived: bool
    created_at: datetime
    tags: list[str] = field(default_factory=list)


class StructRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """The same rule for Structs, defaults included."""

    name: str
    count: int = 0


ROW = Row(
    id=UUID("00000000-0000-4000-8000-000000000001"),
    title='Größe, "quoted"\nsecond line',
    messages=12,
    share=0.5,
    archived=False,
    created_at=datetime(2024, 5, 1, 14, 0, 0, 123456, timezone(timedelta(hours=2))),
    tags=["a", "b"],
)


def written(capsys: pytest.CaptureFixture[str], *rows: Any, **options: Any) -> str:
    """Return what rows look like in a format."""
    row_type = options.pop("row_type", Row)
    output_format = options.pop("output_format")
    Output(output_format).rows(rows, row_type, **options)
    return capsys.readouterr().out


def test_json_has_every_field_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads(written(capsys, ROW, output_format=OutputFormat.JSON)) == [
        {
            "id": "00000000-0000-4000-8000-000000000001",
            "title": 'Größe, "quoted"\nsecond line',
            "messages": 12,
            "share": 0.5,
            "archived": False,
            "created_at": "2024-05-01T12:00:00.123456Z",
            "tags": ["a", "b"],
        }
    ]


def test_json_lines_are_the_elements_of_the_json(capsys: pytest.CaptureFixture[str]) -> None:
    as_list = json.loads(written(capsys, ROW, ROW, output_format=OutputFormat.JSON))

    lines = written(capsys, ROW, ROW, output_format=OutputFormat.JSONL).splitlines()

    assert [json.loads(line) for line in lines] == as_list


def test_csv_has_the_same_data(capsys: pytest.CaptureFixture[str]) -> None:
    text = written(capsys, ROW, output_format=OutputFormat.CSV)

    assert list(csv.DictReader(io.StringIO(text))) == [
        {
            "id": "00000000-0000-4000-8000-000000000001",
            "title": 'Größe, "quoted"\nsecond line',
            "messages": "12",
            "share": "0.5",
            "archived": "false",
            "created_at": "2024-05-01T12:00:00.123456Z",
            "tags": '["a","b"]',
        }
    ]


def test_a_table_has_every_field_on_one_line_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    lines = written(capsys, ROW, output_format=OutputFormat.TABLE).splitlines()

    assert lines[0].split() == [
        "ID",
        "Title",
        "Messages",
        "Share",
        "Archived",
        "Created",
        "Tags",
    ]
    assert 'Größe, "quoted" second line' in lines[2]
    assert "2024-05-01 12:00  a, b" in lines[2]
    assert len(lines) == 3


def test_a_piped_table_is_not_cut(capsys: pytest.CaptureFixture[str]) -> None:
    row = StructRow("word " * 400)

    assert ("word " * 400).strip() in written(
        capsys, row, row_type=StructRow, output_format=OutputFormat.TABLE
    )


@pytest.mark.parametrize(
    ("output_format", "expected"),
    [
        (OutputFormat.JSON, "[]\n"),
        (OutputFormat.JSONL, ""),
        (OutputFormat.CSV, "name,count\n"),
    ],
)
def test_empty_is_a_valid_answer(
    capsys: pytest.CaptureFixture[str], output_format: OutputFormat, expected: str
) -> None:
    assert written(capsys, row_type=StructRow, output_format=output_format) == expected


def test_a_table_without_rows_has_no_headings(capsys: pytest.CaptureFixture[str]) -> None:
    assert written(capsys, row_type=StructRow, output_format=OutputFormat.TABLE) == ""


def test_a_struct_keeps_fields_that_hold_their_default(capsys: pytest.CaptureFixture[str]) -> None:
    text = written(capsys, StructRow("x"), row_type=StructRow, output_format=OutputFormat.JSON)

    assert json.loads(text) == [{"name": "x", "count": 0}]


@pytest.mark.parametrize("output_format", list(OutputFormat))
def test_a_record_has_the_same_data_as_a_row(
    capsys: pytest.CaptureFixture[str], output_format: OutputFormat
) -> None:
    Output(output_format).record(StructRow("x", 3))

    text = capsys.readouterr().out
    if output_format in (OutputFormat.JSON, OutputFormat.JSONL):
        assert json.loads(text) == {"name": "x", "count": 3}
    else:
        assert text.replace(",", " ").split() in (
            ["name", "count", "x", "3"],
            ["Name", "x", "Count", "3"],
        )


@pytest.mark.parametrize(
    "start",
    [
        *("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"),
        *(" =", "  \t=", "\u00a0+", "\u3000@", "\u200b=", "\ufeff=", "\u2060-", "\u200e \u202e="),
        *("\ufe62", "\ufe66", "\ufe6b", "\x00=", "\u2028="),
    ],
)
def test_a_csv_cell_that_looks_like_a_formula_is_disarmed(
    capsys: pytest.CaptureFixture[str], start: str
) -> None:
    evil = start + "cmd|' /C calc'!A0"

    guarded = written(
        capsys, StructRow(evil, -5), row_type=StructRow, output_format=OutputFormat.CSV
    )
    Output(OutputFormat.CSV, raw_csv=True).rows([StructRow(evil, -5)], StructRow)
    raw = capsys.readouterr().out

    assert list(csv.reader(io.StringIO(guarded, newline="")))[1] == ["'" + evil, "-5"]
    assert list(csv.reader(io.StringIO(raw, newline="")))[1] == [evil, "-5"]


@pytest.mark.parametrize(
    "text", ["a=b", "", " ", "\u200b", "1-1", " plain", "'=1", "\u00e9=", "(=1)"]
)
def test_other_csv_cells_stay_as_they_are(capsys: pytest.CaptureFixture[str], text: str) -> None:
    shown = written(capsys, StructRow(text), row_type=StructRow, output_format=OutputFormat.CSV)

    assert list(csv.reader(io.StringIO(shown, newline="")))[1][0] == text


@pytest.mark.parametrize("output_format", [OutputFormat.JSONL, OutputFormat.CSV, OutputFormat.JSON])
def test_rows_are_written_as_they_come(
    capsys: pytest.CaptureFixture[str], output_format: OutputFormat
) -> None:
    seen: list[str] = []

    def rows() -> Iterator[StructRow]:
        yield StructRow("first")
        seen.append(capsys.readouterr().out)
        yield StructRow("second")

    Output(output_format).rows(rows(), StructRow)

    assert "first" in seen[0]


def test_markup_and_escapes_in_titles_are_plain_text(capsys: pytest.CaptureFixture[str]) -> None:
    row = StructRow("[red]x[/red] [id] :smile: \x1b]8;;http://evil\x07y\u202e")

    text = written(capsys, row, row_type=StructRow, output_format=OutputFormat.TABLE)

    assert "[red]x[/red] [id] :smile: y" in text
    assert "\x1b" not in text


def test_json_shows_invisible_characters_as_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    row = StructRow("a\x1b\x9b\u202eb\U000e0041")

    text = written(capsys, row, row_type=StructRow, output_format=OutputFormat.JSON)

    assert json.loads(text) == [{"name": row.name, "count": 0}]
    assert r"\u001b\u009b\u202eb\udb40\udc41" in text


def test_a_naive_time_counts_as_utc(capsys: pytest.CaptureFixture[str]) -> None:
    @dataclass(frozen=True)
    class Timed:
        at: datetime

    row = Timed(datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC).replace(tzinfo=None))

    text = written(capsys, row, row_type=Timed, output_format=OutputFormat.JSON)

    assert json.loads(text) == [{"at": "2024-01-02T03:04:05Z"}]


def test_a_file_name_that_is_no_utf8_can_be_reported(capsys: pytest.CaptureFixture[str]) -> None:
    row = StructRow("caf\udce9.json")

    text = written(capsys, row, row_type=StructRow, output_format=OutputFormat.JSON)

    assert json.loads(text) == [{"name": "caf\ufffd.json", "count": 0}]


def test_raw_csv_is_an_option_of_every_command_with_a_format(run: Any) -> None:
    guarded = run("config", "show", "--org", "=1+1", "--format", "csv")
    raw = run("config", "show", "--org", "=1+1", "--format", "csv", "--raw-csv")

    assert "org,'=1+1,option --org" in guarded.stdout
    assert "org,=1+1,option --org" in raw.stdout


def test_a_type_without_fields_is_a_mistake_of_ours() -> None:
    with pytest.raises(TypeError, match="neither a dataclass nor a Struct"):
        Output(OutputFormat.JSON).rows([], int)
