"""The bytes of attachments after a deletion that keeps nothing."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import typer

from chatdb.cli.context import CommandContext
from chatdb.cli.text import counted
from chatdb.errors import ChatdbError, ExitCode, RefusedError

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
) -> bool:
    """Remove those of the files that no message and no saved deletion has any more.

    False if they are left, with a warning why: the deletion is done, and no error may hide that.
    """
    from chatdb.cli.commands.attachments.saved import saved_deletions
    from chatdb.operations.attachments.public import remove_unused
    from chatdb.records import organization_id_of

    store = command.file_store_of()
    if not digests or store is None:
        return True
    reason = "others are added just now"
    later = "to remove them: chatdb attachments prune --all-orgs"
    try:
        saved = saved_deletions(command)
        going = [digest for digest in digests if digest not in saved]
        with store.held(alone=True) as alone:
            if alone:
                count, _ = remove_unused(database, store, organization_id_of(key), going)
                reason = ""
    except RefusedError as error:
        reason = error.text
        later = "the owner of the tables removes them with attachments prune"
    except ChatdbError as error:
        reason = error.text
    if reason:
        command.diagnostics.warning(
            f"the files of attachments in {store.folder} are not removed yet: {reason}; {later}"
        )
    elif count:
        command.diagnostics.note(f"{counted(count, 'file')} of attachments removed for good")
    return not reason


def tell_erased(erased: bool) -> None:
    """Leave with the exit code of what is partly done if files are left; after all is told."""
    if not erased:
        raise typer.Exit(ExitCode.PARTIAL)
