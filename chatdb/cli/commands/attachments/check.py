"""`chatdb attachments check`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatdb.cli.commands.attachments.saved import saved_deletions
from chatdb.cli.context import CommandContext
from chatdb.cli.options import AllOrgsOption, option
from chatdb.cli.organizations_meant import scope_of
from chatdb.cli.progress import BYTES
from chatdb.errors import ExitCode, StorageError

if TYPE_CHECKING:
    from chatdb.operations.attachments.check import AttachmentsCheck
    from chatdb.operations.attachments.public import SavedDigests

_NAMED = 20


def check(
    context: typer.Context,
    read: Annotated[bool, option("--read", "Also read every file and compare its digest.")] = False,
    all_orgs: AllOrgsOption = False,
) -> None:
    """Check kept attachments against the files in their folder.

    The exit code is 1 for a file that is missing, damaged, unreadable or unused: attachments prune
    removes unused ones, an import with --attachments brings missing ones back.

    \b
    Example:
      chatdb attachments check --all-orgs --read
    """
    from chatdb.operations.attachments.check import check_attachments

    command = CommandContext.of(context)
    scope = scope_of(command, all_orgs=all_orgs)
    store = command.file_store
    saved: SavedDigests | None = None
    try:
        saved = saved_deletions(command)
    except StorageError as error:
        hint = "" if error.hint is None else f" ({error.hint})"
        command.diagnostics.warning(f"unused files are not looked for: {error.text}{hint}")
    with (
        command.open_database() as database,
        command.diagnostics.progress("reading", total=None, unit=BYTES) as progress,
    ):
        report = check_attachments(
            database,
            store,
            saved,
            organization_key=scope,
            read=read,
            on_bytes=progress.advance,
        )
    command.output.record(report, table=_cells)
    for each in report.problems[:_NAMED]:
        command.diagnostics.warning(
            f"{each.problem}: {each.digest} of {each.organization}: {each.text}"
        )
    if len(report.problems) > _NAMED:
        more = len(report.problems) - _NAMED
        command.diagnostics.warning(f"and {more:,} more; --format json lists them all")
    if report.unused is None and saved is not None:
        command.diagnostics.note(
            "unused files are not looked for: row-level security hides the messages of other users"
        )
    if report.unused:
        command.diagnostics.note("to remove what is unused: chatdb attachments prune")
    if report.missing or report.damaged:
        command.diagnostics.note(
            "to bring bytes back, import the export again: chatdb import EXPORT --attachments"
        )
    if report.problems:
        raise typer.Exit(ExitCode.FAILED)
    if saved is None:
        raise typer.Exit(ExitCode.PARTIAL)


def _cells(report: "AttachmentsCheck") -> dict[str, Any]:
    return {
        "folder": report.folder,
        "files": report.files,
        "bytes": report.bytes,
        "missing": report.missing,
        "damaged": report.damaged,
        "unreadable": report.unreadable,
        "unused": report.unused,
        "kept_for_undo": report.kept_for_undo,
        "read": report.read,
    }
