"""Snapshots: states of a conversation as its application wrote them; saved, listed and read."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import snapshots
from chatdb.primitives import canonical
from chatdb.records import Snapshot, new_id
from chatdb.store.holding import CHANGING, change, hold, with_retries
from chatdb.store.naming import resolve_conversation, resolve_snapshot
from chatdb.store.paging import cursor_of, read_cursor
from chatdb.store.selecting import organization_id


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedSnapshot:
    """A snapshot without its state; `characters` is the state's length in the database."""

    id: UUID
    created_at: datetime
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPage:
    """Snapshots, newest first; `next_cursor` is None on the last page."""

    items: tuple[ListedSnapshot, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedSnapshot:
    """What was saved, and how many characters that no database can store were replaced."""

    id: UUID
    conversation_id: UUID
    created_at: datetime
    replaced_characters: int


def save(
    database: Database,
    conversation: str,
    state: Any,
    *,
    organization_key: str,
    user_id: str | None = None,
) -> SavedSnapshot:
    """Save a state, any JSON value, as the newest snapshot; raises NotFoundError."""
    identifier = new_id()
    cleaned, replaced = canonical.clean(state)

    def work() -> SavedSnapshot:
        with database.transaction(write=True, settings=CHANGING) as connection:
            organization = organization_id(connection, organization_key)
            named = resolve_conversation(connection, organization, conversation, user_id=user_id)
            held = hold(connection, organization, named)
            own = _own(organization, named)
            query = sa.select(snapshots.c.created_at).where(*own, snapshots.c.id == identifier)
            created_at = connection.execute(query).scalar_one_or_none()
            if (
                created_at is None
            ):  # Otherwise the previous attempt saved it, and its result was lost.
                created_at = held.now
                connection.execute(
                    sa.insert(snapshots).values(
                        organization_id=organization,
                        conversation_id=named,
                        id=identifier,
                        state=_stored(cleaned),
                        created_at=created_at,
                    )
                )
                change(connection, held)
        return SavedSnapshot(
            id=identifier,
            conversation_id=named,
            created_at=created_at,
            replaced_characters=replaced,
        )

    return with_retries(database, work)


def list_page(
    database: Database,
    conversation: str,
    *,
    organization_key: str,
    user_id: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> SnapshotPage:
    """Return a page of a conversation's snapshots, newest first."""
    columns = snapshots.c
    length = sa.func.length(sa.cast(columns.state, sa.Text)).label("characters")
    statement = sa.select(columns.id, columns.created_at, length)
    if after is not None:
        time, (identifier,) = read_cursor("snapshots", after, ids=1)
        here = sa.tuple_(columns.created_at, columns.id)
        there: Any = sa.tuple_(
            sa.literal(time, columns.created_at.type), sa.literal(identifier, columns.id.type)
        )
        statement = statement.where(here < there)
    statement = statement.order_by(columns.created_at.desc(), columns.id.desc()).limit(limit + 1)
    with database.transaction() as connection:
        organization = organization_id(connection, organization_key)
        named = resolve_conversation(connection, organization, conversation, user_id=user_id)
        rows = connection.execute(statement.where(*_own(organization, named))).mappings().fetchall()
    items = tuple(ListedSnapshot(**row) for row in rows[:limit])
    last = items[-1] if len(rows) > limit else None
    cursor = None if last is None else cursor_of("snapshots", last.created_at, (last.id,))
    return SnapshotPage(items=items, next_cursor=cursor)


def read(
    database: Database,
    conversation: str,
    snapshot: str,
    *,
    organization_key: str,
    user_id: str | None = None,
) -> Snapshot:
    """Return a snapshot of a conversation with its state; raises NotFoundError, UsageError."""
    with database.transaction() as connection:
        organization = organization_id(connection, organization_key)
        named = resolve_conversation(connection, organization, conversation, user_id=user_id)
        identifier = resolve_snapshot(connection, organization, named, snapshot)
        columns = snapshots.c
        row = connection.execute(
            sa.select(columns.id, columns.state, columns.created_at).where(
                *_own(organization, named), columns.id == identifier
            )
        ).one()
    return Snapshot(id=row.id, state=row.state, created_at=row.created_at)


def _own(organization: UUID, conversation: UUID) -> tuple[sa.ColumnElement[bool], ...]:
    columns = snapshots.c
    return columns.organization_id == organization, columns.conversation_id == conversation


def _stored(state: Any) -> Any:
    """Return the state for its column, where None would mean no value."""
    return sa.text("'null'") if state is None else state
