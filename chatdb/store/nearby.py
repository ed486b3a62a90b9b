"""Where messages stand in their conversations, and what is near them; a page of them at once.

Read by the indexes on ids and positions: what a conversation has beyond that is not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.dialect import Dialect
from chatdb.db.contract.search import searched_text
from chatdb.db.schema import conversations, messages
from chatdb.store.whole_keys import is_one_of, some_at_once

MOST_NUMBERED = 5_000
"""Messages of a conversation that are counted for a page of hits: more would take its time."""
REACH = 50
"""How far from a message, by replies or by positions, others are looked for."""
_FIRST = -(2**31)
"""Below every position."""
_BEGINNING = 1_000
"""Characters of a message: its excerpt, and what that leaves out."""

MessageName = tuple[UUID, UUID, UUID]
"""Organization, conversation and message."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A message is the `number`th (from 1) of all `messages` of its conversation."""

    number: int
    messages: int


def read_standings(
    connection: sa.Connection, positions: dict[MessageName, int]
) -> dict[MessageName, Standing]:
    """Return where the messages stand, by their positions.

    Those of conversations of more than MOST_NUMBERED messages are left out.
    """
    columns, c = messages.c, conversations.c
    whole = (columns.organization_id == c.organization_id, columns.conversation_id == c.id)
    # Without the order PostgreSQL would read all messages for a conversation that has most of them.
    own = sa.select(columns.position).where(*whole).order_by(columns.position)
    first = own.correlate(conversations).limit(MOST_NUMBERED + 1).subquery()
    counts = sa.select(
        *(c.organization_id, c.id),
        sa.select(sa.func.count()).select_from(first).scalar_subquery(),
        sa.select(sa.func.max(columns.position)).where(*whole).scalar_subquery(),
    )
    keys = list(dict.fromkeys(name[:2] for name in positions))
    sizes: dict[Any, tuple[int, int]] = {}
    for some in some_at_once(keys):
        rows: Any = connection.execute(counts.where(is_one_of((c.organization_id, c.id), some)))
        sizes |= {(row[0], row[1]): (row[2], row[3]) for row in rows}
    known = [name for name in positions if sizes[name[:2]][0] <= MOST_NUMBERED]
    # Where messages were deleted a position is no number, and those before have to be counted.
    gaps = [name for name in known if sizes[name[:2]][0] != sizes[name[:2]][1] + 1]
    numbers = {name: positions[name] + 1 for name in known}
    numbers |= _counted(connection, {name: positions[name] for name in gaps})
    return {name: Standing(numbers[name], sizes[name[:2]][0]) for name in known}


def _counted(
    connection: sa.Connection, positions: dict[MessageName, int]
) -> dict[MessageName, int]:
    """Count the messages up to each, those between two of one conversation once."""
    columns = messages.c
    numbers: dict[MessageName, int] = {}
    ordered = sorted(positions, key=lambda name: (name[:2], positions[name]))
    steps: list[tuple[MessageName, MessageName | None]] = [
        (name, before if before is not None and before[:2] == name[:2] else None)
        for before, name in pairwise([None, *ordered])
        if name is not None
    ]
    for some in some_at_once(steps):
        counts = [
            sa.select(sa.func.count())
            .where(
                columns.organization_id == name[0],
                columns.conversation_id == name[1],
                columns.position > (_FIRST if before is None else positions[before]),
                columns.position <= positions[name],
            )
            .scalar_subquery()
            for name, before in some
        ]
        row = connection.execute(sa.select(*counts)).one()
        for (name, before), count in zip(some, row, strict=True):
            numbers[name] = count + (0 if before is None else numbers[before])
    return numbers


def read_nearby(
    connection: sa.Connection, dialect: Dialect, names: Sequence[MessageName]
) -> list[tuple[UUID, sa.Row[Any]]]:
    """Return the messages near these, without their texts, each with its organization.

    They are those above each, up to REACH replies, and those at most REACH positions away. A row
    has `conversation_id`, `id`, `parent_id`, `position`, `role`, `created_at` and `is_hidden`.
    """
    by_organization: dict[UUID, list[MessageName]] = {}
    for name in names:
        by_organization.setdefault(name[0], []).append(name)
    # Of one organization each: Citus refuses a recursion over several.
    return [
        (organization, row)
        for organization, own in by_organization.items()
        for some in some_at_once(own)
        for row in connection.execute(_near(dialect, organization, some))
    ]


def _near(dialect: Dialect, organization: UUID, names: Sequence[MessageName]) -> Any:
    columns = messages.c
    own = columns.organization_id == organization
    shown = (
        *(columns.conversation_id, columns.id, columns.parent_id, columns.position, columns.role),
        columns.created_at,
        dialect.search().is_hidden().label("is_hidden"),
    )
    steps = sa.literal(0, sa.Integer)
    meant = is_one_of(_name(messages), names)
    above = sa.select(*shown, steps.label("steps")).where(meant).cte("above", recursive=True)
    reply = sa.and_(
        own,
        columns.conversation_id == above.c.conversation_id,
        columns.id == above.c.parent_id,
    )
    above = above.union_all(
        sa.select(*shown, above.c.steps + 1)
        .select_from(above.join(messages, reply))
        .where(above.c.steps < REACH)
    )
    away = sa.select(sa.literal(-REACH, sa.Integer).label("away")).cte("away", recursive=True)
    away = away.union_all(sa.select(away.c.away + 1).where(away.c.away < REACH))
    # Each position by itself: with BETWEEN SQLite expects much of a long conversation, and
    # reads every message instead.
    beside = sa.and_(
        own,
        columns.conversation_id == above.c.conversation_id,
        columns.position == above.c.position + away.c.away,
    )
    around = sa.select(*shown).select_from(
        above.join(away, above.c.steps == 0).join(messages, beside)
    )
    return sa.select(*(above.c[column.name] for column in shown)).union(around)


def read_beginnings(
    connection: sa.Connection, names: Sequence[MessageName]
) -> dict[MessageName, str]:
    """Return the beginning of what is searched of each message."""
    statement = sa.select(*_name(messages), sa.func.substr(searched_text(), 1, _BEGINNING))
    found: dict[MessageName, str] = {}
    for some in some_at_once(names):
        rows: Any = connection.execute(statement.where(is_one_of(_name(messages), some)))
        found |= {(row[0], row[1], row[2]): row[3] for row in rows}
    return found


def _name(table: sa.Table) -> tuple[sa.Column[Any], ...]:
    return table.c.organization_id, table.c.conversation_id, table.c.id
