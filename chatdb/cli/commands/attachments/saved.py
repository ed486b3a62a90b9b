"""The saved deletions of the database that a command works on."""

from typing import TYPE_CHECKING

from chatdb.cli.context import CommandContext

if TYPE_CHECKING:
    from chatdb.operations.attachments.public import SavedDigests


def saved_deletions(command: CommandContext) -> "SavedDigests":
    """Return the digests of files that a saved deletion can bring back."""
    from chatdb.operations.attachments.public import saved_digests
    from chatdb.operations.kept.public import deletions_folder

    return saved_digests(deletions_folder(command.url))
