"""The only reader of stdin: message text or JSON."""

import sys

from chatdb.cli.context import CommandContext
from chatdb.cli.diagnostics import is_terminal
from chatdb.errors import UsageError

LARGEST = 256 << 20
"""Bytes; PostgreSQL cannot store much more in one value."""


def read_text(command: CommandContext, given: str | None) -> str:
    """Return the given text, or for None and `-` all of standard input without its last line end.

    Bytes that are not UTF-8 become lone surrogates, for the operation to replace and count. Raises
    UsageError for no input, or too much of it.
    """
    if given is not None and given != "-":
        return given
    data = read_bytes(command)
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    return text.removesuffix("\n").removesuffix("\r")


def read_bytes(command: CommandContext) -> bytes:
    """Return all of standard input; raises UsageError when it is closed or too large."""
    if sys.stdin is None or sys.stdin.closed:
        raise UsageError(
            "no text was given: standard input is closed", hint="give it as an argument"
        )
    if is_terminal(sys.stdin):
        command.diagnostics.note("reading from the terminal; end with Ctrl-D")
    try:
        data = sys.stdin.buffer.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        raise UsageError(f"standard input cannot be read: {error}") from error
    if len(data) > LARGEST:
        raise UsageError(f"standard input is larger than {LARGEST >> 20} MiB")
    return data
