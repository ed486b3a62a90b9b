"""`chatdb attachments export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from chatdb.cli.commands.attachments.list import ConversationOption, TypeOption
from chatdb.cli.context import CommandContext
from chatdb.cli.options import UserOption, option
from chatdb.cli.progress import BYTES
from chatdb.errors import ExitCode

if TYPE_CHECKING:
    from chatdb.operations.attachments.export import AttachmentsExport

_NAMED = 20


def export(
    context: typer.Context,
    output: Annotated[Path, option("--output -o FOLDER", "Folder to write the files to.")],
    conversation: ConversationOption = None,
    media_type: TypeOption = None,
    user: UserOption = None,
) -> None:
    """Write kept attachments to a folder under their names.

    Nothing in the folder is overwritten: files of one name are numbered, and what is there already
    stays. The exit code is 7 if the bytes of some are missing.

    \b
    Example:
      chatdb attachments export -o pictures --type image/
    """
    from chatdb.operations.attachments.export import export_attachments
    from chatdb.operations.attachments.lists import AttachmentFilter

    command = CommandContext.of(context)
    store = command.file_store
    wanted = AttachmentFilter(conversation=conversation, user_id=user, media_type=media_type)
    with (
        command.open_database(user=user) as database,
        command.diagnostics.progress("exporting", total=None, unit=BYTES) as progress,
    ):
        done = export_attachments(
            database,
            store,
            output,
            organization_key=command.org,
            wanted=wanted,
            on_bytes=progress.advance,
        )
    command.output.record(done, table=_cells)
    for item in done.skipped[:_NAMED]:
        command.diagnostics.warning(
            f"skipped {item.name or item.digest} of message {item.message_id}: {item.reason}"
        )
    if len(done.skipped) > _NAMED:
        more = len(done.skipped) - _NAMED
        command.diagnostics.warning(f"and {more:,} more; --format json lists them all")
    if done.skipped:
        raise typer.Exit(ExitCode.PARTIAL)


def _cells(done: "AttachmentsExport") -> dict[str, Any]:
    return {
        "folder": done.folder,
        "written": done.written,
        "unchanged": done.unchanged,
        "bytes": done.bytes,
        "skipped": len(done.skipped),
    }
