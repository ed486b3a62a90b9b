"""The progress bar of a terminal; rich is imported with this module only."""

import sys
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from chatdb.cli.progress import Unit, amount_text
from chatdb.cli.text import one_line


class _Rate(ProgressColumn):
    """The amount done (of how much) and the rate."""

    def __init__(self, unit: Unit) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        done = amount_text(int(task.completed), self._unit)
        speed = task.finished_speed or task.speed
        rate = f", {amount_text(int(speed), self._unit)}/s" if speed else ""
        return Text(done + rate)


class BarProgress:
    """A bar with share, rate and remaining time; gone from the screen when the work is done."""

    def __init__(self, label: str, *, total: int | None, unit: Unit, color: bool) -> None:
        console = Console(file=sys.stderr, no_color=not color, highlight=False, markup=False)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            _Rate(unit),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            expand=True,
            refresh_per_second=5,
        )
        self._task = self._bar.add_task(one_line(label, limit=30), total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, amount: int = 1) -> None:
        """Count `amount` more as done."""
        self._bar.advance(self._task, amount)

    def move_to(self, completed: int) -> None:
        """Set the total amount done."""
        self._bar.update(self._task, completed=completed)

    def describe(self, label: str) -> None:
        """Change the label before the bar."""
        self._bar.update(self._task, description=one_line(label, limit=30))

    def print_above(self, text: str) -> None:
        """Write a line above the bar; `text` has been made safe."""
        self._bar.console.print(Text.from_ansi(text), soft_wrap=True)
