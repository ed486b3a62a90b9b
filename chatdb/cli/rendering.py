"""Rich renderables (Markdown, code) as text; imported only when something is rendered."""

from typing import Any, NoReturn

from rich.console import Console

from chatdb.cli.diagnostics import is_terminal
from chatdb.cli.text import safe

PIPED_WIDTH = 100_000
"""Columns in a pipe: wide enough for nothing to be wrapped or cut."""


class _Console(Console):
    """A console that leaves a closed pipe to the error boundary."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise the error that rich would turn into exit code 1."""
        raise BrokenPipeError


def console(stream: Any, *, color: bool) -> Console:
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
        target.print(safe(item) if isinstance(item, str) else item, crop=False)
    return capture.get()
