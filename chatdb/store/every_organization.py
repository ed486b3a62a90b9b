"""Work over all organizations: a loop over tenants, unless row-level security hides some."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Final, Literal
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.dialect import Dialect
from chatdb.db.database import Database
from chatdb.db.schema import conversations, organizations
from chatdb.errors import NotFoundError, RefusedError
from chatdb.records import Organization

NAMED = 5
"""Organizations that a hint lists."""
COUNTED = 10_000
"""Conversations that are counted for a hint, which must not read a large table."""
_AT_ONCE = 1_000


class EveryOrganization(Enum):
    """Takes the place of an organization's key and means all of them."""

    EVERY = "every organization"


EVERY: Final = EveryOrganization.EVERY
Scope = str | Literal[EveryOrganization.EVERY]
"""The key of one organization, or all of them; there is no default, so that none leaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """An organization with conversations; at most COUNTED of them, `more` if there are others."""

    key: str
    conversations: int
    more: bool


def chosen(connection: sa.Connection, dialect: Dialect, scope: Scope) -> Iterator[Organization]:
    """Yield the organizations in the scope, by ascending id.

    Raises NotFoundError for an unknown key, RefusedError as `require_unbound`.
    """
    if scope is EVERY:
        require_unbound(connection, dialect)
        yield from _pages(connection, organizations.c.id)
        return
    statement = sa.select(organizations).where(organizations.c.key == scope)
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise NotFoundError(
            f"there is no organization {scope!r}", hint="to list them: chatdb organizations list"
        )
    yield Organization(**row)


def newest_first(
    connection: sa.Connection,
    dialect: Dialect,
    scope: Scope,
    time: sa.Column[datetime],
    *,
    until: datetime | None = None,
) -> Iterator[tuple[Organization, datetime | None]]:
    """Yield what `chosen` does, those with the newest row first, with its time.

    `time` is the column of a table with rows of organizations, of which those up to `until` count.
    With all organizations, those without any row are left out: a page is usually full before many
    of them are read. With one the time is None.
    """
    if scope is not EVERY:
        for organization in chosen(connection, dialect, scope):
            yield organization, None
        return
    require_unbound(connection, dialect)
    own = organizations.c
    newest = sa.select(sa.func.max(time, type_=time.type)).where(
        time.table.c.organization_id == own.id
    )
    if until is not None:
        newest = newest.where(time <= until)
    found = sa.select(organizations, newest.scalar_subquery().label("newest")).subquery()
    statement = (
        sa.select(found)
        .where(found.c.newest.is_not(None))
        .order_by(found.c.newest.desc(), found.c.id)
    )
    # All at once: other statements run on the connection before the next one is taken.
    for *fields, last in connection.execute(statement).fetchall():
        yield Organization(**dict(zip(Organization.__struct_fields__, fields, strict=True))), last


def label_of(organization: Organization | None) -> tuple[str | None, str | None]:
    """Return an organization's fields in a record: the key, and the name if it differs."""
    if organization is None:
        return None, None
    name = organization.name
    return organization.key, None if name == organization.key else name


def read_organization(connection: sa.Connection, identifier: UUID) -> Organization:
    """Return the organization with this id, which exists."""
    statement = sa.select(organizations).where(organizations.c.id == identifier)
    return Organization(**connection.execute(statement).mappings().one())


def by_key(connection: sa.Connection, *, start: str | None = None) -> Iterator[Organization]:
    """Yield every organization in the order of keys, from the key `start` on."""
    condition = sa.true() if start is None else organizations.c.key >= start
    return _pages(connection, organizations.c.key, condition)


def require_unbound(connection: sa.Connection, dialect: Dialect) -> None:
    """Raise RefusedError if row-level security shows only one organization instead of all."""
    if dialect.is_bound(connection):
        raise RefusedError(
            "row-level security shows this role only one organization: --all-orgs would return a "
            "part as if it were everything",
            hint="leave out --all-orgs, or connect as the owner of the tables: chatdb config show",
        )


def other_holders(database: Database, organization_key: str) -> tuple[Holder, ...]:
    """Return other organizations with conversations, by key: at most NAMED and one more.

    Returns none to a role that row-level security applies to. Costs one index look-up for each.
    """
    own = organizations.c
    one = sa.select(conversations.c.id).where(conversations.c.organization_id == own.id)
    holding = (
        sa.select(own.id, own.key)
        .where(own.key != organization_key, one.exists())
        .order_by(own.key)
        .limit(NAMED + 1)
    )
    with database.transaction() as connection:
        if database.dialect.is_bound(connection):
            return ()
        return tuple(
            _holder(connection, identifier, key)
            for identifier, key in connection.execute(holding).fetchall()
        )


def empty_organizations(database: Database, *, but: str) -> tuple[str, ...]:
    """Return keys of organizations without a conversation, at most NAMED and one more."""
    own = organizations.c
    one = sa.select(conversations.c.id).where(conversations.c.organization_id == own.id)
    empty = sa.select(own.key).where(own.key != but, ~one.exists()).order_by(own.key)
    with database.transaction() as connection:
        return tuple(connection.scalars(empty.limit(NAMED + 1)))


def _holder(connection: sa.Connection, identifier: UUID, key: str) -> Holder:
    some = sa.select(conversations.c.id).where(conversations.c.organization_id == identifier)
    counted = sa.select(sa.func.count()).select_from(some.limit(COUNTED + 1).subquery())
    count = connection.execute(counted).scalar_one()
    return Holder(key=key, conversations=min(count, COUNTED), more=count > COUNTED)


def _pages(
    connection: sa.Connection,
    order: sa.Column[object],
    condition: sa.ColumnElement[bool] | None = None,
) -> Iterator[Organization]:
    """Yield organizations in order, some at a time: other statements run in between."""
    page = sa.select(organizations).order_by(order).limit(_AT_ONCE)
    if condition is not None:
        page = page.where(condition)
    rows = connection.execute(page).mappings().fetchall()
    while rows:
        for row in rows:
            yield Organization(**row)
        if len(rows) < _AT_ONCE:
            return
        after = order > rows[-1][order.name]
        rows = connection.execute(page.where(after)).mappings().fetchall()
