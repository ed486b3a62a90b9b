"""Tables: as wide as their cells in a pipe, cut and folded to the width of a terminal."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from rich.cells import cell_len, chop_cells

from chatdb.cli.cells import cell_text
from chatdb.cli.headings import heading

_MARGIN = "    "
_NARROWEST_TEXT = 24
"""With less room than this beside its head, a text starts on a new line."""
_GAP = "  "
_NARROWEST_COLUMN = 10
"""A column is not folded below this; rows that still do not fit become blocks of lines."""
_ROOM_OF_TITLE = 20
"""What the column that is cut last keeps as long as others can give room."""
_SHORTEST_CUT = 8


def table_lines(
    names: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    width: int | None,
    color: bool,
    shortened: Sequence[str] = (),
) -> Iterator[str]:
    """Yield the lines of a table, headed by the fields' names; `width` None is no limit.

    Empty columns are left out. `shortened` names the columns that are cut where there is no room,
    the most important last; the others of them are left out where it would keep less than
    20 columns. Other texts are folded. A table without rows has no lines.
    """
    columns = [_Column.of(name, [row[at] for row in rows]) for at, name in enumerate(names)]
    columns = [column for column in columns if any(column.texts)]
    if not columns:
        return
    cut = [column for name in shortened for column in columns if column.name == name]
    if width is not None:
        for column in list(_without_room(columns, cut, width)):
            columns.remove(column)
            cut.remove(column)
        if not _fit(columns, cut, width):
            yield from _blocks(names, rows, width=width, color=color)
            return
    heads = [cut_to(column.heading, column.width) for column in columns]
    yield _bold(
        _joined([each.padded(head) for each, head in zip(columns, heads, strict=True)]), color
    )
    yield "─" * _width_of(columns)
    for column in cut:
        column.texts = [cut_to(text, column.width) for text in column.texts]
    for row_texts in zip(*(column.texts for column in columns), strict=True):
        yield from _row_lines(row_texts, columns)


def record_lines(
    names: Sequence[str],
    values: Sequence[Any],
    *,
    width: int | None,
    color: bool,
    margin: int = 0,
) -> Iterator[str]:
    """Yield a record as lines of name and value; what is empty has none.

    `margin` is the least room for the names.
    """
    cells = [
        (heading(name), cell_text(value, name)) for name, value in zip(names, values, strict=True)
    ]
    told = [cell for cell in cells if cell[1]]
    margin = max([margin, *(cell_len(name) for name, _ in told)])
    room = None if width is None else max(width - margin - len(_GAP), _NARROWEST_COLUMN)
    for name, text in told:
        first, *more = folded(text, room)
        yield (_bold(name, color) + " " * (margin - cell_len(name)) + _GAP + first).rstrip()
        yield from (" " * margin + _GAP + line for line in more)


def _blocks(
    names: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int | None, color: bool
) -> Iterator[str]:
    margin = max(cell_len(heading(name)) for name in names)
    for number, row in enumerate(rows):
        if number:
            yield ""
        yield from record_lines(names, row, width=width, color=color, margin=margin)


@dataclass(slots=True, eq=False)
class _Column:
    """A column: its cells as texts, and how wide it is; `is_whole` if its texts are not folded."""

    name: str
    heading: str
    texts: list[str]
    width: int
    is_number: bool
    is_whole: bool

    @classmethod
    def of(cls, name: str, values: Sequence[Any]) -> Self:
        texts, head = [cell_text(value, name) for value in values], heading(name)
        is_number = all(map(_is_number, values))
        is_time = all(value is None or isinstance(value, datetime) for value in values)
        width = max(map(cell_len, (head, *texts)))
        return cls(name, head, texts, width, is_number, is_number or is_time)

    def padded(self, text: str) -> str:
        space = " " * (self.width - cell_len(text))
        return space + text if self.is_number else text + space


def _width_of(columns: Sequence[_Column]) -> int:
    return sum(column.width for column in columns) + len(_GAP) * (len(columns) - 1)


def _without_room(
    columns: Sequence[_Column], cut: Sequence[_Column], width: int
) -> Iterator[_Column]:
    """Yield the columns to leave out so that the last of those that are cut can be read."""
    excess = _width_of(columns) - width
    for number, column in enumerate(cut[:-1]):
        others = sum(_gives(each, _SHORTEST_CUT) for each in cut[number:-1])
        if others + _gives(cut[-1], _ROOM_OF_TITLE) >= excess:
            return
        excess -= column.width + len(_GAP)
        yield column


def _gives(column: _Column, least: int) -> int:
    return max(0, column.width - least)


def _fit(columns: Sequence[_Column], cut: Sequence[_Column], width: int) -> bool:
    """Make columns narrower until the table fits, first those that are cut; tell if it does."""
    excess = _width_of(columns) - width
    for least in (_ROOM_OF_TITLE, _SHORTEST_CUT):
        for column in cut:
            kept = least if column is cut[-1] else _SHORTEST_CUT
            step = max(0, min(excess, _gives(column, kept)))
            column.width -= step
            excess -= step
    folded_ones = [each for each in columns if not each.is_whole and each not in cut]
    while excess > 0:
        room = {
            each: _gives(each, max(cell_len(each.heading), _NARROWEST_COLUMN))
            for each in folded_ones
        }
        widest = max(
            (each for each in room if room[each]), key=lambda each: each.width, default=None
        )
        if widest is None:
            return False
        others = [each.width for each in room if each is not widest and room[each]]
        step = max(1, widest.width - max(others, default=0))
        step = min(step, excess, room[widest])
        widest.width -= step
        excess -= step
    return True


def _row_lines(row: Sequence[str], columns: Sequence[_Column]) -> Iterator[str]:
    if all(cell_len(text) <= each.width for text, each in zip(row, columns, strict=True)):
        yield _joined([each.padded(text) for text, each in zip(row, columns, strict=True)])
        return
    folded_cells = [folded(text, each.width) for text, each in zip(row, columns, strict=True)]
    for number in range(max(map(len, folded_cells))):
        line = [lines[number] if number < len(lines) else "" for lines in folded_cells]
        yield _joined([each.padded(text) for text, each in zip(line, columns, strict=True)])


def cut_to(text: str, width: int) -> str:
    """Return the text, or its beginning and an ellipsis; wide characters count twice."""
    if cell_len(text) <= width:
        return text
    return next(iter(chop_cells(text, max(width - 1, 1))), "").rstrip() + "…"


def folded(text: str, width: int | None) -> list[str]:
    """Break a line at spaces, a longer word anywhere; wide characters count twice."""
    if width is None or cell_len(text) <= width:
        return [text]
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_len(joined) <= width:
            lines[-1] = joined
        elif cell_len(word) <= width:
            lines.append(word)
        else:
            lines += chop_cells(word, width)
    return [line for line in lines if line] or [""]


def headed_lines(
    head: str, text: str, width: int | None, *, shown: str = "", break_long_words: bool = True
) -> Iterator[str]:
    """Yield a text beside its head, broken between words; `width` None is no limit.

    `shown` is the head with its colour.
    """
    shown, margin = shown or head, " " * len(head)
    if width is None:
        yield shown + text
        return
    if width - len(head) < _NARROWEST_TEXT:
        yield shown.rstrip()
        shown = margin = _MARGIN
    room = max(width - len(margin), 1)
    lines = textwrap.wrap(text, room, break_long_words=break_long_words, break_on_hyphens=False)
    first, *more = lines or [""]
    yield shown + first
    yield from (margin + line for line in more)


def _joined(cells: Sequence[str]) -> str:
    return _GAP.join(cells).rstrip()


def _bold(text: str, color: bool) -> str:
    return f"\x1b[1m{text}\x1b[0m" if color else text


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
