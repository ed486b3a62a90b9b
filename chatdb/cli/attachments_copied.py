"""The part of `chatdb copy` about kept attachments."""

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from chatdb.cli.context import CommandContext, attachments_beside
from chatdb.cli.text import counted
from chatdb.errors import UsageError
from chatdb.primitives.sizes import size_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chatdb.db.database import Database
    from chatdb.db.url import DatabaseUrl
    from chatdb.operations.attachments.public import MovedAttachments
    from chatdb.primitives.file_store import FileStore
    from chatdb.primitives.watch import Watch


def attachment_stores(
    command: CommandContext, source: "Database", written: "DatabaseUrl", folder: Path | None
) -> "tuple[FileStore, FileStore] | None":
    """Return the folders of both databases, None if the source has no attachments.

    `folder` is that of the source as typed. Raises UsageError if one of them is not known.
    """
    from chatdb.operations.attachments.public import tells_of_files
    from chatdb.primitives.file_store import FileStore

    if not tells_of_files(source):
        return None
    from_folder = folder or _folder_of(command, source.url, typed=None)
    to_folder = _folder_of(command, written, typed=command.options.attachments_dir)
    if from_folder is None:
        raise UsageError(
            "the source has kept attachments, and it is not known where their files are",
            hint="give their folder: --source-attachments-dir FOLDER; or copy without them: "
            "--no-attachments",
        )
    if to_folder is None:
        raise UsageError(
            "the source has kept attachments, and the destination has no folder for them",
            hint="give one: --attachments-dir FOLDER; or copy without them: --no-attachments",
        )
    return FileStore(from_folder), FileStore(to_folder)


def _folder_of(command: CommandContext, url: "DatabaseUrl", *, typed: str | None) -> Path | None:
    """Return the folder of one of the databases: a setting is that of the configured one."""
    if typed is not None:
        return Path(typed)
    if url == command.url and command.options.attachments_dir is None:
        return command.attachments_folder
    return attachments_beside(url)


@contextmanager
def attachments_copied(
    source: "Database", stores: "tuple[FileStore, FileStore] | None", watch: "Watch"
) -> "Iterator[MovedAttachments | None]":
    """Copy the files before the block, which copies the rows, and what came meanwhile after it.

    Says how many; what is yielded then tells whether some are missing.
    """
    from chatdb.operations.attachments.public import copy_attachments

    if stores is None:
        yield None
        return
    moved = copy_attachments(source, *stores, watch)
    yield moved
    more = copy_attachments(source, *stores, watch)
    moved.copied, moved.bytes = moved.copied + more.copied, moved.bytes + more.bytes
    moved.missing = more.missing
    if moved.copied:
        what = f"{counted(moved.copied, 'attachment')} ({size_text(moved.bytes)})"
        watch.note(f"copied {what} to {stores[1].folder}")
    if moved.missing:
        watch.warning(
            f"{counted(moved.missing, 'attachment')} missing or damaged in {stores[0].folder}"
        )
