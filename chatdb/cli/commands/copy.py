"""`chatdb copy`: everything from one database into another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatdb import config as settings
from chatdb.cli.attachments_copied import attachment_stores, attachments_copied
from chatdb.cli.backup_options import StageWatch
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import DataCommand, DryRunOption, NoSearchIndexOption, argument, option
from chatdb.cli.progress import Unit
from chatdb.cli.text import counted
from chatdb.errors import ChatdbError, ConfigurationError, ExitCode, UsageError

if TYPE_CHECKING:
    from chatdb.db.database import Database
    from chatdb.db.url import DatabaseUrl
    from chatdb.operations.copying.copy_database import CopyReport

app = command_app()


@app.command(cls=DataCommand)
def copy(
    context: typer.Context,
    source: Annotated[str, argument("SRC", "URL of the source database.")],
    destination: Annotated[
        str | None, argument("[DST]", "URL of an empty database.  [default: the configured one]")
    ] = None,
    source_schema: Annotated[
        str | None,
        option("--source-schema NAME", "PostgreSQL schema of SRC, if it is a different one."),
    ] = None,
    source_attachments_dir: Annotated[
        Path | None,
        option(
            "--source-attachments-dir FOLDER",
            "Folder of SRC's attachments.  [default: beside a SQLite file]",
        ),
    ] = None,
    no_attachments: Annotated[
        bool, option("--no-attachments", "Leave the files of attachments where they are.")
    ] = False,
    no_search_index: NoSearchIndexOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Copy everything from one database into another.

    Works between SQLite and PostgreSQL in both directions. One consistent state of the source is
    read, and compared row by row with what was written. Run an interrupted copy again to resume it.

    \b
    Examples:
      chatdb copy data/chatdb.db postgresql://ada@db.internal/chat
      chatdb copy "$DATABASE_URL" backup.db --dry-run
    """
    from chatdb.operations.copying.copy_database import (
        copy_database,
        preview_copy,
        require_free,
    )

    command = CommandContext.of(context)
    if command.options.org is not None:
        raise UsageError(
            "copy always includes all organizations",
            hint="for one: chatdb export --org KEY, then chatdb import",
        )
    from_url, to_url = _urls(command, source, destination)
    with (
        _open(from_url, source_schema or command.schema) as read,
        _open(
            to_url, command.schema, create=not dry_run, direct_url=_direct_url(command)
        ) as written,
    ):
        require_free(read, written)
        stores, has_all = None, True
        if not no_attachments:
            stores = attachment_stores(command, read, to_url, source_attachments_dir)
        if dry_run:
            report = preview_copy(read, written)
        else:
            with _Watch(command) as watch, attachments_copied(read, stores, watch) as moved:
                report = copy_database(read, written, watch, search_index=not no_search_index)
            has_all = moved is None or not moved.missing
    command.output.record(report)
    _say(command, report)
    if not has_all:
        raise typer.Exit(ExitCode.PARTIAL)


class _Watch(StageWatch):
    """Shows the progress of the copy; an error once it has begun says how to resume it."""

    has_begun = False

    def begin(self, what: str, total: int | None, unit: Unit = "messages") -> None:
        """End the previous stage and show a new one."""
        self.has_begun = True
        super().begin(what, total, unit)

    def __exit__(self, *failure: object) -> None:
        super().__exit__(*failure)
        error = failure[1]
        there = "everything copied so far is saved; run the same command again to resume"
        if self.has_begun and isinstance(error, KeyboardInterrupt):
            self.diagnostics.warning(there)
        elif self.has_begun and isinstance(error, ChatdbError):
            error.text += f" ({there})"


def _urls(
    command: CommandContext, source: str, destination: str | None
) -> "tuple[DatabaseUrl, DatabaseUrl]":
    """Return both URLs; the libpq variables of a `.env` apply to the configured database only."""
    read = _parsed(source, "SRC")
    if destination is not None:
        return read, _parsed(destination, "DST")
    if command.config.libpq and read.path is None:
        raise UsageError(
            "the PG* variables of the .env apply to the configured database, not to SRC",
            hint="give the URL of DST",
        )
    settings.export_libpq(command.config)
    return read, command.url


def _parsed(text: str, word: str) -> "DatabaseUrl":
    from chatdb.db.url import parse_url

    try:
        return parse_url(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"{error.text} ({word})", hint=error.hint) from error


def _direct_url(command: CommandContext) -> "DatabaseUrl | None":
    """Return the direct URL of DST only if it was typed: other settings do not belong to DST."""
    return command.direct_url if command.options.direct_url is not None else None


def _open(
    url: "DatabaseUrl",
    schema: str | None,
    *,
    create: bool = False,
    direct_url: "DatabaseUrl | None" = None,
) -> "Database":
    from chatdb.db.database import Database

    return Database.open(url, schema=schema, create=create, direct_url=direct_url)


def _say(command: CommandContext, report: "CopyReport") -> None:
    """Print notes about the copy, and exit with the fitting code."""
    diagnostics = command.diagnostics
    if report.renewed:
        diagnostics.note(
            f"the source has changed: {counted(report.renewed, 'conversation')} of the earlier "
            "copy brought up to date"
        )
    if report.replaced_characters:
        diagnostics.warning(
            f"{counted(report.replaced_characters, 'character')} that PostgreSQL cannot store "
            "replaced with U+FFFD; originals are in the metadata"
        )
    for item in report.skipped:
        diagnostics.warning(f"skipped: {item.place}: {item.reason}")
    for text in report.differences:
        diagnostics.warning(f"different: {text}")
    if report.outcome == "different":
        diagnostics.warning("the copy is not complete; run the same command again")
        raise typer.Exit(ExitCode.FAILED)
    if report.outcome == "partial":
        raise typer.Exit(ExitCode.PARTIAL)
