"""Users: the ids found on an organization's conversations; list, show, rename."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import conversations, messages
from chatdb.errors import NotFoundError, RefusedError, UsageError
from chatdb.primitives import canonical
from chatdb.primitives.canonical import clean_text
from chatdb.records import Organization
from chatdb.store.columns import FLAGS
from chatdb.store.every_organization import EVERY, Scope, by_key, chosen, require_unbound
from chatdb.store.paging import cursor_of, read_place, unreadable
from chatdb.store.selecting import organization_id

LONGEST_ID = 1_000

_LIST_HINT = "chatdb users list"
_c = conversations.c


@dataclass(frozen=True, slots=True, kw_only=True)
class UserSummary:
    """A user with exact counts; `user_id` None means conversations without a user.

    `last_activity_at` is the newest `updated_at` of the user's conversations.
    """

    user_id: str | None
    conversations: int
    messages: int
    last_activity_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UserPage:
    """Users by id, those without one last; `next_user` is None on the last page.

    With all organizations they are ordered by its key, which `organizations` has for each;
    `next_user` is a cursor then.
    """

    items: tuple[UserSummary, ...]
    next_user: str | None
    organizations: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserDetails:
    """A summary of a user's conversations; times are the oldest and newest of their kind."""

    user_id: str
    conversations: int
    archived: int
    starred: int
    pinned: int
    messages: int
    first_conversation_at: datetime
    last_activity_at: datetime
    last_accessed_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRenaming:
    """What a new id changes; `merged` are the conversations that the new id already had."""

    user_id: str
    new_user_id: str
    conversations: int
    messages: int
    merged: int
    dry_run: bool


def list_page(
    database: Database, *, organization_key: Scope, limit: int = 50, after: str | None = None
) -> UserPage:
    """Return a page of users by id, beginning after the user `after`.

    Each costs an index look-up and the count of the user's rows, on every page. Raises
    NotFoundError for an unknown organization, RefusedError as `chosen` does, UsageError for an
    invalid cursor.
    """
    with database.transaction(snapshot=True) as connection:
        if organization_key is EVERY:
            require_unbound(connection, database.dialect)
            return _page_of_every_organization(connection, limit, after)
        organization = organization_id(connection, organization_key)
        ids = _ids_after(connection, organization, after, limit + 1)
        shown: list[str | None] = list(ids[:limit])
        if len(ids) < limit and _first_id(connection, _c.user_id.is_(None), organization):
            shown.append(None)
        items = tuple(_summary(connection, organization, user) for user in shown)
    return UserPage(items=items, next_user=ids[limit - 1] if len(ids) > limit else None)


def show(database: Database, user_id: str, *, organization_key: str) -> UserDetails:
    """Return the summary of a user's conversations; raises NotFoundError if there are none."""
    with database.transaction(snapshot=True) as connection:
        organization = organization_id(connection, organization_key)
        _require(connection, organization, user_id)
        return _details(connection, organization, user_id)


def show_everywhere(database: Database, user_id: str) -> list[tuple[Organization, UserDetails]]:
    """Return the summary for each organization that has the user: they may be different people.

    Raises NotFoundError if none has, RefusedError as `chosen` does.
    """
    with database.transaction(snapshot=True) as connection:
        found = [
            (organization, _details(connection, organization.id, user_id))
            for organization in chosen(connection, database.dialect, EVERY)
            if _conversations(connection, organization.id, user_id)
        ]
    if not found:
        raise _nobody(user_id)
    return found


def _details(connection: sa.Connection, organization: UUID, user_id: str) -> UserDetails:
    found = connection.execute(
        sa.select(
            sa.func.count().label("conversations"),
            *(sa.func.count(_c[column]).label(flag) for flag, column in FLAGS.items()),
            _extreme(sa.func.min, _c.created_at).label("first_conversation_at"),
            _extreme(sa.func.max, _c.updated_at).label("last_activity_at"),
            _extreme(sa.func.max, _c.last_accessed_at).label("last_accessed_at"),
        ).where(*_of(organization, user_id))
    )
    [row] = found.mappings()
    count = _messages(connection, organization, user_id)
    return UserDetails(user_id=user_id, messages=count, **row)


def rename(
    database: Database,
    user_id: str,
    new_user_id: str,
    *,
    organization_key: str,
    merge: bool = False,
    dry_run: bool = False,
) -> UserRenaming:
    """Write another user id on all conversations of a user, in one transaction.

    `updated_at` stays: no message was added. Raises NotFoundError for a user without conversations,
    RefusedError if the new id has some already and `merge` was not given.
    """
    checked = check_id(new_user_id)
    if checked == clean_text(user_id)[0]:
        raise UsageError("both ids are the same", hint="chatdb users rename OLD NEW")
    with database.transaction(write=not dry_run) as connection:
        organization = organization_id(connection, organization_key)
        _require(connection, organization, user_id)
        merged = _conversations(connection, organization, checked)
        if merged and not merge:
            raise RefusedError(
                f"user {checked!r} already has {merged:,} conversations: afterwards the two "
                "users' conversations cannot be told apart",
                hint="add --merge to combine them anyway",
            )
        report = UserRenaming(
            user_id=user_id,
            new_user_id=checked,
            conversations=_conversations(connection, organization, user_id),
            messages=_messages(connection, organization, user_id),
            merged=merged,
            dry_run=dry_run,
        )
        if not dry_run:
            connection.execute(
                sa.update(conversations).where(*_of(organization, user_id)).values(user_id=checked)
            )
    return report


def check_id(user_id: str) -> str:
    """Return a user's id as it is stored; raises UsageError if it is empty or too long."""
    checked = clean_text(user_id)[0]
    if not checked.strip() or len(checked) > LONGEST_ID:
        raise UsageError(
            f"a user's id must have 1 to {LONGEST_ID:,} characters, not only spaces",
            hint="leave it out, or give a user",
        )
    return checked


def _page_of_every_organization(
    connection: sa.Connection, limit: int, after: str | None
) -> UserPage:
    """Go from organization to organization by key; the cursor has a key and a user."""
    start, last = (None, None) if after is None else _read_user_cursor(after)
    found: list[tuple[Organization, str | None]] = []
    for organization in by_key(connection, start=start):
        begun = organization.key == start
        if begun and last is None:
            continue
        rest = limit + 1 - len(found)
        ids: list[str | None] = list(
            _ids_after(connection, organization.id, last if begun else None, rest)
        )
        if len(ids) < rest and _first_id(connection, _c.user_id.is_(None), organization.id):
            ids.append(None)
        found += [(organization, each) for each in ids]
        if len(found) > limit:
            break
    shown = found[:limit]
    cursor = None
    if len(found) > limit:
        organization, user = shown[-1]
        cursor = cursor_of("users", canonical.encode_text([organization.key, user]), ())
    return UserPage(
        items=tuple(_summary(connection, each.id, user) for each, user in shown),
        next_user=cursor,
        organizations=tuple(each.key for each, _ in shown),
    )


def _read_user_cursor(cursor: str) -> tuple[str, str | None]:
    text, _ = read_place("users", cursor, ids=0)
    try:
        return msgspec.json.decode(str(text), type=tuple[str, str | None])
    except msgspec.DecodeError as error:
        raise unreadable(cursor) from error


def _ids_after(
    connection: sa.Connection, organization: UUID, after: str | None, most: int
) -> list[str]:
    """Go from user to user by the index, however many conversations each has."""
    found: list[str] = []
    for _ in range(most):
        bound = _c.user_id.is_not(None) if after is None else _c.user_id > after
        after = _first_id(connection, bound, organization, _c.user_id)
        if after is None:
            break
        found.append(after)
    return found


def _first_id(
    connection: sa.Connection,
    bound: sa.ColumnElement[bool],
    organization: UUID,
    column: Any = _c.id,
) -> Any:
    statement = sa.select(column).where(_c.organization_id == organization, bound)
    return connection.scalar(statement.order_by(_c.user_id).limit(1))


def _summary(connection: sa.Connection, organization: UUID, user_id: str | None) -> UserSummary:
    row = connection.execute(
        sa.select(sa.func.count(), _extreme(sa.func.max, _c.updated_at)).where(
            *_of(organization, user_id)
        )
    ).one()
    return UserSummary(
        user_id=user_id,
        conversations=row[0],
        messages=_messages(connection, organization, user_id),
        last_activity_at=row[1],
    )


def _of(organization: UUID, user_id: str | None) -> tuple[sa.ColumnElement[bool], ...]:
    whose = _c.user_id.is_(None) if user_id is None else _c.user_id == user_id
    return _c.organization_id == organization, whose


def _extreme(function: Any, column: Any) -> Any:
    return function(column, type_=column.type)


def _conversations(connection: sa.Connection, organization: UUID, user_id: str) -> int:
    statement = sa.select(sa.func.count()).where(*_of(organization, user_id))
    return int(connection.execute(statement).scalar_one())


def _messages(connection: sa.Connection, organization: UUID, user_id: str | None) -> int:
    own = sa.select(_c.id).where(*_of(organization, user_id))
    statement = sa.select(sa.func.count()).where(
        messages.c.organization_id == organization, messages.c.conversation_id.in_(own)
    )
    return int(connection.execute(statement).scalar_one())


def _require(connection: sa.Connection, organization: UUID, user_id: str) -> None:
    if not _conversations(connection, organization, user_id):
        raise _nobody(user_id)


def _nobody(user_id: str) -> NotFoundError:
    return NotFoundError(f"no conversation belongs to a user {user_id!r}", hint=_LIST_HINT)
