"""A conversation locked against other writers while it is changed, and the marks of a change."""

import random
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import conversations, tombstones
from chatdb.errors import NotFoundError
from chatdb.store.columns import FLAGS

CHANGING = {"chatdb.bulk": "on"}
"""Settings of a transaction that sets `updated_at` itself: the trigger has nothing to do."""
AT_ONCE = 500
"""Ids per statement: far below SQLite's limit of variables."""

_RETRY_SECONDS = (0.05, 0.1, 0.2, 0.4, 0.8)
_MOMENT = timedelta(microseconds=1)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The row of a conversation, locked until the transaction ends; `now` is later than it.

    `flags` has the time of each of `FLAGS`, None where it is not set.
    """

    organization_id: UUID
    id: UUID
    user_id: str | None
    title: str | None
    current_message_id: UUID | None
    created_at: datetime
    updated_at: datetime
    last_accessed_at: datetime | None
    source: str | None
    source_name: str | None
    source_id: str | None
    metadata: dict[str, Any]
    flags: Mapping[str, datetime | None]
    now: datetime


_COLUMNS = tuple(name for name in Held.__dataclass_fields__ if name not in ("flags", "now"))


def hold(connection: sa.Connection, organization: UUID, identifier: UUID) -> Held:
    """Lock a conversation and return it; raises NotFoundError if it is gone.

    SQLite's writing transactions lock the whole file anyway.
    """
    table = conversations.c
    row = connection.execute(
        sa.select(*(table[name] for name in (*_COLUMNS, *FLAGS.values())))
        .where(table.organization_id == organization, table.id == identifier)
        .with_for_update()
    ).one_or_none()
    if row is None:
        raise NotFoundError(
            f"the conversation {identifier} was deleted by someone else in the meantime",
            hint="to list them: chatdb list",
        )
    values = row._asdict()
    flags = {flag: values.pop(column) for flag, column in FLAGS.items()}
    return Held(**values, flags=flags, now=max(datetime.now(UTC), values["updated_at"] + _MOMENT))


def change(connection: sa.Connection, held: Held, **values: Any) -> None:
    """Set columns of the conversation's row, and `updated_at` unless it is among them."""
    table = conversations.c
    connection.execute(
        sa.update(conversations)
        .where(table.organization_id == held.organization_id, table.id == held.id)
        .values(**{"updated_at": held.now, **values})
    )


def bury(
    connection: sa.Connection, held: Held, message_ids: Iterable[UUID], *, reason: str
) -> None:
    """Leave tombstones for messages of the conversation; the nil id stands for the whole."""
    ids = list(message_ids)
    key = {"organization_id": held.organization_id, "conversation_id": held.id}
    for start in range(0, len(ids), AT_ONCE):
        some = ids[start : start + AT_ONCE]
        connection.execute(
            sa.delete(tombstones).filter_by(**key).where(tombstones.c.message_id.in_(some))
        )
        connection.execute(
            sa.insert(tombstones),
            [
                {**key, "message_id": each, "deleted_at": held.now, "reason": reason}
                for each in some
            ],
        )


def with_retries(database: Database, work: Callable[[], T]) -> T:
    """Do the work, again after a deadlock, a race or a lost connection, a few times.

    The work is a transaction that finds out by itself whether it was done already.
    """
    for seconds in _RETRY_SECONDS:
        try:
            return work()
        except Exception as error:
            if database.dialect.bulk().verdict(error) not in ("retry", "reconnect"):
                raise
            time.sleep(seconds * random.uniform(0.5, 1.0))  # noqa: S311 - not secret
    return work()
