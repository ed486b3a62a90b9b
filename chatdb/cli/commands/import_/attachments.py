"""The part of `chatdb import` about attachments."""

from typing import TYPE_CHECKING

from chatdb.cli.context import CommandContext
from chatdb.cli.text import counted
from chatdb.errors import UsageError
from chatdb.primitives.sizes import size_text

if TYPE_CHECKING:
    from chatdb.operations.attachments.public import LeftOutFile
    from chatdb.operations.importing.imports import AttachmentOptions
    from chatdb.operations.importing.inputs import Inputs
    from chatdb.operations.importing.report import ImportReport

_SHOWN = 20


def attachment_options(
    command: CommandContext, inputs: "Inputs", *, keep: bool, largest: int | None
) -> "AttachmentOptions | None":
    """Return where attachments are kept, None if they are not; raises UsageError."""
    from chatdb.formats.files.sources import STDIN
    from chatdb.operations.attachments.public import LARGEST
    from chatdb.operations.importing.imports import AttachmentOptions

    if not keep:
        if largest is not None:
            raise UsageError("--attachments-max is only for --attachments")
        return None
    files = [each.path for each in inputs.inputs if not each.is_database]
    if not files:
        raise UsageError("--attachments is for exports; a database carries no files")
    if STDIN in files:
        raise UsageError(
            "--attachments reads an export twice, and standard input can be read once",
            hint="save it to a file: chatdb import export.zip --attachments",
        )
    return AttachmentOptions(
        store=command.file_store, largest=LARGEST if largest is None else largest
    )


def tell_attachments(command: CommandContext, done: "ImportReport") -> bool:
    """Tell what was kept and name what was not; return whether some could not be read."""
    kept = done.attachments
    if kept is None:
        return False
    done_to = "would be kept or are here" if done.dry_run else "kept"
    told = f"{counted(kept.kept, 'attachment')} {done_to} ({size_text(kept.bytes)})"
    if kept.unchanged:
        told += f", {kept.unchanged:,} already here"
    if kept.not_in_export:
        told += f"; {counted(kept.not_in_export, 'attachment')} not in the export"
    command.diagnostics.note(told)
    _name(command, kept.too_large, "not kept: ", "to keep it, too: --attachments-max SIZE")
    _name(command, kept.unreadable, "skipped ", "")
    return bool(kept.unreadable)


def _name(command: CommandContext, files: "list[LeftOutFile]", start: str, hint: str) -> None:
    tell = command.diagnostics.note if hint else command.diagnostics.warning
    for each in files[:_SHOWN]:
        tell(f"{start}{each.place} ({each.name}): {each.reason}")
    if len(files) > _SHOWN:
        tell(f"and {len(files) - _SHOWN:,} more; --report FILE lists them all")
    if files and hint:
        tell(hint)
