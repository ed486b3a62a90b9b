"""Tables: as wide as their cells in a pipe, folded to the width of a terminal."""

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from rich.cells import cell_len, chop_cells

from chatdb.cli.cells import cell_text

_MARGIN = "    "
_NARROWEST_TEXT = 24
"""With less room than this beside its head, a text starts on a new line."""
_GAP = "  "
_NARROWEST_COLUMN = 10
"""A column is not folded below this; rows that still do not fit become blocks of lines."""


def table_lines(
    names: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int | None, color: bool
) -> Iterator[str]:
    """Yield the lines of a table with the field names as headings; `width` None is no limit.

    A table without rows has no lines: headings alone tell nothing.
    """
    if not rows:
        return
    numeric = [
        bool(rows) and all(_is_number(row[index]) for row in rows) for index in range(len(names))
    ]
    texts = [[cell_text(value) for value in row] for row in rows]
    natural = [
        max(cell_len(name), *(cell_len(row[index]) for row in texts), 0)
        for index, name in enumerate(names)
    ]
    widths = natural if width is None else _fitted(names, natural, numeric, width)
    if widths is None:
        yield from _blocks(names, rows, width=width, color=color)
        return
    yield _bold(
        _joined([_padded(*cell) for cell in zip(names, widths, numeric, strict=True)]), color
    )
    yield "─" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    for row in texts:
        yield from _row_lines(row, widths, numeric)


def record_lines(
    names: Sequence[str], values: Sequence[Any], *, width: int | None, color: bool
) -> Iterator[str]:
    """Yield a record as lines of name and value; an empty list has none."""
    told = [
        (name, value)
        for name, value in zip(names, values, strict=True)
        if not (isinstance(value, list | tuple | dict) and not value)
    ]
    margin = max((cell_len(name) for name, _ in told), default=0)
    room = None if width is None else max(width - margin - len(_GAP), _NARROWEST_COLUMN)
    for name, value in told:
        first, *more = folded(cell_text(value), room)
        yield (_bold(name, color) + " " * (margin - cell_len(name)) + _GAP + first).rstrip()
        yield from (" " * margin + _GAP + line for line in more)


def _blocks(
    names: Sequence[str], rows: Sequence[Sequence[Any]], *, width: int | None, color: bool
) -> Iterator[str]:
    for number, row in enumerate(rows):
        if number:
            yield ""
        yield from record_lines(names, row, width=width, color=color)


def _fitted(
    names: Sequence[str], natural: Sequence[int], numeric: Sequence[bool], width: int
) -> list[int] | None:
    """Shrink the widest text columns until the table fits; None when it cannot."""
    widths = list(natural)
    least = [
        full if fixed else min(full, max(cell_len(name), _NARROWEST_COLUMN))
        for name, full, fixed in zip(names, natural, numeric, strict=True)
    ]
    excess = sum(widths) + len(_GAP) * (len(widths) - 1) - width
    while excess > 0:
        room = [have - need for have, need in zip(widths, least, strict=True)]
        widest = max(
            (index for index, left in enumerate(room) if left > 0),
            key=lambda index: widths[index],
            default=None,
        )
        if widest is None:
            return None
        others = [have for index, have in enumerate(widths) if index != widest and room[index] > 0]
        step = max(1, widths[widest] - max(others, default=0))
        step = min(step, excess, room[widest])
        widths[widest] -= step
        excess -= step
    return widths


def _row_lines(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> Iterator[str]:
    if all(cell_len(text) <= width for text, width in zip(row, widths, strict=True)):
        yield _joined([_padded(*cell) for cell in zip(row, widths, numeric, strict=True)])
        return
    folded_cells = [folded(text, width) for text, width in zip(row, widths, strict=True)]
    for number in range(max(map(len, folded_cells))):
        line = [lines[number] if number < len(lines) else "" for lines in folded_cells]
        yield _joined([_padded(*cell) for cell in zip(line, widths, numeric, strict=True)])


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


def _padded(text: str, width: int, right: bool) -> str:
    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def _joined(cells: Sequence[str]) -> str:
    return _GAP.join(cells).rstrip()


def _bold(text: str, color: bool) -> str:
    return f"\x1b[1m{text}\x1b[0m" if color else text


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
