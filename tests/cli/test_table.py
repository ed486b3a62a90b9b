"""Tables keep every character and every width."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from chatdb.cli.table import record_lines, table_lines

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
