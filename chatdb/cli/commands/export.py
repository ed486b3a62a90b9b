"""`chatdb export`: write conversations to files."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from chatdb.cli import completion
from chatdb.cli.added_columns import warn_of_added_columns
from chatdb.cli.context import CommandContext
from chatdb.cli.export_options import (
    AllBranchesOption,
    FontDirOption,
    ForceOption,
    IncludeHiddenOption,
    RawCsvOption,
    ToOption,
    font_folders,
    is_json_text,
    stdout_for,
)
from chatdb.cli.export_report import report, report_rows, warn_of_kept
from chatdb.cli.flag_options import with_flags
from chatdb.cli.kinds import OnlyKindsOption, kinds_wanted
from chatdb.cli.lazy_group import command_app
from chatdb.cli.options import AllOrgsOption, UpdatedSinceOption, UpdatedUntilOption, option
from chatdb.cli.organizations_meant import (
    scope_of,
    tell_who_has_none,
    tell_who_has_some,
    telling_who_has_some,
)
from chatdb.cli.progress import Progress, QuietProgress
from chatdb.cli.times import read_between

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from chatdb.db.database import Database
    from chatdb.formats.files.writing import Written
    from chatdb.operations.exporting.files import ExportOptions
    from chatdb.primitives.file_store import FileStore
    from chatdb.store.selecting import IdsWithin

app = command_app()


_SEARCH_SECONDS = 86_400.0
"""An export may take as long as it takes."""


@app.command()
@with_flags("Only {} conversations, or none.")
def export(
    context: typer.Context,
    to: ToOption = None,
    to_place: Annotated[
        str | None,
        option("--output -o FILE|DIR/|URL|-", "Output file or folder; - is stdout.  [default: -]"),
    ] = None,
    ids: Annotated[
        list[str] | None,
        option(
            "--id ID",
            "Only this conversation: its id or a part of it; repeatable.",
            autocompletion=completion.conversations,
        ),
    ] = None,
    user: Annotated[str | None, option("--user ID", "Only this user's conversations.")] = None,
    since: UpdatedSinceOption = None,
    until: UpdatedUntilOption = None,
    query: Annotated[
        str | None,
        option("--query WORDS", "Only conversations with a message that matches this search."),
    ] = None,
    source: Annotated[
        str | None, option("--source NAME", "Only conversations from this source, such as chatgpt.")
    ] = None,
    *,
    flags: Mapping[str, bool],
    kind: OnlyKindsOption = None,
    all_orgs: AllOrgsOption = False,
    all_branches: AllBranchesOption = False,
    include_hidden: IncludeHiddenOption = False,
    no_attachments: Annotated[
        bool, option("--no-attachments", "Markdown, HTML or PDF without kept attachments.")
    ] = False,
    raw_csv: RawCsvOption = False,
    font_dir: FontDirOption = None,
    force: ForceOption = False,
) -> None:
    """Write conversations to files.

    Exports one organization, or every one with --all-orgs. The native format, jsonl, holds
    everything about a conversation, and chatdb import reads it back. A folder gets one file for
    each conversation. A name that ends in .gz or .zst is compressed. Files have times in UTC;
    those of --since and --until are in the time zone that is set: chatdb config show.

    \b
    Examples:
      chatdb export --all-orgs --output everything.jsonl.zst
      chatdb export --to markdown --output notes/ --since 2026-01-01
      chatdb export --to html --output pages/
      chatdb export --id last --output trip.pdf
      chatdb export --to json --query "travel plans" --output -
      chatdb export --to relay --output relay.sql
    """
    from chatdb.formats.files.writing import STDOUT
    from chatdb.layouts.registry import is_written
    from chatdb.operations.exporting.database import check_output, one_organization
    from chatdb.operations.exporting.files import ExportOptions
    from chatdb.store.selecting import ConversationFilter

    command = CommandContext.of(context)
    first, after = read_between(since, until, zone=command.zone)
    output = to_place or STDOUT
    wanted = ConversationFilter(
        user_id=user,
        since=first,
        before=after,
        source=source,
        flags=flags,
        kinds=kinds_wanted(kind),
    )
    options = ExportOptions(
        wanted=wanted,
        organization_key=scope_of(command, all_orgs=all_orgs),
        format_name=_format_name(output, to),
        all_branches=all_branches,
        include_hidden=include_hidden,
        raw_csv=raw_csv,
        font_folders=font_folders(_format_name(output, to), font_dir),
    )
    to_database = is_written(options.format_name)
    if to_database:
        check_output(output, options.format_name)
        one_organization(options)
    else:
        options.writer("")
    with command.open_database(user=user) as database:
        with telling_who_has_some(command, database, options.organization_key):
            options = _with_ids(command, database, options, ids, query)
        exporting = _Exporting(command, database, options)
        if to_database:
            exporting.to_database(output, force=force)
        else:
            exporting.to(
                output, force=force, attachments=not no_attachments, paged=to_place is None
            )


def _format_name(output: str, to: str | None) -> str:
    """Return the requested format; raises UsageError if the file name contradicts it."""
    from chatdb.formats.files.writing import format_of
    from chatdb.layouts.registry import is_written

    if to is not None and is_written(to):
        return to
    return format_of(output, to) or "jsonl"


def _with_ids(
    command: CommandContext,
    database: "Database",
    options: "ExportOptions",
    ids: list[str] | None,
    query: str | None,
) -> "ExportOptions":
    """Narrow the selection to the conversations named and found."""
    from dataclasses import replace

    from chatdb.operations.exporting.exports import find_within
    from chatdb.operations.searching.public import SearchOptions, find_conversations

    if ids is None and query is None:
        return options
    scope = options.organization_key
    wanted = None
    if ids is not None:
        wanted = find_within(database, ids, organization_key=scope, user_id=options.wanted.user_id)
    if query is not None:
        search = SearchOptions(
            include_hidden=options.include_hidden,
            zone=command.zone,
            timeout_seconds=_SEARCH_SECONDS,
        )
        found = find_conversations(database, query, organization_key=scope, options=search)
        for note in found.notes:
            command.diagnostics.note(note)
        wanted = found.ids if wanted is None else _both(wanted, found.ids)
    return replace(options, ids_within=wanted)


def _both(one: "IdsWithin", other: "IdsWithin") -> "IdsWithin":
    return {key: sorted(set(ids).intersection(other.get(key, ()))) for key, ids in one.items()}


class _Exporting:
    """One export, with its progress and report on stderr."""

    def __init__(
        self, command: CommandContext, database: "Database", options: "ExportOptions"
    ) -> None:
        self._command = command
        self._database = database
        self._request = options
        self._attachments: FileStore | None = None

    def to(self, output: str, *, force: bool, attachments: bool, paged: bool) -> None:
        """Write to the given output; exits with 7 if existing files were kept.

        With `paged`, text on a terminal goes through the pager.
        """
        from chatdb.formats.files.writing import STDOUT, check_file, is_folder

        if attachments:
            self._attachments = self._command.file_store_of()
        if output == STDOUT:
            stdout = self._to_pager() if paged else self._to_stdout()
            if stdout is None:
                return
            written, place = stdout, None
        elif is_folder(output):
            written, place = self._to_folder(Path(output), force=force), output
        else:
            check_file(Path(output), force=force)
            written, place = self._to_file(Path(output), force=force), output
        self._tell_of_others(written.conversations + written.kept)
        if self._request.format_name == "jsonl":
            warn_of_added_columns(self._command, self._database, "the export")
        report(self._command, written, place)

    def _to_pager(self) -> "Written | None":
        """Write to stdout, on a terminal through the pager; None if that was left early."""
        is_json = is_json_text(self._command, self._request.format_name)
        with self._command.output.paged_binary(is_json=is_json) as stream:
            return self._to_stream(stream)
        return None

    def _to_stdout(self) -> "Written":
        return self._to_stream(stdout_for(self._command, self._request.format_name))

    def _to_stream(self, stream: IO[bytes]) -> "Written":
        from chatdb.operations.exporting.files import export_stream

        with self._progress(quiet=self._command.output.is_terminal) as progress:
            return export_stream(
                self._database,
                stream,
                self._request,
                on_read=lambda count, _: progress.advance(count),
                store=self._attachments if self._shows_pictures() else None,
            )

    def _shows_pictures(self) -> bool:
        """Tell whether stdout gets pictures: no letters that a person or a program would read."""
        return self._request.format_name != "markdown" and not self._command.output.is_terminal

    def _to_file(self, path: Path, *, force: bool) -> "Written":
        from chatdb.operations.exporting.files import export_file

        with self._progress() as progress:
            return export_file(
                self._database,
                path,
                self._request,
                force=force,
                on_read=lambda count, _: progress.advance(count),
                store=self._attachments,
            )

    def _to_folder(self, folder: Path, *, force: bool) -> "Written":
        from chatdb.operations.exporting.files import export_folder

        with self._progress() as progress:
            return export_folder(
                self._database,
                folder,
                self._request,
                force=force,
                on_read=lambda count, _: progress.advance(count),
                on_kept=lambda name: warn_of_kept(self._command, name),
                store=self._attachments,
            )

    def to_database(self, output: str, *, force: bool) -> None:
        """Write into another system's database, or a file of SQL for it."""
        from chatdb.operations.exporting.database import export_to

        with self._progress() as progress:
            written = export_to(
                self._database,
                output,
                self._request,
                force=force,
                on_read=lambda count, _: progress.advance(count),
            )
        self._tell_of_others(written.conversations, or_all="")
        report_rows(self._command, written)

    def _tell_of_others(self, count: int, *, or_all: str = ", or --all-orgs") -> None:
        """Name organizations that the user might expect in the output but that are not in it."""
        scope = self._request.organization_key
        if not count:
            tell_who_has_some(self._command, self._database, scope, or_all=or_all)
        if self._request.is_everything and not isinstance(scope, str):
            tell_who_has_none(self._command, self._database)

    def _progress(self, *, quiet: bool = False) -> "AbstractContextManager[Progress]":
        from chatdb.store.selecting import count_conversations

        if quiet:
            return nullcontext(QuietProgress())
        options = self._request
        total = count_conversations(
            self._database,
            options.wanted,
            organization_key=options.organization_key,
            ids_within=options.ids_within,
        )
        return self._command.diagnostics.progress("exporting", total=total, unit="conversations")
