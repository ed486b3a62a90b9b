"""Selects conversations, and reads them in batches, in the order of their ids.

The order of ids is that of the primary key: the same on both databases, stable while others write,
and without any sorting.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.contract.expressions import metadata_has
from chatdb.db.database import Database
from chatdb.errors import NotFoundError
from chatdb.formats.times import EPOCH
from chatdb.primitives.canonical import clean_text
from chatdb.store.columns import FLAGS
from chatdb.store.every_organization import EVERY, Scope, require_unbound

AT_ONCE = 5_000
"""Conversations whose rows are held at once; their messages are streamed."""

READING = {
    # The key gives the order; a planner without statistics would sort everything instead.
    "enable_sort": "off",
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "jit": "off",
}
"""Settings of a long reading transaction on PostgreSQL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationFilter:
    """Conditions that must all hold; None means no condition.

    `since` and `before` concern `updated_at`, the first inclusive, the second exclusive, and
    what has no time is neither; `model` is that of any message, `accessed` leaves out what was
    never accessed; `after_id` (exclusive) and `until_id` (inclusive) limit the ids. `flags` says
    which of `FLAGS` must be set, or not. `metadata` has paths of keys, each with accepted values.
    """

    ids: Sequence[UUID] | None = None
    user_id: str | None = None
    since: datetime | None = None
    before: datetime | None = None
    source: str | None = None
    model: str | None = None
    accessed: bool = False
    after_id: UUID | None = None
    until_id: UUID | None = None
    flags: Mapping[str, bool] = field(default_factory=dict)
    kinds: frozenset[str] | None = None
    metadata: Sequence[tuple[tuple[str, ...], tuple[Any, ...]]] = ()

    @property
    def is_everything(self) -> bool:
        """Tell whether it leaves out none between the first and the last id."""
        return replace(self, after_id=None, until_id=None) == _EVERYTHING

    def conditions(self) -> Iterator[sa.ColumnElement[bool]]:
        """Yield the conditions on the table `conversations`, except those on ids."""
        columns = schema.conversations.c
        if self.user_id is not None:
            yield columns.user_id == clean_text(self.user_id)[0]
        if self.since is not None:
            yield columns.updated_at >= self.since
        if self.before is not None:
            yield columns.updated_at < self.before
            yield columns.updated_at != EPOCH
        if self.source is not None:
            yield columns.source == clean_text(self.source)[0]
        if self.model is not None:
            yield _has_message_by(self.model)
        if self.accessed:
            yield columns.last_accessed_at.is_not(None)
        if self.after_id is not None:
            yield columns.id > self.after_id
        if self.until_id is not None:
            yield columns.id <= self.until_id
        for flag, is_set in self.flags.items():
            present = columns[FLAGS[flag]].is_not(None)
            yield present if is_set else ~present
        if self.kinds is not None:
            yield columns.kind.in_(sorted(self.kinds))
        for path, values in self.metadata:
            yield metadata_has(columns.metadata, path, values)


def _has_message_by(model: str) -> sa.ColumnElement[bool]:
    own, columns = schema.messages.c, schema.conversations.c
    return sa.exists().where(
        own.organization_id == columns.organization_id,
        own.conversation_id == columns.id,
        own.model == clean_text(model)[0],
    )


_EVERYTHING = ConversationFilter()

IdsWithin = Mapping[UUID, Sequence[UUID]]
"""Conversations by the id of their organization."""


def organization_id(connection: sa.Connection, key: str) -> UUID:
    """Return the id of the organization with this key; raises NotFoundError."""
    organizations = schema.organizations
    statement = sa.select(organizations.c.id).where(organizations.c.key == key)
    found: UUID | None = connection.execute(statement).scalar_one_or_none()
    if found is None:
        raise NotFoundError(
            f"there is no organization {key!r}", hint="to list them: chatdb organizations list"
        )
    return found


def batches(
    connection: sa.Connection,
    organization: UUID,
    *,
    columns: Sequence[sa.ColumnElement[Any]],
    wanted: ConversationFilter,
    at_once: int = AT_ONCE,
) -> Iterator[Sequence[sa.Row[Any]]]:
    """Yield the selected conversations in batches by ascending id: the id as text, `columns`."""
    table = schema.conversations
    statement = (
        sa.select(sa.cast(table.c.id, sa.Text), *columns)
        .where(table.c.organization_id == organization, *wanted.conditions())
        .order_by(table.c.id)
    )
    if wanted.ids is not None:
        ids = sorted(set(wanted.ids))
        for start in range(0, len(ids), at_once):
            chunk = ids[start : start + at_once]
            rows = connection.execute(statement.where(table.c.id.in_(chunk))).fetchall()
            if rows:
                yield rows
        return
    page = statement.limit(at_once)
    rows = connection.execute(page).fetchall()
    while rows:
        yield rows
        if len(rows) < at_once:
            return
        rows = connection.execute(page.where(table.c.id > UUID(rows[-1][0]))).fetchall()


def count_conversations(
    database: Database,
    wanted: ConversationFilter,
    *,
    organization_key: Scope,
    ids_within: IdsWithin | None = None,
) -> int:
    """Return how many conversations are selected; ids that do not exist are not looked up."""
    if ids_within is not None:
        return sum(len(set(ids)) for ids in ids_within.values())
    if wanted.ids is not None:
        return len(set(wanted.ids))
    statement = sa.select(sa.func.count()).select_from(schema.conversations)
    statement = statement.where(*wanted.conditions())
    with database.transaction() as connection:
        if organization_key is EVERY:
            require_unbound(connection, database.dialect)
        else:
            organization = organization_id(connection, organization_key)
            own = schema.conversations.c.organization_id == organization
            statement = statement.where(own)
        return connection.execute(statement).scalar_one()
