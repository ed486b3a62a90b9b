"""The command that prints a list's next page, and the short cursors in it."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer

from chatdb import config as settings
from chatdb.cli.command_words import with_option

_LONGEST = 12
"""Characters of a cursor that people can be asked to type."""


def list_of(context: typer.Context) -> str:
    """Return the name of the list that a command prints, the same under all of its names."""
    command: Any = context.command
    callback = command.callback
    return f"{callback.__module__}.{callback.__qualname__}"


def whole_cursor(context: typer.Context, value: str | None) -> str | None:
    """Return the cursor that a short one stands for; any other is returned as it is.

    The callback of every option `--after`.
    """
    if value is None or not value.startswith("@"):
        return value
    from chatdb.primitives.remembered import recall

    return recall(_folder(), list_of(context), value) or value


def short_cursor(name: str, cursor: str) -> str:
    """Return a short cursor for a list, or the cursor itself if none can be remembered."""
    if len(cursor) <= _LONGEST:
        return cursor
    from chatdb.primitives.remembered import remember

    return remember(_folder(), name, cursor) or cursor


def next_command(words: Sequence[str], cursor: str) -> str:
    """Return the command line that was typed, with `--after` for the next page."""
    return shlex.join(["chatdb", *with_option(words, ("--after",), cursor)])


def _folder() -> Path | None:
    folder = settings.state_folder()
    return None if folder is None else folder / "cursors"
