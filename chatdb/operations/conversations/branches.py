"""Fork, split and merge, each in one transaction; a merge first saves both as a native file."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from chatdb.db.database import Database
from chatdb.errors import UsageError
from chatdb.operations.conversations.changes import clean_title
from chatdb.operations.conversations.keep import keep
from chatdb.store import branching
from chatdb.store.deletion import DeletedConversation, describe
from chatdb.store.holding import CHANGING, hold
from chatdb.store.naming import resolve_conversation, resolve_message
from chatdb.store.selecting import organization_id
from chatdb.store.work_log import write_deletion

REASON = "chatdb conversations merge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mergeable:
    """Two conversations: the one that stays, and the one whose messages move into it."""

    into: DeletedConversation
    other: DeletedConversation


def fork(
    database: Database,
    conversation: str,
    message: str,
    *,
    organization_key: str,
    user_id: str | None = None,
    title: str | None = None,
) -> branching.Branching:
    """Copy a conversation up to a message into a new one; raises NotFoundError, UsageError."""
    return _branch(
        database, branching.fork, conversation, message, organization_key, user_id, title
    )


def split(
    database: Database,
    conversation: str,
    message: str,
    *,
    organization_key: str,
    user_id: str | None = None,
    title: str | None = None,
) -> branching.Branching:
    """Move a message and those below it into a new conversation; raises as `fork`."""
    return _branch(
        database, branching.split, conversation, message, organization_key, user_id, title
    )


def find_mergeable(
    database: Database,
    into: str,
    other: str,
    *,
    organization_key: str,
    user_id: str | None = None,
) -> Mergeable:
    """Return the named conversations; raises NotFoundError, UsageError for the same one twice."""
    with database.transaction(snapshot=True) as connection:
        organization = organization_id(connection, organization_key)
        ids = [
            resolve_conversation(connection, organization, text, user_id=user_id)
            for text in (into, other)
        ]
        if ids[0] == ids[1]:
            raise UsageError(
                f"both are the conversation {ids[0]}", hint="give two different conversations"
            )
        first, second = describe(connection, organization, ids)
    return Mergeable(into=first, other=second)


def merge(
    database: Database,
    into: UUID,
    other: UUID,
    *,
    organization_key: str,
    keep_to: Path | None,
) -> branching.Branching:
    """Move the messages and snapshots of one conversation into another, and delete it.

    With `keep_to` (which must not exist) both are first written there unchanged. Raises
    NotFoundError if one is gone, RefusedError if they belong to two users, StorageError if the file
    cannot be written; then nothing was changed.
    """
    started = datetime.now(UTC)
    with database.transaction(write=True, settings=CHANGING) as connection:
        organization = organization_id(connection, organization_key)
        # Always in the same order, so that two merges in opposite directions do not wait for each
        # other.
        held = {each: hold(connection, organization, each) for each in sorted((into, other))}
        branching.check_users(held[into], held[other])
        if keep_to is not None:
            keep(connection, organization, [into, other], keep_to, source=REASON)
        merged = branching.merge(connection, held[into], held[other])
        write_deletion(
            connection,
            organization_key,
            organization,
            started_at=started,
            kept=keep_to,
            into=str(merged.id),
            conversation=str(merged.from_id),
            messages=merged.messages,
            snapshots=merged.snapshots,
        )
    return merged


def _branch(
    database: Database,
    work: branching.Branch,
    conversation: str,
    message: str,
    organization_key: str,
    user_id: str | None,
    title: str | None,
) -> branching.Branching:
    cleaned = None if title is None else clean_title(title)
    with database.transaction(write=True, settings=CHANGING) as connection:
        organization = organization_id(connection, organization_key)
        identifier = resolve_conversation(connection, organization, conversation, user_id=user_id)
        held = hold(connection, organization, identifier)
        at = resolve_message(connection, organization, identifier, message)
        return work(connection, held, at, title=cleaned)
