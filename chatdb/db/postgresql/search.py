"""Search on PostgreSQL: the GIN index of lexemes; the order of words is checked in the texts.

The planner knows how frequent a word is, but not that hits of a common word are found fastest by
walking from the newest message: that choice is made here.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB, TSQUERY, TSVECTOR
from sqlalchemy.sql.util import ClauseAdapter

from chatdb.db.contract.search import (
    MessageKey,
    MessageSearch,
    NewestHits,
    SearchRequest,
    Term,
    TimedWork,
    filtered_columns,
    timed_out,
)
from chatdb.db.postgresql.bound_search import hit_conversations, is_bound, newest_hits
from chatdb.db.schema import messages
from chatdb.errors import UsageError

WALK_COST = 12
"""How much more it costs to read a message on the way than to fetch a hit from the index."""
LEAST_WALK = 500
FEW_HITS = 20_000
"""Up to this many hits are fetched by the words, whatever the planner expects of the other ways."""

_CONFIGURATION: Any = sa.literal_column("'simple'::regconfig")
_ONE: Any = sa.literal_column("1")


class PostgresqlSearch(MessageSearch):
    """Asks the index on lexemes, `bulk.SEARCH_INDEX`."""

    def settings(self) -> Mapping[str, str]:
        return {
            # A bitmap that does not fit becomes lossy, and every message of a page is parsed.
            "work_mem": "64MB",
            "jit": "off",
        }

    @contextmanager
    def deadline(
        self, connection: sa.Connection, timeout_seconds: float, what: TimedWork = "search"
    ) -> Iterator[None]:
        # Set here, not with the transaction: whatever it cancels is told of as the timeout.
        try:
            _limit(connection, max(1, int(timeout_seconds * 1000)))
            yield
            _limit(connection, 0)
        except sa.exc.DBAPIError as error:
            original = error.orig
            if isinstance(original, psycopg.errors.QueryCanceled):
                raise timed_out(timeout_seconds, what) from error
            if isinstance(original, psycopg.errors.SyntaxError):
                raise UsageError(
                    f"PostgreSQL cannot read the raw query: {original.diag.message_primary}",
                    hint="https://www.postgresql.org/docs/current/datatype-textsearch.html"
                    "#DATATYPE-TSQUERY, or leave out --raw",
                ) from error
            raise

    def newest(self, connection: sa.Connection, request: SearchRequest) -> NewestHits:
        bounds = [
            messages.c.organization_id == request.organization_id,
            *self.times(request),
        ]
        query = _main_query(request)
        if query is None or not request.indexed:
            words = [] if query is None else [_has(query)]
            every = [*bounds, *self.filters(request), *words, *self.in_sequence(request)]
            return NewestHits(_keys(connection, _newest_of(messages, every, request.limit)))
        checks = list(self.filters(request, for_candidates=True))
        sequence = list(self.in_sequence(request))
        if is_bound(connection):
            return newest_hits(connection, request, query, [*bounds, *checks], sequence)
        expected = _estimate(connection, sa.select(_ONE).where(_has(query)))
        if sequence and expected > FEW_HITS:
            every = [*checks, *_words_in_text(request)]
            return _walk_for_a_phrase(connection, request, bounds, every)
        steps = 0 if sequence else _steps_to_walk(connection, expected, request.limit)
        if steps:
            found = _walk(connection, request, bounds, [*checks, _has(query)], steps=steps)
            if len(found) == request.limit:  # Fewer: older ones would be the newest of the rest.
                return NewestHits(found)
        if _is_faster_by_words(connection, expected, bounds):
            own = messages.c.organization_id.is_not_distinct_from(request.organization_id)
            bounds[0] = own  # This condition uses no index; the words' index is the way.
        filters = checks if expected <= FEW_HITS else list(self.filters(request))
        # MATERIALIZED keeps the planner from searching for the newest its own way.
        keys = sa.select(messages.c.created_at, messages.c.conversation_id, messages.c.id)
        hits = keys.where(*bounds, *filters, _has(query)).cte("hits").prefix_with("MATERIALIZED")
        newest = _newest_of(hits, [], None if sequence else request.limit)
        if sequence:
            newest = _in_sequence(newest.subquery("found"), request, sequence)
        with _without_reading_all(connection):
            return NewestHits(_keys(connection, newest))

    def conversations(self, connection: sa.Connection, request: SearchRequest) -> list[UUID]:
        query = _main_query(request)
        conditions = [
            messages.c.organization_id == request.organization_id,
            *self.times(request),
            *self.filters(request, for_candidates=query is not None and request.indexed),
            *self.in_sequence(request),
        ]
        found = sa.select(messages.c.conversation_id)
        if query is None or not request.indexed:
            words = [] if query is None else [_has(query)]
            return list(connection.scalars(found.where(*conditions, *words).distinct()))
        if is_bound(connection):
            return list(connection.scalars(hit_conversations(request, query, conditions)))
        with _without_reading_all(connection):
            return list(connection.scalars(found.where(*conditions, _has(query)).distinct()))

    def organizations(self, connection: sa.Connection, request: SearchRequest) -> set[UUID] | None:
        query = _main_query(request)
        if query is None or not request.indexed:
            return None
        with _without_reading_all(connection):
            holding = sa.select(messages.c.organization_id).where(_has(query)).distinct()
            return set(connection.scalars(holding))

    def in_sequence(self, request: SearchRequest) -> Iterator[sa.ColumnElement[bool]]:
        yield from _words_in_text(request, but_told=bool(request.all_of))

    def is_hidden(self) -> sa.ColumnElement[bool]:
        mark = sa.cast({"chatdb": {"hidden": True}}, JSONB)
        return messages.c.metadata.op("@>", is_comparison=True)(mark)


def _main_query(request: SearchRequest) -> sa.ColumnElement[Any] | None:
    """Return what the index is asked for; None if it cannot help."""
    if request.raw is not None:
        return sa.func.to_tsquery(_CONFIGURATION, request.raw)
    if not request.all_of:
        return None
    parts = ["(" + " | ".join(map(_lexemes, group)) + ")" for group in request.all_of]
    excluded = (term for term in request.none_of if term.is_told_by_lexemes)
    parts += [f"!{_lexemes(term)}" for term in excluded]
    query: sa.ColumnElement[Any] = sa.cast(sa.literal(" & ".join(parts), sa.Text), TSQUERY)
    return query


def _lexemes(term: Term) -> str:
    # A word has no quotes in it, nor a backslash.
    quoted = [f"'{lexeme}'" for lexeme in term.lexemes]
    return "(" + " & ".join(quoted) + (":*)" if term.prefix else ")")


def _searched(*, for_index: bool) -> Any:
    """Return the normal form of a message, or its lexemes as the index has them."""
    end = sa.true() if for_index else sa.false()
    text = sa.func.chatdb_search_text(
        messages.c.content, messages.c.attached_text, end, type_=sa.Text
    )
    return sa.cast(text, TSVECTOR) if for_index else text


def _has(query: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    """Return the condition that a message has the lexemes, as the index knows it."""
    condition: sa.ColumnElement[bool] = _searched(for_index=True).op("@@", is_comparison=True)(
        query
    )
    return condition


def _is_in_text(term: Term) -> sa.ColumnElement[bool]:
    condition: sa.ColumnElement[bool] = _searched(for_index=False).like(f"%{term.pattern}%")
    return condition


def _words_in_text(
    request: SearchRequest, *, but_told: bool = False
) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions that tell without the index whether a text has the words.

    `but_told`: without those that the index has told.
    """
    for group in request.all_of:
        if not (but_told and all(term.is_told_by_lexemes for term in group)):
            yield sa.or_(*map(_is_in_text, group))
    for term in request.none_of:
        if not (but_told and term.is_told_by_lexemes):
            yield ~_is_in_text(term)


@contextmanager
def _without_reading_all(connection: sa.Connection) -> Iterator[None]:
    """Keep the planner from reading the whole table for words; not for what comes after."""
    before = connection.scalar(sa.select(sa.func.current_setting("enable_seqscan")))
    local = sa.true()
    connection.execute(sa.select(sa.func.set_config("enable_seqscan", "off", local)))
    yield
    connection.execute(sa.select(sa.func.set_config("enable_seqscan", before, local)))


def _limit(connection: sa.Connection, milliseconds: int) -> None:
    """Limit the time of each statement that follows in the transaction; 0: no limit."""
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds:d}")


def _newest_of(source: Any, conditions: list[Any], limit: int | None) -> sa.Select[Any]:
    columns = source.c
    return (
        sa.select(columns.created_at, columns.conversation_id, columns.id)
        .where(*conditions)
        .order_by(columns.created_at.desc(), columns.conversation_id.desc(), columns.id.desc())
        .limit(limit)
    )


def _keys(connection: sa.Connection, statement: sa.Select[Any]) -> list[MessageKey]:
    return [tuple(row) for row in connection.execute(statement)]


def _is_faster_by_words(connection: sa.Connection, hits: int, bounds: list[Any]) -> bool:
    """Tell whether to fetch all hits by the words instead of reading the messages."""
    if hits <= FEW_HITS:
        return True
    own = _estimate(connection, sa.select(_ONE).select_from(messages).where(*bounds))
    return hits <= WALK_COST * own


def _steps_to_walk(connection: sa.Connection, hits: int, limit: int) -> int:
    """Return how many of the newest messages to read; 0 if the index is faster."""
    if hits < LEAST_WALK:
        return 0
    everything = _estimate(connection, sa.select(_ONE).select_from(messages))
    steps = max(LEAST_WALK, 3 * limit * everything // hits)
    return int(steps) if WALK_COST * steps < hits else 0


def _estimate(connection: sa.Connection, statement: sa.Select[Any]) -> int:
    """Return how many rows the planner expects."""
    compiled = statement.compile(connection, compile_kwargs={"render_postcompile": True})
    plan = connection.exec_driver_sql(
        f"EXPLAIN (FORMAT JSON) {compiled.string}", dict(compiled.params)
    ).scalar_one()
    return int(plan[0]["Plan"]["Plan Rows"])


def _walk(
    connection: sa.Connection,
    request: SearchRequest,
    bounds: list[Any],
    filters: list[Any],
    *,
    steps: int,
) -> list[MessageKey]:
    """Look for hits among the newest messages."""
    # Filtered outside of the limit: only so many of the newest are read, whether they match or not.
    newest = _newest_of(messages, bounds, steps).add_columns(*filtered_columns(request))
    inner = newest.subquery("newest")
    adapt = ClauseAdapter(inner).traverse
    return _keys(connection, _newest_of(inner, [adapt(each) for each in filters], request.limit))


def _walk_for_a_phrase(
    connection: sa.Connection, request: SearchRequest, bounds: list[Any], filters: list[Any]
) -> NewestHits:
    """Look for a phrase of common words among the newest messages, not beyond."""
    found = _walk(connection, request, bounds, filters, steps=FEW_HITS)
    if len(found) == request.limit:
        return NewestHits(found)
    last = _keys(connection, _newest_of(messages, bounds, 1).offset(FEW_HITS - 1))
    return NewestHits(found, until=last[0] if last else None)


def _in_sequence(found: Any, request: SearchRequest, sequence: list[Any]) -> sa.Select[Any]:
    """Read the candidates' texts, newest first, until there are enough hits."""
    columns = messages.c
    own = (
        columns.organization_id == request.organization_id,
        columns.conversation_id == found.c.conversation_id,
        columns.id == found.c.id,
    )
    # One value a candidate: of a join all texts would be read before the first is sorted.
    checked = sa.select(sa.and_(*sequence)).where(*own).scalar_subquery()
    return _newest_of(found, [checked], request.limit)
