"""Organizations (tenants): list, create, rename, count their contents, delete."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import conversations, messages, organizations, snapshots, tombstones
from chatdb.errors import NotFoundError, RefusedError, UsageError
from chatdb.primitives.canonical import clean_text
from chatdb.records import Organization, organization_id_of
from chatdb.store.organization_rows import add_organization

DEFAULT = "default"
"""The key of the default organization."""
LONGEST_KEY = 200
LONGEST_NAME = 1_000

_AT_ONCE = 1_000
"""Conversations per statement: their messages are deleted with them."""
_LIST_HINT = "chatdb organizations list"


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationSummary:
    """A row of the list; counts are exact, `last_activity_at` is the newest `updated_at`."""

    key: str
    name: str
    users: int
    conversations: int
    messages: int
    last_activity_at: datetime | None
    created_at: datetime
    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationPage:
    """Organizations by key; `next_key` is None on the last page."""

    items: tuple[OrganizationSummary, ...]
    next_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrganizationRemoval:
    """What is or was deleted with an organization."""

    key: str
    name: str
    users: int
    conversations: int
    messages: int
    snapshots: int


def list_page(database: Database, *, limit: int = 50, after: str | None = None) -> OrganizationPage:
    """Return a page of organizations by key, beginning after the key `after`."""
    own = organizations.c.id
    statement = sa.select(
        organizations.c.key,
        organizations.c.name,
        _users_of(own).label("users"),
        _count_of(conversations, own).label("conversations"),
        _count_of(messages, own).label("messages"),
        _last_activity_of(own).label("last_activity_at"),
        organizations.c.created_at,
        own,
    )
    if after is not None:
        statement = statement.where(organizations.c.key > after)
    statement = statement.order_by(organizations.c.key).limit(limit + 1)
    with database.transaction() as connection:
        rows = connection.execute(statement).mappings().fetchall()
    items = tuple(OrganizationSummary(**row) for row in rows[:limit])
    return OrganizationPage(items=items, next_key=items[-1].key if len(rows) > limit else None)


def create(
    database: Database, key: str, *, name: str | None = None, if_missing: bool = False
) -> Organization:
    """Create an organization; its name defaults to its key.

    Raises UsageError for an invalid key, RefusedError for an existing one (which `if_missing`
    returns unchanged).
    """
    checked = check_key(key)
    shown = checked if name is None else check_name(name)
    record = Organization(
        id=organization_id_of(checked), key=checked, name=shown, created_at=datetime.now(UTC)
    )
    if add_missing(database, [record]):
        return record
    if not if_missing:
        raise RefusedError(
            f"the organization {checked!r} already exists",
            hint="choose another key; --if-missing accepts an existing one",
        )
    with database.transaction() as connection:
        return require(connection, checked)


def missing(database: Database, keys: Iterable[str]) -> tuple[str, ...]:
    """Return those of the keys that no organization has, in order."""
    wanted = tuple(keys)
    column = organizations.c.key
    with database.transaction() as connection:
        found = set(connection.scalars(sa.select(column).where(column.in_(wanted))))
    return tuple(key for key in wanted if key not in found)


def check_usable(database: Database | None, key: str) -> None:
    """Raise UsageError for a key that `create` would refuse, unless an organization has it."""
    if database is None or missing(database, [key]):
        check_key(key)


def add_missing(database: Database, records: Iterable[Organization]) -> tuple[str, ...]:
    """Create missing organizations, even if two do so at once; return the keys of the new ones.

    An existing organization is unchanged.
    """
    with database.transaction(write=True) as connection:
        return tuple(each.key for each in records if add_organization(connection, each))


def rename(database: Database, key: str, name: str) -> Organization:
    """Rename an organization; its key stays, because its id is derived from it.

    Raises NotFoundError, and UsageError for an invalid name.
    """
    checked = check_name(name)
    with database.transaction(write=True) as connection:
        found = require(connection, key)
        connection.execute(
            sa.update(organizations).where(organizations.c.id == found.id).values(name=checked)
        )
    return Organization(id=found.id, key=found.key, name=checked, created_at=found.created_at)


def contents(database: Database, key: str) -> OrganizationRemoval:
    """Return what deleting an organization would remove; raises NotFoundError."""
    with database.transaction(snapshot=True) as connection:
        return describe(connection, require(connection, key))


def require(connection: sa.Connection, key: str) -> Organization:
    """Return the organization with this key; raises NotFoundError."""
    found = _read(connection, key)
    if found is None:
        raise NotFoundError(f"there is no organization {key!r}", hint=_LIST_HINT)
    return found


def describe(connection: sa.Connection, organization: Organization) -> OrganizationRemoval:
    """Count the contents of an organization."""
    own = sa.literal(organization.id, organizations.c.id.type)
    row = connection.execute(
        sa.select(
            _users_of(own), *(_count_of(each, own) for each in (conversations, messages, snapshots))
        )
    ).one()
    return OrganizationRemoval(
        key=organization.key,
        name=organization.name,
        users=row[0],
        conversations=row[1],
        messages=row[2],
        snapshots=row[3],
    )


def delete_contents(
    connection: sa.Connection, organization: UUID, *, on_deleted: Callable[[int], object]
) -> None:
    """Delete everything of an organization, including tombstones; `on_deleted` receives the number.

    Some conversations per statement, because PostgreSQL keeps the rows of a statement for triggers.
    """
    table = conversations.c
    page = (
        sa.select(table.id)
        .where(table.organization_id == organization)
        .order_by(table.id)
        .limit(_AT_ONCE)
    )
    ids = connection.execute(page).scalars().all()
    while ids:
        connection.execute(
            sa.delete(conversations).where(
                table.organization_id == organization, table.id.between(ids[0], ids[-1])
            )
        )
        on_deleted(len(ids))
        ids = connection.execute(page.where(table.id > ids[-1])).scalars().all()
    connection.execute(sa.delete(tombstones).where(tombstones.c.organization_id == organization))


def delete_row(connection: sa.Connection, organization: UUID) -> None:
    """Delete the organization itself."""
    connection.execute(sa.delete(organizations).where(organizations.c.id == organization))


def check_key(key: str) -> str:
    """Return the key as it is stored; raises UsageError for one that users could not type again."""
    checked = clean_text(key)[0]
    if not checked or checked != checked.strip() or not checked.isprintable():
        raise UsageError(
            f"invalid organization key {key!r}: it is empty, has leading or trailing spaces, or "
            "contains invisible characters",
            hint="choose a short word: chatdb organizations create acme --name 'Acme Ltd.'",
        )
    if len(checked) > LONGEST_KEY:
        raise UsageError(
            f"the key has {len(checked)} characters; at most {LONGEST_KEY} are allowed",
            hint="choose a short word, and give the full name with --name",
        )
    return checked


def check_name(name: str) -> str:
    """Return the name as it is stored; raises UsageError if it is empty or too long."""
    checked = clean_text(name)[0].strip()
    if not checked or len(checked) > LONGEST_NAME:
        raise UsageError(
            f"the name of an organization must have 1 to {LONGEST_NAME:,} characters",
            hint="choose another name",
        )
    return checked


def _read(connection: sa.Connection, key: str) -> Organization | None:
    rows = connection.execute(sa.select(organizations).where(organizations.c.key == key))
    row = rows.mappings().one_or_none()
    return None if row is None else Organization(**row)


def _count_of(table: sa.Table, own: sa.ColumnElement[UUID]) -> Any:
    column = table.c.organization_id
    return sa.select(sa.func.count()).select_from(table).where(column == own).scalar_subquery()


def _users_of(own: sa.ColumnElement[UUID]) -> Any:
    table = conversations.c
    count = sa.func.count(sa.distinct(table.user_id))
    return sa.select(count).where(table.organization_id == own).scalar_subquery()


def _last_activity_of(own: sa.ColumnElement[UUID]) -> Any:
    table = conversations.c
    newest = sa.func.max(table.updated_at, type_=table.updated_at.type)
    return sa.select(newest).where(table.organization_id == own).scalar_subquery()
