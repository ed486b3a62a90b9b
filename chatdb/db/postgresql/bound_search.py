"""Search on PostgreSQL for a role under row-level security.

`@@` is not leakproof: the planner checks the policy before a message's words, without any index. So
the words are looked up by `chatdb_search_hits`, which belongs to the owner and itself checks whose
rows it returns; the messages are then read, and all other conditions checked, as the role.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from chatdb.db.contract.search import MessageKey, SearchRequest
from chatdb.db.schema import messages


@dataclass(frozen=True, slots=True)
class Words:
    """The search terms as a tsquery; `guide` is one whose hits the planner can estimate."""

    query: sa.ColumnElement[Any]
    guide: sa.ColumnElement[Any]


def is_bound(connection: sa.Connection) -> bool:
    """Tell whether row-level security applies to us: not to the owner, nor to a superuser."""
    return bool(connection.scalar(sa.select(sa.func.row_security_active("messages"))))


def newest_hits(
    connection: sa.Connection,
    request: SearchRequest,
    words: Words,
    conditions: Sequence[sa.ColumnElement[bool]],
) -> list[MessageKey]:
    """Return the keys of the newest messages that have the words and meet the conditions."""
    # A second read of all hits costs far more than a few rows that the conditions drop.
    most = 2 * request.limit
    rows = connection.execute(_statement(request, words, conditions, most=most)).fetchall()
    found = [(row[0], row[1], row[2]) for row in rows if row[3]]
    if len(found) < request.limit and len(rows) == most:
        everything = _statement(request, words, conditions, most=None)
        found = [(row[0], row[1], row[2]) for row in connection.execute(everything)]
    return found[: request.limit]


def hit_conversations(
    request: SearchRequest, words: Words, conditions: Sequence[sa.ColumnElement[bool]]
) -> sa.Select[Any]:
    """Return what reads the conversations of all messages that have the words."""
    hits = _statement(request, words, conditions, most=None).order_by(None).limit(None).subquery()
    return sa.select(hits.c.conversation_id).distinct()


def _statement(
    request: SearchRequest,
    words: Words,
    conditions: Sequence[sa.ColumnElement[bool]],
    *,
    most: int | None,
) -> sa.Select[Any]:
    """Read the newest `most` hits and check each, or return all that match."""
    columns = messages.c
    until = [request.before, None if request.before_key is None else request.before_key[0]]
    hits: Any = (
        sa.func.chatdb_search_hits(
            words.query,
            sa.cast(sa.literal(most), sa.Integer),
            sa.cast(sa.literal(request.after), columns.created_at.type),
            sa.cast(
                sa.literal(min((time for time in until if time is not None), default=None)),
                columns.created_at.type,
            ),
            words.guide,
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
