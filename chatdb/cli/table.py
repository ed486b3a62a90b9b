"""Tables drawn with rich, imported only when one is written."""

from collections.abc import Sequence
from typing import Any, NoReturn

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from chatdb.cli.diagnostics import is_terminal
from chatdb.cli.output import PIPED_WIDTH, cell_text
from chatdb.cli.text import safe

_NARROWEST_COLUMN = 9
"""A terminal with less room than this for each column gets one block of lines a row instead."""


class _Console(Console):
    """A console that leaves a reader's going away to the error boundary."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise what rich would turn into exit code 1."""
        raise BrokenPipeError


def console(stream: Any, color: bool) -> Console:
    """Return a console on the stream: the terminal's width, or wide enough for a pipe."""
    terminal = is_terminal(stream)
    return _Console(
        file=stream,
        width=None if terminal else PIPED_WIDTH,
        force_terminal=terminal,
        color_system="auto" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
        soft_wrap=False,
    )


def rendered(item: Any, *, color: bool) -> str:
    """Return a renderable (or a string, made safe) as text in the terminal's width, for a pager."""
    target = Console(
        force_terminal=True,
        color_system="auto" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    with target.capture() as capture:
        target.print(safe(item) if isinstance(item, str) else item)
    return capture.get()


def write_table(
    stream: Any, names: Sequence[str], rows: Sequence[Sequence[Any]], color: bool
) -> None:
    """Write a table with the field names as headings; a narrow terminal gets a block a row."""
    target = console(stream, color)
    if is_terminal(stream) and target.width < len(names) * _NARROWEST_COLUMN:
        for number, row in enumerate(rows):
            if number:
                target.print()
            _print_record(target, names, row)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for index, name in enumerate(names):
        numeric = bool(rows) and all(_is_number(row[index]) for row in rows)
        table.add_column(
            Text(name), justify="right" if numeric else "left", overflow="fold", no_wrap=numeric
        )
    for row in rows:
        table.add_row(*(Text(cell_text(value)) for value in row))
    target.print(table)


def write_record(stream: Any, names: Sequence[str], values: Sequence[Any], color: bool) -> None:
    """Write one record as lines of name and value."""
    _print_record(console(stream, color), names, values)


def _print_record(target: Console, names: Sequence[str], values: Sequence[Any]) -> None:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in zip(names, values, strict=True):
        grid.add_row(Text(name), Text(cell_text(value)))
    target.print(grid)


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))
