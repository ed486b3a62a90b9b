"""Deletes messages in one transaction, after saving their conversation as a native file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from chatdb.db.database import Database
from chatdb.errors import NotFoundError
from chatdb.operations.conversations.keep import keep
from chatdb.operations.conversations.messages import ListedMessage, read_listed
from chatdb.store.deletion import remove_messages
from chatdb.store.holding import CHANGING, hold
from chatdb.store.naming import resolve_conversation, resolve_message
from chatdb.store.selecting import organization_id
from chatdb.store.work_log import write_deletion

REASON = "chatdb messages delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeletion:
    """What was deleted of a conversation; `kept` is the file with its previous state, or None."""

    conversation_id: UUID
    messages: int
    kept: Path | None
    dry_run: bool
    ids: tuple[UUID, ...]


def find_deletable(
    database: Database,
    conversation: str,
    texts: Sequence[str],
    *,
    organization_key: str,
    user_id: str | None = None,
) -> tuple[UUID, list[ListedMessage]]:
    """Return the conversation and the given messages; raises as `resolve_message`."""
    with database.transaction(snapshot=True) as connection:
        organization = organization_id(connection, organization_key)
        identifier = resolve_conversation(connection, organization, conversation, user_id=user_id)
        ids = [resolve_message(connection, organization, identifier, text) for text in texts]
        return identifier, read_listed(connection, organization, identifier, list(set(ids)))


def delete_messages(
    database: Database,
    conversation: UUID,
    ids: Sequence[UUID],
    *,
    organization_key: str,
    keep_to: Path | None,
) -> MessageDeletion:
    """Delete messages of a conversation; replies to them are attached to the message above.

    With `keep_to` (which must not exist) the conversation is first written there unchanged. Raises
    NotFoundError if one of them is gone, StorageError if the file cannot be written; then nothing
    was deleted.
    """
    started = datetime.now(UTC)
    with database.transaction(write=True, settings=CHANGING) as connection:
        organization = organization_id(connection, organization_key)
        held = hold(connection, organization, conversation)
        if keep_to is not None:
            keep(connection, organization, [conversation], keep_to, source=REASON)
        gone = remove_messages(connection, held, ids, reason=REASON)
        if missing := set(ids).difference(gone):
            if keep_to is not None:
                keep_to.unlink(missing_ok=True)
            raise NotFoundError(
                f"the message {min(missing)} was deleted by someone else in the meantime",
                hint="run the command again",
            )
        write_deletion(
            connection,
            organization_key,
            organization,
            started_at=started,
            kept=keep_to,
            conversation=str(conversation),
            messages=len(gone),
        )
    return MessageDeletion(
        conversation_id=conversation,
        messages=len(gone),
        kept=keep_to,
        dry_run=False,
        ids=tuple(gone),
    )
