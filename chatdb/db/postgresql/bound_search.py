"""Search on PostgreSQL for a role under row-level security.

`@@` is not leakproof: the planner checks the policy before a message's words, without any index. So
the words are looked up by `chatdb_search_hits`, which belongs to the owner and itself checks whose
rows it returns; the messages are then read, and all other conditions checked, as the role.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from chatdb.db.contract.search import MessageKey, NewestHits, SearchRequest
from chatdb.db.schema import messages

_CANDIDATES = 20_000
"""Whose words' order is checked for one page."""


def is_bound(connection: sa.Connection) -> bool:
    """Tell whether row-level security applies to us: not to the owner, nor to a superuser."""
    return bool(connection.scalar(sa.select(sa.func.row_security_active("messages"))))


def newest_hits(
    connection: sa.Connection,
    request: SearchRequest,
    query: sa.ColumnElement[Any],
    conditions: Sequence[sa.ColumnElement[bool]],
    sequence: Sequence[sa.ColumnElement[bool]],
) -> NewestHits:
    """Return the newest messages that have the lexemes and meet the conditions.

    `sequence` is checked too; of as many candidates as are few, newest first.
    """
    found: list[MessageKey] = []
    until: MessageKey | None = None
    # A second read of all hits costs far more than a few rows that the conditions drop.
    for most in (2 * request.limit, _CANDIDATES if sequence else None):
        statement = _statement(request, query, [*conditions, *sequence], most=most)
        rows = connection.execute(statement).fetchall()
        found = [(row[0], row[1], row[2]) for row in rows if row[3]][: request.limit]
        if len(found) == request.limit or len(rows) != most:
            return NewestHits(found)
        until = (rows[-1][0], rows[-1][1], rows[-1][2])
    return NewestHits(found, until)


def hit_conversations(
    request: SearchRequest,
    query: sa.ColumnElement[Any],
    conditions: Sequence[sa.ColumnElement[bool]],
) -> sa.Select[Any]:
    """Return what reads the conversations of all messages that have the lexemes."""
    hits = _statement(request, query, conditions, most=None).order_by(None).limit(None).subquery()
    return sa.select(hits.c.conversation_id).distinct()


def _statement(
    request: SearchRequest,
    query: sa.ColumnElement[Any],
    conditions: Sequence[sa.ColumnElement[bool]],
    *,
    most: int | None,
) -> sa.Select[Any]:
    """Read the newest `most` hits and check each, or return all that match."""
    columns = messages.c
    until = [request.before, None if request.before_key is None else request.before_key[0]]
    hits: Any = (
        sa.func.chatdb_search_hits(
            query,
            sa.cast(sa.literal(most), sa.Integer),
            sa.cast(sa.literal(request.after), columns.created_at.type),
            sa.cast(
                sa.literal(min((time for time in until if time is not None), default=None)),
                columns.created_at.type,
            ),
        )
        .table_valued(
            *(
                sa.column(column.name, column.type)
                for column in (columns.created_at, columns.conversation_id, columns.id)
            )
        )
        .alias("hits")
    )
    meant = sa.and_(
        columns.organization_id == request.organization_id,
        columns.conversation_id == hits.c.conversation_id,
        columns.id == hits.c.id,
        *conditions,
    )
    statement = (
        sa.select(hits.c.created_at, hits.c.conversation_id, hits.c.id, columns.id.is_not(None))
        # An outer join tells a hit that the conditions drop from one
        # that the function did not return.
        .select_from(hits.join(messages, meant, isouter=most is not None))
        .order_by(hits.c.created_at.desc(), hits.c.conversation_id.desc(), hits.c.id.desc())
    )
    return statement if most is not None else statement.limit(request.limit)
