"""`chatdb import`: read chat exports into the database."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from chatdb.cli import completion
from chatdb.cli.commands.import_.attachments import (
    attachment_options,
    tell_attachments,
)
from chatdb.cli.context import CommandContext
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import DataCommand, DryRunOption, NoSearchIndexOption, argument, option
from chatdb.cli.organizations_meant import check_all_orgs
from chatdb.cli.progress import BYTES, Unit
from chatdb.cli.sizes import byte_count
from chatdb.cli.text import counted
from chatdb.errors import ChatdbError, ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from chatdb.cli.progress import Progress
    from chatdb.db.database import Database
    from chatdb.operations.importing.imports import ImportOptions, ImportRun
    from chatdb.operations.importing.inputs import Inputs
    from chatdb.operations.importing.report import FileReport, ImportReport, SkippedItem

app = command_app()

SKIPPED_SHOWN = 20


@app.command(name="import", cls=DataCommand)
def import_(
    context: typer.Context,
    paths: Annotated[
        list[str] | None,
        argument(
            "PATH|URL...",
            "Files, folders, globs, databases, pg_dump dumps of them, or - for standard input.",
        ),
    ] = None,
    format_name: Annotated[
        str | None,
        option(
            "--from FORMAT",
            "Format or layout; see chatdb formats.",
            autocompletion=completion.formats_read,
        ),
    ] = None,
    source_schema: Annotated[
        str | None,
        option("--source-schema NAME", "PostgreSQL schema that holds the other system's tables."),
    ] = None,
    user: Annotated[
        str | None, option("--user ID", "User to assign conversations to if the source names none.")
    ] = None,
    source_name: Annotated[
        str | None,
        option("--source-name NAME", "Name of the installation the conversations come from."),
    ] = None,
    restore_deleted: Annotated[
        bool,
        option("--restore-deleted", "Restore conversations and messages that were deleted here."),
    ] = False,
    all_orgs: Annotated[
        bool,
        option("--all-orgs", "Import each conversation into the organization named in its file."),
    ] = False,
    attachments: Annotated[
        bool, option("--attachments", "Keep the files that the exports carry, too.")
    ] = False,
    attachments_max: Annotated[
        int | None,
        option(
            "--attachments-max SIZE",
            "Largest file to keep, such as 100MB.  [default: 25MB]",
            parser=byte_count,
        ),
    ] = None,
    dry_run: DryRunOption = False,
    explain: Annotated[
        bool, option("--explain", "Describe the contents of the files; needs no database.")
    ] = False,
    scratch_url: Annotated[
        str | None,
        option(
            "--scratch-url URL",
            "PostgreSQL server used to unpack a dump.  [default: a temporary one]",
        ),
    ] = None,
    report: Annotated[
        Path | None, option("--report FILE", "Write a full report to a JSON file.")
    ] = None,
    no_search_index: NoSearchIndexOption = False,
    build_search_index: Annotated[
        bool,
        option("--build-search-index", "Build a full-text index that an earlier import left out."),
    ] = False,
) -> None:
    """Read chat exports and other systems' databases.

    Running it again changes nothing; a newer export adds only what is new. Edits, additions and
    deletions made here are kept. Everything goes into one organization, even if a native file names
    others; with --all-orgs each conversation goes back into its own.

    \b
    Examples:
      chatdb import export.zip
      chatdb import 'exports/*.json' --user alice --report report.json
      chatdb import export.zip --explain
      chatdb import export.zip --attachments --attachments-max 1GB
      chatdb import postgresql://reader@host/relay --dry-run
      chatdb import relay_dev_20231220_143022.sql
    """
    from chatdb.operations.importing.files import check_report_path
    from chatdb.operations.importing.imports import ImportOptions
    from chatdb.operations.importing.inputs import find_inputs

    command = CommandContext.of(context)
    if build_search_index and no_search_index:
        raise UsageError("--build-search-index and --no-search-index exclude each other")
    if not paths:
        if not build_search_index:
            raise UsageError("give an input to import", hint="chatdb import export.zip")
        _build_only(command)
        return
    if all_orgs:
        check_all_orgs(command)
    org = command.config.org
    of_all = all_orgs or org.source == "default"
    inputs = find_inputs(
        paths,
        format_name=format_name,
        source_name=source_name,
        source_schema=source_schema,
        tenant=None if of_all else org.value,
        all_organizations=all_orgs,
    )
    if report is not None:
        check_report_path(report)
    if explain and report is not None:
        raise UsageError("--explain writes no report", hint="use --dry-run with --report")
    options = ImportOptions(
        user_id=user,
        restore_deleted=restore_deleted,
        search_index=not no_search_index,
        attachments=attachment_options(command, inputs, keep=attachments, largest=attachments_max),
    )
    with _with_dumps(command, inputs, scratch_url) as ready:
        if explain:
            _explain(command, ready)
            return
        run = _Importing(command, ready, options)
        done = run.preview() if dry_run else run.run()
    _finish(command, done, report)


class _Importing:
    """One import, with its progress on stderr."""

    def __init__(self, command: CommandContext, inputs: "Inputs", options: "ImportOptions") -> None:
        self._command = command
        self._inputs = inputs
        self._options = options
        self._runs: list[ImportRun] = []

    def run(self) -> "ImportReport":
        """Import; if it is interrupted or fails, report how far it got."""
        from chatdb.operations.importing.files import import_files

        with self._command.open_database(create=True) as database:
            try:
                with _progress(self._command, "importing", self._inputs) as progress:
                    return import_files(
                        database,
                        self._command.org,
                        self._inputs,
                        options=self._options,
                        on_size=progress.advance,
                        on_index=lambda: progress.describe("building the search index"),
                        on_run=self._started,
                        on_attachments=lambda: progress.describe("keeping attachments"),
                    )
            except KeyboardInterrupt:
                self._command.diagnostics.warning(self._how_far())
                raise
            except ChatdbError as error:
                if self._count():
                    error.text += f" ({self._how_far()})"
                raise

    def preview(self) -> "ImportReport":
        """Show what an import would do; a database that does not exist is not created."""
        from chatdb.operations.importing.files import preview_files

        url = self._command.url
        missing = url.path is not None and not url.path.exists()

        def look(database: "Database | None") -> "ImportReport":
            with _progress(self._command, "reading", self._inputs) as progress:
                return preview_files(
                    database,
                    self._command.org,
                    self._inputs,
                    options=self._options,
                    on_size=progress.advance,
                )

        if missing:
            return look(None)
        with self._command.open_database() as database:
            return look(database)

    def _started(self, run: "ImportRun") -> None:
        self._runs.append(run)

    def _count(self) -> int:
        return sum(run.counts.conversations for run in self._runs)

    def _how_far(self) -> str:
        count = self._count()
        there = f"{counted(count, 'conversation')} {'is' if count == 1 else 'are'} in the database"
        return f"{there}; run the same command again to resume"


@contextmanager
def _with_dumps(
    command: CommandContext, inputs: "Inputs", scratch_url: str | None
) -> "Iterator[Inputs]":
    """Provide databases for the dumps among the inputs, for the duration of the block."""
    if not inputs.has_dump:
        if scratch_url is not None:
            raise UsageError("--scratch-url is only for dumps, and no input is a dump")
        yield inputs
        return
    from chatdb.cli.backup_options import StageWatch, dump_programs
    from chatdb.cli.dev_server import dev_database
    from chatdb.db.url import parse_url
    from chatdb.operations.importing.dump_places import ScratchOptions
    from chatdb.operations.importing.dumps import restored_dumps

    options = ScratchOptions(
        programs=dump_programs(command),
        dev_database=dev_database(command).running,
        url=None if scratch_url is None else parse_url(scratch_url),
    )
    with StageWatch(command) as watch, restored_dumps(inputs, options, watch) as ready:
        watch.end()
        yield ready


def _progress(
    command: CommandContext, label: str, inputs: "Inputs"
) -> "AbstractContextManager[Progress]":
    """Show the progress of reading: bytes of files, rows of databases."""
    from chatdb.operations.importing.inputs import total_size

    unit: Unit = "rows" if inputs.has_database else BYTES
    return command.diagnostics.progress(label, total=total_size(inputs), unit=unit)


def _build_only(command: CommandContext) -> None:
    """Build what an import left out."""
    from chatdb.cli.backup_options import StageWatch
    from chatdb.operations.searching.search_index import rebuild_search_index

    with command.open_database() as database, StageWatch(command) as watch:
        built = rebuild_search_index(database, watch, only_if_needed=True)
    text = "search index built" if built else "the search index already exists"
    command.diagnostics.note(text)


def _explain(command: CommandContext, inputs: "Inputs") -> None:
    from chatdb.cli.commands.import_.summary import Explanation, explanation
    from chatdb.operations.importing.files import explain_files

    with _progress(command, "reading", inputs) as progress:
        files = explain_files(inputs, progress.advance)
    brief = command.output.is_table
    rows = [explanation(each, brief=brief) for each in files]
    if command.output.is_table:
        for row in rows:
            command.output.record(row)
    else:
        command.output.rows(rows, Explanation)
    _name_skipped(command, files)


def _finish(command: CommandContext, done: "ImportReport", report: Path | None) -> None:
    from chatdb.cli.commands.import_.summary import notes, summary
    from chatdb.operations.importing.files import write_report

    command.output.record(summary(done, brief=command.output.is_table))
    if report is not None:
        try:
            write_report(report, done)
        except ChatdbError as error:
            if not done.dry_run:
                error.text += "; the import itself is complete"
            raise
    for note in notes(done, typed_org=command.options.org):
        command.diagnostics.note(note)
    unreadable = tell_attachments(command, done)
    _name_skipped(command, done.files)
    if unreadable:
        raise typer.Exit(ExitCode.PARTIAL)


def _name_skipped(command: CommandContext, files: "Sequence[FileReport]") -> None:
    """List the first skipped items, and exit with 7 if there are any."""
    skipped: list[SkippedItem] = [item for each in files for item in each.skipped]
    for item in skipped[:SKIPPED_SHOWN]:
        command.diagnostics.warning(f"skipped {item.place}: {item.reason}")
    more = len(skipped) - SKIPPED_SHOWN
    if more > 0:
        command.diagnostics.warning(f"and {more:,} more; --report FILE lists them all")
    if skipped:
        raise typer.Exit(ExitCode.PARTIAL)
