"""Creates conversations, and changes their own rows: title, flags, access time.

Values changed here are kept by later imports (`edited_at`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import conversations
from chatdb.errors import UsageError
from chatdb.operations.conversations.lists import ConversationSummary, summaries
from chatdb.operations.conversations.messages import NewMessage, insert
from chatdb.operations.organizations.public import check_id
from chatdb.primitives import canonical
from chatdb.records import new_id
from chatdb.store.columns import FLAGS
from chatdb.store.holding import CHANGING, Held, change, hold, with_retries
from chatdb.store.naming import resolve_conversation
from chatdb.store.selecting import organization_id


@dataclass(frozen=True, slots=True, kw_only=True)
class NewConversation:
    """The fields of a new conversation; the title defaults to its first user message."""

    title: str | None = None
    user_id: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    messages: Sequence[NewMessage] = ()


def create(
    database: Database, new: NewConversation, *, organization_key: str
) -> ConversationSummary:
    """Create a conversation, with messages if given; raises NotFoundError, UsageError."""
    identifier = new_id()
    now = datetime.now(UTC)
    row = {
        "id": identifier,
        "title": None if new.title is None else clean_title(new.title),
        "user_id": None if new.user_id is None else check_id(new.user_id),
        "created_at": now,
        "updated_at": now,
        "metadata": canonical.clean(new.metadata)[0],
    }

    def work() -> ConversationSummary:
        with database.transaction(write=True, settings=CHANGING) as connection:
            organization = organization_id(connection, organization_key)
            made = summaries(connection, organization, [identifier])
            if made:  # By the previous attempt, whose result was lost.
                return made[0]
            connection.execute(sa.insert(conversations).values(organization_id=organization, **row))
            if new.messages:
                insert(connection, hold(connection, organization, identifier), new.messages)
            return summaries(connection, organization, [identifier])[0]

    return with_retries(database, work)


def rename(
    database: Database,
    text: str,
    title: str,
    *,
    organization_key: str,
    user_id: str | None = None,
) -> ConversationSummary:
    """Rename a conversation; raises NotFoundError, UsageError for an empty title."""
    cleaned = clean_title(title)

    def values(held: Held) -> dict[str, Any]:
        return {} if held.title == cleaned else {"title": cleaned, "edited_at": held.now}

    return _change_all(database, [text], values, organization_key, user_id)[0]


def set_flag(
    database: Database,
    texts: Sequence[str],
    flag: str,
    *,
    is_set: bool,
    organization_key: str,
    user_id: str | None = None,
) -> tuple[ConversationSummary, ...]:
    """Set one of `FLAGS` of conversations, or remove it, all or none; matching ones are unchanged.

    Returns their new state. Raises as `resolve_conversation`.
    """

    def values(held: Held) -> dict[str, Any]:
        if (held.flags[flag] is not None) == is_set:
            return {}
        return {FLAGS[flag]: held.now if is_set else None, "edited_at": held.now}

    return _change_all(database, texts, values, organization_key, user_id)


def touch(
    database: Database,
    texts: Sequence[str],
    *,
    organization_key: str,
    user_id: str | None = None,
) -> tuple[ConversationSummary, ...]:
    """Set the time of last access of conversations to now, without counting as an edit."""

    def values(held: Held) -> dict[str, Any]:
        now = datetime.now(UTC)
        before = held.last_accessed_at
        accessed = now if before is None else max(now, before)
        return {"last_accessed_at": accessed, "updated_at": held.updated_at}

    return _change_all(database, texts, values, organization_key, user_id)


def clean_title(title: str) -> str:
    """Return a title as it is stored; raises UsageError if nothing of it is visible."""
    cleaned = canonical.clean_text(title)[0].strip()
    if not cleaned:
        raise UsageError("the title is empty", hint="give it some text")
    return cleaned


def _change_all(
    database: Database,
    texts: Sequence[str],
    values: Callable[[Held], dict[str, Any]],
    organization_key: str,
    user_id: str | None,
) -> tuple[ConversationSummary, ...]:
    """Change the given conversations in one transaction; without values nothing changes."""

    def work() -> tuple[ConversationSummary, ...]:
        with database.transaction(write=True, settings=CHANGING) as connection:
            organization = organization_id(connection, organization_key)
            named = [
                resolve_conversation(connection, organization, text, user_id=user_id)
                for text in texts
            ]
            ids = list(dict.fromkeys(named))
            for identifier in sorted(
                ids
            ):  # Always in the same order, so that two transactions do not wait for each other.
                held = hold(connection, organization, identifier)
                new = values(held)
                if new:
                    change(connection, held, **new)
            return summaries(connection, organization, ids)

    return with_retries(database, work)
