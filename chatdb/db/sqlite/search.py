"""Search on SQLite: FTS5 over the texts, or over their normal forms where it needs those."""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.sql.util import ClauseAdapter

from chatdb.db.connect import driver_connection
from chatdb.db.contract.search import (
    MessageKey,
    MessageSearch,
    NewestHits,
    SearchRequest,
    Term,
    TimedWork,
    filtered_columns,
    searched_text,
    timed_out,
)
from chatdb.db.schema import messages
from chatdb.db.sqlite.damage import is_damaged
from chatdb.errors import UsageError
from chatdb.primitives.normal_form import LONGEST_WORD, SEARCHED_CHARACTERS, is_unspaced

MANY_HITS = 20_000
"""From this many hits on, walking from the newest message is faster than sorting the hits."""
NEWEST_PER_HIT = 10
"""How many of the newest messages are checked one by one for each hit that is needed of many."""
_STEPS_BETWEEN_LOOKS = 1_000
_MATCHES = "chatdb_matches"


class SqliteSearch(MessageSearch):
    """Asks `messages_search`, the FTS5 table."""

    def settings(self) -> Mapping[str, str]:
        return {}

    @contextmanager
    def deadline(
        self, connection: sa.Connection, timeout_seconds: float, what: TimedWork = "search"
    ) -> Iterator[None]:
        ends = time.monotonic() + timeout_seconds
        driver = driver_connection(connection)
        driver.set_progress_handler(lambda: time.monotonic() > ends, _STEPS_BETWEEN_LOOKS)
        try:
            yield
        except sa.exc.DBAPIError as error:
            original = error.orig
            if time.monotonic() > ends and _error_name(original) == "SQLITE_INTERRUPT":
                raise timed_out(timeout_seconds, what) from error
            # Only a raw query can be wrong: chatdb quotes every word of the others.
            if _error_name(original) == "SQLITE_ERROR" and not is_damaged(original):
                raise UsageError(
                    f"SQLite cannot read the raw query: {original}",
                    hint="https://sqlite.org/fts5.html#full_text_query_syntax, or leave out --raw",
                ) from error
            raise
        finally:
            # The connection goes on to other work, which has no deadline.
            driver.set_progress_handler(None, 0)

    def newest(self, connection: sa.Connection, request: SearchRequest) -> NewestHits:
        _offer_matcher(connection, request)
        query = _main_query(request) if request.indexed else None
        few = query is not None and self._has_few_hits(connection, query)
        filters = [*self.filters(request, for_candidates=few), *self.in_sequence(request)]
        statement = _newest(messages, self.times(request), filters, request.limit)
        organization = "messages.organization_id"
        if query is not None:
            if not few and _is_of_whole_words(request):
                found = self._among_the_newest(connection, request, query)
                if len(found) == request.limit:
                    return NewestHits(found)
            # A unary plus keeps the planner from using an index on the column.
            rid = "messages.rid" if few else "+messages.rid"
            # Few hits are looked up by row id; by its own index
            # the tenant's rows would all be walked.
            organization = "+" + organization if few else organization
            statement = statement.where(_matching(rid, query))
        own = sa.text(f"{organization} = :organization").bindparams(
            organization=str(request.organization_id)
        )
        return NewestHits([tuple(row) for row in connection.execute(statement.where(own))])

    def conversations(self, connection: sa.Connection, request: SearchRequest) -> list[UUID]:
        _offer_matcher(connection, request)
        found = sa.select(messages.c.conversation_id).distinct()
        query = _main_query(request) if request.indexed else None
        filters = self.filters(request, for_candidates=query is not None)
        found = found.where(*self.times(request), *filters, *self.in_sequence(request))
        own: Any = messages.c.organization_id == request.organization_id
        if query is not None:
            found = found.where(_matching("messages.rid", query))
            # By its own index the tenant's rows would all be walked.
            own = sa.text("+messages.organization_id = :organization").bindparams(
                organization=str(request.organization_id)
            )
        return list(connection.scalars(found.where(own)))

    def organizations(self, connection: sa.Connection, request: SearchRequest) -> set[UUID] | None:
        query = _main_query(request)
        if query is None or not request.indexed:
            return None
        holding = sa.select(messages.c.organization_id).where(_matching("messages.rid", query))
        return set(connection.scalars(holding.distinct()))

    def in_sequence(self, request: SearchRequest) -> Iterator[sa.ColumnElement[bool]]:
        terms = (*(term for group in request.all_of for term in group), *request.none_of)
        is_told = request.all_of and all(map(_is_told_by_index, terms))
        if terms and not (request.indexed and is_told):
            text = sa.func.substr(searched_text(), 1, SEARCHED_CHARACTERS)
            yield getattr(sa.func, _MATCHES)(text, type_=sa.Boolean)

    def is_hidden(self) -> sa.ColumnElement[bool]:
        return sa.literal_column(
            # An application may have written invalid JSON: that hides nothing.
            "coalesce(CASE WHEN json_valid(messages.metadata)"
            " THEN json_extract(messages.metadata, '$.chatdb.hidden') END, 0) = 1",
            sa.Boolean,
        )

    def _among_the_newest(
        self, connection: sa.Connection, request: SearchRequest, query: str
    ) -> list[MessageKey]:
        """Check some of the newest messages, one by one, for being hits.

        This finds a word that is nearly everywhere at once; fetching the rows of all its hits takes
        a tenth of a second per million.
        """
        own = messages.c.organization_id == request.organization_id
        rid: Any = sa.literal_column("messages.rid").label("rid")
        newest = _newest(messages, [own, *self.times(request)], [], NEWEST_PER_HIT * request.limit)
        inner = newest.add_columns(*filtered_columns(request), rid).subquery("messages")
        adapt = ClauseAdapter(inner).traverse
        checks = (*self.filters(request, for_candidates=True), *self.in_sequence(request))
        filters = [_is_hit(query), *map(adapt, checks)]
        statement = _newest(inner, [], filters, request.limit)
        return [tuple(row) for row in connection.execute(statement)]

    def _has_few_hits(self, connection: sa.Connection, query: str) -> bool:
        count = sa.text(
            "SELECT count(*) FROM (SELECT 1 FROM messages_search"
            # Counting stops at the limit: all hits of a common word would take 7 ms per 200,000.
            " WHERE messages_search MATCH :query LIMIT :most)"
        )
        found = connection.scalar(count, {"query": query, "most": MANY_HITS})
        return bool(found < MANY_HITS)


def _newest(source: Any, bounds: Any, filters: Any, limit: int) -> sa.Select[Any]:
    """Return the query of the keys of the newest messages."""
    columns = source.c
    return (
        sa.select(columns.created_at, columns.conversation_id, columns.id)
        .where(*bounds, *filters)
        .order_by(columns.created_at.desc(), columns.conversation_id.desc(), columns.id.desc())
        .limit(limit)
    )


def _is_of_whole_words(request: SearchRequest) -> bool:
    """Tell whether there are no prefix terms: FTS5 collects those again for every row."""
    terms = (*(term for group in request.all_of for term in group), *request.none_of)
    return request.raw is None and not any(term.prefix for term in terms)


def _is_hit(query: str) -> Any:
    """Return the condition that a row is among the hits, checked for that row alone."""
    return sa.text(
        "EXISTS (SELECT 1 FROM messages_search"
        " WHERE messages_search.rowid = messages.rid AND messages_search MATCH :hit)"
    ).bindparams(hit=query)


def _main_query(request: SearchRequest) -> str | None:
    """Return the query in FTS5's syntax, every word quoted; None if the index cannot help."""
    if request.raw is not None:
        return request.raw
    if not request.all_of:
        return None
    groups = ("(" + " OR ".join(map(_needed, group)) + ")" for group in request.all_of)
    query = " AND ".join(groups)
    excluded = [_needed(term) for term in request.none_of if _is_told_by_index(term)]
    # FTS5's NOT wants something on its left: a query of exclusions alone is not for the index.
    return f"({query}) NOT ({' OR '.join(excluded)})" if excluded else query


def _is_told_by_index(term: Term) -> bool:
    """Tell whether the index alone knows: of words with blanks between it has the order."""
    if term.is_told_by_lexemes:
        return True
    # FTS5 has all of a very long word, and no phrase of beginnings.
    is_odd = (is_unspaced(word) or len(word) == LONGEST_WORD for word in term.words)
    return not any(is_odd)


def _needed(term: Term) -> str:
    """Return what all texts with the term have: words side by side, or each lexeme."""
    lexemes = term.lexemes
    if _is_told_by_index(term):
        return f'"{" ".join(lexemes)}"{_star(lexemes[-1], is_prefix=term.prefix)}'
    *first, last = lexemes
    each = [f'"{lexeme}"{_star(lexeme)}' for lexeme in first]
    return "(" + " AND ".join([*each, f'"{last}"{_star(last, is_prefix=term.prefix)}']) + ")"


def _star(lexeme: str, *, is_prefix: bool = False) -> str:
    # The rest of a very long word is in the index, but not in its normal form.
    return "*" if is_prefix or len(lexeme) == LONGEST_WORD else ""


def _matching(rid: str, query: str) -> Any:
    name: Any = sa.bindparam("query", query, unique=True)
    found: Any = sa.select(sa.literal_column("rowid")).select_from(sa.table("messages_search"))
    condition = sa.literal_column("messages_search").op("MATCH", is_comparison=True)(name)
    return sa.literal_column(rid).in_(found.where(condition))


def _offer_matcher(connection: sa.Connection, request: SearchRequest) -> None:
    """Let SQL call our own matcher: slow, but correct without the index."""
    driver = driver_connection(connection)
    driver.create_function(_MATCHES, 1, request.matches, deterministic=True)


def _error_name(error: BaseException | None) -> str:
    return str(getattr(error, "sqlite_errorname", "")) if isinstance(error, sqlite3.Error) else ""
