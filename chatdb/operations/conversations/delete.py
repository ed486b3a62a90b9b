"""Deletes conversations in one transaction, after saving them as a native file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from chatdb.db.database import Database
from chatdb.errors import NotFoundError
from chatdb.operations.conversations.keep import keep
from chatdb.store.deletion import DeletedConversation, describe, lock, remove_conversations
from chatdb.store.naming import resolve_conversation
from chatdb.store.selecting import ConversationFilter, batches, organization_id
from chatdb.store.work_log import write_deletion

REASON = "chatdb conversations delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionReport:
    """What was deleted; `kept` is the file to restore it from, None if nothing was saved."""

    conversations: tuple[DeletedConversation, ...]
    messages: int
    snapshots: int
    kept: Path | None
    dry_run: bool


def find_deletable(
    database: Database,
    texts: Sequence[str],
    *,
    organization_key: str,
    user_id: str | None = None,
) -> list[DeletedConversation]:
    """Return what deleting the conversations would remove; raises as `resolve_conversation`."""
    with database.transaction(snapshot=True) as connection:
        organization = organization_id(connection, organization_key)
        ids = [
            resolve_conversation(connection, organization, text, user_id=user_id) for text in texts
        ]
        return describe(connection, organization, list(dict.fromkeys(ids)))


def find_matching(
    database: Database, wanted: ConversationFilter, *, organization_key: str
) -> list[DeletedConversation]:
    """Return what deleting all selected conversations would remove, by ascending id."""
    with database.transaction(snapshot=True) as connection:
        organization = organization_id(connection, organization_key)
        found = batches(connection, organization, columns=(), wanted=wanted)
        ids = [UUID(row[0]) for rows in found for row in rows]
        return describe(connection, organization, ids)


def delete_conversations(
    database: Database,
    ids: Sequence[UUID],
    *,
    organization_key: str,
    keep_to: Path | None,
) -> DeletionReport:
    """Delete the conversations, their messages and snapshots; leave tombstones and a log row.

    With `keep_to` (which must not exist) they are first written there: the file is complete and on
    disk before the transaction commits. Raises NotFoundError if one of them is gone, StorageError
    if the file cannot be written; then nothing was deleted.
    """
    started = datetime.now(UTC)
    with database.transaction(write=True, settings={"chatdb.bulk": "on"}) as connection:
        organization = organization_id(connection, organization_key)
        found = lock(connection, organization, ids)
        if gone := set(ids).difference(found):
            raise NotFoundError(
                f"the conversation {min(gone)} was deleted by someone else in the meantime",
                hint="run the command again",
            )
        deleted = tuple(describe(connection, organization, list(ids)))
        report = report_of(deleted, kept=keep_to, dry_run=False)
        if keep_to is not None:
            keep(connection, organization, list(ids), keep_to, source=REASON)
        remove_conversations(connection, organization, list(ids), reason=REASON)
        write_deletion(
            connection,
            organization_key,
            organization,
            started_at=started,
            kept=keep_to,
            conversations=[str(each.id) for each in deleted],
            messages=report.messages,
            snapshots=report.snapshots,
        )
    return report


def report_of(
    deleted: Sequence[DeletedConversation], *, kept: Path | None, dry_run: bool
) -> DeletionReport:
    """Add up what is deleted."""
    return DeletionReport(
        conversations=tuple(deleted),
        messages=sum(each.messages for each in deleted),
        snapshots=sum(each.snapshots for each in deleted),
        kept=kept,
        dry_run=dry_run,
    )
