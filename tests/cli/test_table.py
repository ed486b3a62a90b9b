"""Tables keep every character and every width."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from chatdb.cli.cells import cell_text, told_once
from chatdb.cli.headings import heading
from chatdb.cli.table import record_lines, table_lines
from chatdb.cli.text import short_ago
from chatdb.primitives.sizes import size_text

words = st.text(alphabet=st.sampled_from("ab漢字é "), max_size=60).map(str.strip)


def test_columns_are_aligned_and_numbers_stand_right() -> None:
    lines = list(
        table_lines(["title", "count"], [["漢字", 7], ["plain", 1200]], width=None, color=False)
    )

    assert lines == ["Title  Count", "────────────", "漢字       7", "plain   1200"]


def test_headings_are_bold_only_in_colour() -> None:
    assert next(table_lines(["a"], [["x"]], width=None, color=True)) == "\x1b[1mA\x1b[0m"
    assert next(record_lines(["a"], ["x"], width=None, color=True)) == "\x1b[1mA\x1b[0m  x"


def test_the_widest_column_is_folded_at_spaces_first() -> None:
    row = ["12345678-1234", "a long title of many words", 5]

    lines = list(table_lines(["id", "title", "n"], [row], width=32, color=False))

    assert lines[2:] == [
        "12345678-1234  a long title    5",
        "               of many words",
    ]


def test_a_row_that_cannot_fit_becomes_a_block() -> None:
    rows: list[list[str | None]] = [["one", "two", "three"], ["four", None, "six"]]

    lines = list(table_lines(["first", "second", "third"], rows, width=14, color=False))

    assert lines == [
        "First   one",
        "Second  two",
        "Third   three",
        "",
        "First   four",
        "Third   six",
    ]


@given(
    st.lists(st.lists(words, min_size=3, max_size=3), min_size=1, max_size=4),
    st.integers(min_value=36, max_value=100),
)
def test_a_table_never_exceeds_its_width_and_loses_nothing(
    rows: list[list[str]], width: int
) -> None:
    lines = list(table_lines(["a", "b", "c"], rows, width=width, color=False))

    assert max(map(cell_len, lines), default=0) <= width
    for character in "ab漢字é":
        shown = sum(line.count(character) for line in lines[2:])
        assert shown == sum(cell.count(character) for row in rows for cell in row)


@pytest.mark.parametrize("width", [20, 40])
def test_a_record_folds_its_values(width: int) -> None:
    lines = list(record_lines(["name", "x"], ["word " * 20, "y" * 50], width=width, color=False))

    assert max(map(len, lines)) <= width
    assert "".join(lines).count("word") == 20
    assert "".join(lines).count("y") == 50


@pytest.mark.parametrize(
    ("width", "headings", "row"),
    [
        (None, "Organization ID Title User Messages", "acme-gmbh 0a1b2c3d A title of many words"),
        (
            60,
            "Organiz… ID Title User Messages",
            "acme-gm… 0a1b2c3d A title of many wor… bo@acme… 12",
        ),
        (50, "Organiz… ID Title Messages", "acme-gm… 0a1b2c3d A title of many wor… 12"),
        (40, "ID Title Messages", "0a1b2c3d A title of many wor… 12"),
        (30, "ID Title Messages", "0a1b2c3d A title o… 12"),
    ],
)
def test_the_title_is_cut_last_and_columns_of_lesser_use_are_left_out(
    width: int | None, headings: str, row: str
) -> None:
    names = ["organization", "id", "title", "user_id", "message_count", "starred_at"]
    cells = ["acme-gmbh", "0a1b2c3d", "A title of many words", "bo@acme.example", 12, None]

    lines = list(
        table_lines(
            names,
            [cells],
            width=width,
            color=False,
            shortened=("user_id", "organization", "title"),
        )
    )

    assert len(lines) == 3
    assert " ".join(lines[0].split()) == headings
    assert " ".join(lines[2].split()).startswith(row)
    assert width is None or max(map(cell_len, lines)) <= width


def test_names_of_fields_become_words() -> None:
    fields = ("updated_at", "message_count", "id", "user_id", "made_by", "uptime_seconds", "Why")

    assert [heading(field) for field in fields] == [
        *("Updated", "Messages", "ID", "User", "Made by", "Uptime", "Why")
    ]


def test_cells_are_as_people_read_them() -> None:
    time = datetime(2026, 11, 29, 21, 5, 59, tzinfo=UTC)

    assert cell_text(time, "updated_at") == "2026-11-29 21:05"
    assert cell_text(1_234_567, "bytes") == "1.2 MB"
    assert cell_text(1_234_567, "messages") == "1234567"
    assert (cell_text(True, "reads"), cell_text(False, "reads")) == ("yes", "no")
    assert (cell_text(True, "dry_run"), cell_text(False, "dry_run")) == ("nothing was written", "")
    assert (cell_text(0.123, "seconds"), cell_text(7265, "seconds")) == ("0.12 s", "2 h 1 min")
    dry = told_once(("outcome", "dry_run", "new"), ("partial", True, 2))
    assert dry == {"outcome": "partial, dry run: nothing was written", "new": 2}
    assert told_once(("outcome", "dry_run"), ("done", False))["outcome"] == "done"
    assert cell_text(["a", "b"]) == "a, b"
    assert cell_text({"a": 1, "b": "\x1b[31mx"}) == "a: 1, b: x"
    assert cell_text({"a": [1]}) == '{"a":[1]}'
    assert [size_text(size) for size in (0, 999, 9_949, 999_499, 999_500, 2_500_000_000)] == [
        *("0 B", "999 B", "9.9 kB", "999 kB", "1.0 MB", "2.5 GB")
    ]


def test_how_long_ago_it_was_takes_little_room() -> None:
    now = datetime(2026, 11, 29, 21, 5, tzinfo=UTC)
    before = [0, 59, 60, 3_599, 3_600, 86_400, 13 * 86_400, 14 * 86_400]

    assert [short_ago(now - timedelta(seconds=each), now) for each in before] == [
        *("just now", "just now", "1 min ago", "59 min ago", "1 h ago", "1 d ago", "13 d ago"),
        "2026-11-15 21:05",
    ]
