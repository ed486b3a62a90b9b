"""Fills what people saw beside messages that were imported before chatdb kept it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.message_text import Selection
from chatdb.db.database import Database
from chatdb.db.schema import conversations, messages
from chatdb.formats.attached_text import SOURCES, fill
from chatdb.primitives.watch import Watch
from chatdb.store.attached_text import begin_filling, place_of_filling, set_place_of_filling
from chatdb.store.every_organization import require_unbound
from chatdb.store.holding import CHANGING, with_retries

_AT_ONCE = 200
"""Conversations of a transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReindexReport:
    """How many conversations were gone through, and how many of their messages got a text."""

    conversations: int
    messages: int


def reindex_messages(database: Database, watch: Watch) -> ReindexReport:
    """Fill `attached_text` from what is stored of each message, in all organizations.

    Only where it is NULL; a report that its source hid is shown, and nothing else changes,
    `updated_at` neither. A run that is broken off goes on where it was. Raises RefusedError if
    row-level security shows only one organization.
    """
    columns = conversations.c
    of_sources = columns.source.in_(SOURCES)
    with database.transaction(write=True) as connection:
        require_unbound(connection, database.dialect)
        begin_filling(connection)
        count = sa.select(sa.func.count()).select_from(conversations).where(of_sources)
        watch.begin("filling attached texts", connection.scalar(count), "conversations")
    seen = filled = 0
    while True:
        step = with_retries(database, lambda: _fill_some(database))
        seen, filled = seen + step.conversations, filled + step.messages
        watch.advance(step.conversations)
        if step.conversations < _AT_ONCE:
            return ReindexReport(conversations=seen, messages=filled)


def _fill_some(database: Database) -> ReindexReport:
    c = conversations.c
    with database.transaction(write=True, settings=CHANGING) as connection:
        is_begun, place = place_of_filling(connection)
        if not is_begun:  # Another run has come to the end.
            return ReindexReport(conversations=0, messages=0)
        statement = (
            sa.select(c.organization_id, c.id, c.source, c.updated_at)
            .where(c.source.in_(SOURCES))
            .order_by(c.organization_id, c.id)
            .limit(_AT_ONCE)
            .with_for_update()
        )
        if place is not None:
            here = [sa.literal(each, c.id.type) for each in place]
            statement = statement.where(sa.tuple_(c.organization_id, c.id) > sa.tuple_(*here))
        rows = connection.execute(statement).fetchall()
        filled = 0
        for organization, group in groupby(rows, attrgetter("organization_id")):
            own = {row.id: row for row in group}
            changes = list(_changes(database, connection, organization, own))
            _write(connection, organization, own, changes)
            filled += len(changes)
        is_last = len(rows) < _AT_ONCE
        set_place_of_filling(
            connection, None if is_last else (rows[-1].organization_id, rows[-1].id)
        )
        return ReindexReport(conversations=len(rows), messages=filled)


_Change = dict[str, Any]
"""The values of a message that got a text, by the names of the statement's parameters."""


def _changes(
    database: Database, connection: sa.Connection, organization: UUID, rows: Mapping[UUID, Any]
) -> Iterator[_Change]:
    selection = Selection([str(each) for each in rows], gapless=False)
    read = database.dialect.read_records(connection, organization, selection)
    with closing(read):
        for identifier, chunks in groupby(read, itemgetter(0)):
            conversation = UUID(identifier)
            records = [message for _, some in chunks for message in some]
            lacking = [message for message in records if message.attached_text is None]
            fill(rows[conversation].source, records)
            for each in lacking:
                if each.attached_text:
                    yield {
                        "of": conversation,
                        "which": each.id,
                        "text": each.attached_text,
                        "about": each.metadata,
                    }


def _write(
    connection: sa.Connection,
    organization: UUID,
    rows: Mapping[UUID, Any],
    changes: Sequence[_Change],
) -> None:
    if not changes:
        return
    m, c = messages.c, conversations.c
    own = (
        m.organization_id == organization,
        m.conversation_id == sa.bindparam("of", type_=m.conversation_id.type),
        m.id == sa.bindparam("which", type_=m.id.type),
    )
    connection.execute(
        sa.update(messages)
        .where(*own)
        .values(
            attached_text=sa.bindparam("text"),
            metadata=sa.bindparam("about", type_=m.metadata.type),
        ),
        changes,
    )
    # SQLite's trigger says that they were changed now.
    named = sa.bindparam("of", type_=c.id.type)
    connection.execute(
        sa.update(conversations)
        .where(c.organization_id == organization, c.id == named)
        .values(updated_at=sa.bindparam("before")),
        [{"of": of, "before": rows[of].updated_at} for of in {each["of"] for each in changes}],
    )
