"""The bytes of attachments after a deletion that keeps nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from chatdb.cli.context import CommandContext
from chatdb.cli.text import counted

if TYPE_CHECKING:
    from chatdb.db.database import Database


def attached_digests(
    command: CommandContext,
    database: "Database",
    key: str,
    ids: Sequence[UUID] | None,
    *,
    keeps: bool,
) -> list[str]:
    """Return the digests of an organization's conversations, or of all, that are to be erased.

    None of them if what is deleted is kept: it must be able to come back.
    """
    from chatdb.operations.attachments.public import digests_of

    store = command.file_store_of()
    if keeps or store is None or not store.exists:
        return []
    return digests_of(database, store, key, ids)


def erase_attachments(
    command: CommandContext, database: "Database", key: str, digests: list[str]
) -> None:
    """Remove those of the files that no message and no saved deletion has any more."""
    from chatdb.cli.commands.attachments.saved import saved_deletions
    from chatdb.operations.attachments.public import remove_unused
    from chatdb.records import organization_id_of

    store = command.file_store_of()
    if not digests or store is None:
        return
    saved = saved_deletions(command)
    going = [digest for digest in digests if digest not in saved]
    with store.held(alone=True) as alone:
        if not alone:
            command.diagnostics.warning(
                "the files of attachments are not removed yet, for others are added just now; to "
                "remove them: chatdb attachments prune --all-orgs"
            )
            return
        count, _ = remove_unused(database, store, organization_id_of(key), going)
    if count:
        command.diagnostics.note(f"{counted(count, 'file')} of attachments removed for good")
