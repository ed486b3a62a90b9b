"""What an export, and a conversion, say of what they wrote."""

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.text import counted, safe
from chatdb.errors import ExitCode

if TYPE_CHECKING:
    from chatdb.formats.base import MissingLetters
    from chatdb.formats.files.writing import Written
    from chatdb.operations.exporting.database import DatabaseWritten

_NAMED = 5


def report_rows(command: CommandContext, written: "DatabaseWritten") -> None:
    """Print how many rows each table got, how many existed, and what could not be stored."""
    if not written.conversations:
        command.diagnostics.note("no conversation matched")
    for table, rows in written.rows.items():
        there = f", {counted(rows.there, 'row')} left unchanged" if rows.there else ""
        command.diagnostics.note(f"wrote {counted(rows.written, 'row')} of {table}{there}")
    if any(rows.there for rows in written.rows.values()):
        command.diagnostics.note("add --force to overwrite existing rows")
    for what, count in written.lossy.items():
        command.diagnostics.warning(f"{what} ({count:,})")


def warn_of_kept(command: CommandContext, name: str) -> None:
    """Report a file that was left unchanged."""
    command.diagnostics.warning(f"{name} exists with different content and was left unchanged")


def report(command: CommandContext, written: "Written", output: str | None) -> None:
    """Print what was written; raise Exit 7 if something else is there, or something left out."""
    if written.unchanged:
        done = "holds" if written.unchanged == 1 else "hold"
        command.diagnostics.note(
            f"{counted(written.unchanged, 'file')} in {output} already {done} the same: unchanged"
        )
    if written.kept:
        left = f"{counted(written.kept, 'file')} {'was' if written.kept == 1 else 'were'} there"
        command.diagnostics.note(f"{left}; add --force to overwrite existing files")
    if written.unlisted:
        command.diagnostics.note(
            f"{counted(written.unlisted, 'page')} of other runs in {output}: not in its index"
        )
    if not (written.conversations or written.kept or written.unchanged):
        command.diagnostics.note("no conversation matched")
    elif written.examples is not None:
        _report_examples(command, written, output)
    elif output is not None and written.conversations:
        files = f" in {written.files:,} files" if written.files != 1 else ""
        command.diagnostics.note(
            f"wrote {counted(written.conversations, 'conversation')}"
            f" with {counted(written.messages, 'message')} to {output}{files}"
        )
    if written.examples is None:
        _report_left_out(command, written)
    for each in written.missing_letters:
        command.diagnostics.warning(_boxes(each))
    if written.unreadable:
        command.diagnostics.warning(_left_out(written.unreadable))
    if written.kept or written.missing_letters or written.unreadable:
        raise typer.Exit(ExitCode.PARTIAL)


def _left_out(unreadable: Mapping[str, str]) -> str:
    """Return what to say of attachments that could not be read, by their digests."""
    names = [safe(name) for name in islice(unreadable.values(), _NAMED)]
    more = len(unreadable) - len(names)
    return (
        f"left out, for they cannot be read: {counted(len(unreadable), 'attachment')}"
        f" ({', '.join(names)}{f' and {more:,} more' if more else ''})"
    )


def _report_examples(command: CommandContext, written: "Written", output: str | None) -> None:
    """Print how many examples a training set has, and what is in none of them."""
    if output is not None:
        command.diagnostics.note(
            f"wrote {counted(written.examples or 0, 'example')}"
            f" of {counted(written.conversations, 'conversation')} to {output}"
        )
    _report_left_out(command, written)


def _report_left_out(command: CommandContext, written: "Written") -> None:
    for reason, count in sorted(written.left_out.items(), key=lambda each: (-each[1], each[0])):
        command.diagnostics.note(f"left out: {reason}: {count:,}")


def _boxes(missing: "MissingLetters") -> str:
    """Return what to say of letters that are boxes on the pages."""
    how_often = "once" if missing.times == 1 else f"{missing.times:,} times"
    has = "no font here has them"
    install = f"; to install one: apt install {missing.package}, or give it by --font-dir"
    return (
        f"{counted(missing.letters, 'letter')} of {missing.script} ({safe(missing.examples)})"
        f" stand as boxes, {how_often}: {has}{install if missing.package else ''}"
    )
