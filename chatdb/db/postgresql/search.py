"""Search on PostgreSQL: the GIN index on words, LIKE for scripts without spaces.

The planner knows how frequent a word is, but not that hits of a common word are found fastest by
walking from the newest message: that choice is made here.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import combinations
from typing import Any
from unicodedata import normalize
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.util import ClauseAdapter

from chatdb.db.contract.search import (
    MessageKey,
    MessageSearch,
    SearchRequest,
    Term,
    TimedWork,
    filtered_columns,
    is_for_index,
    like_pattern,
    timed_out,
)
from chatdb.db.postgresql.bound_search import Words, hit_conversations, is_bound, newest_hits
from chatdb.db.schema import INDEXED_CHARACTERS, messages
from chatdb.errors import UsageError

SEPARATORS = "-./<&+~\u201c\u201d\u2018\u2019\u2014\u2013\u2026"
"""Characters that the index treats as spaces; as in the migration that creates it."""

WALK_COST = 12
"""How much more it costs to read a message on the way than to fetch a hit from the index."""
LEAST_WALK = 500
FEW_HITS = 20_000
"""Up to this many hits are fetched by the words, whatever the planner expects of their forms."""

_ACCENTS = {
    "a": "àáâãäåāăą",
    "c": "çćč",
    "d": "ď",
    "e": "èéêëēėęě",
    "g": "ğ",
    "i": "ìíîïī",
    "l": "ľĺ",
    "n": "ñńňņ",
    "o": "òóôõöōő",
    "r": "řŕ",
    "s": "śšşș",
    "t": "ťțţ",
    "u": "ùúûüūůűų",
    "y": "ýÿ",
    "z": "źżž",
}
_CONFIGURATION: Any = sa.literal_column("'simple'::regconfig")
_BLANK: Any = sa.literal_column("' '", sa.Text)
_ONE: Any = sa.literal_column("1")
_MOST_FORMS = 400
"""Accented forms of words in one query, for all words together."""


class PostgresqlSearch(MessageSearch):
    """Asks the two indexes on words, `bulk.SEARCH_INDEXES`."""

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

    def newest(self, connection: sa.Connection, request: SearchRequest) -> list[MessageKey]:
        bounds = [
            messages.c.organization_id == request.organization_id,
            *self.times(request),
        ]
        filters = list(self.filters(request))
        query = main_query(request)
        if query is None or not request.indexed:
            words = [] if query is None else [_match(query)]
            every = [*bounds, *filters, *words]
            return _keys(connection, _newest_of(messages, every, request.limit))
        checks = list(self.filters(request, for_candidates=True))
        if is_bound(connection):
            wanted = Words(_tsquery(query), _tsquery(main_query(request, most_forms=1) or query))
            return newest_hits(connection, request, wanted, [*bounds, *checks])
        expected = _expected_hits(connection, request)
        steps = _steps_to_walk(connection, expected, request.limit)
        if steps:
            found = _walk(connection, request, bounds, [*checks, _match(query)], steps=steps)
            if found is not None:
                return found
        if _is_faster_by_words(connection, expected, bounds):
            own = messages.c.organization_id.is_not_distinct_from(request.organization_id)
            bounds[0] = own  # This condition uses no index; the words' index is the way.
        if expected <= FEW_HITS:
            filters = checks
        # MATERIALIZED keeps the planner from searching for the newest its own way.
        keys = sa.select(messages.c.created_at, messages.c.conversation_id, messages.c.id)
        each = (keys.where(*bounds, *filters, match) for match in _matches(query))
        hits = sa.union_all(*each).cte("hits").prefix_with("MATERIALIZED")
        with _without_reading_all(connection):
            return _keys(connection, _newest_of(hits, [], request.limit))

    def conversations(self, connection: sa.Connection, request: SearchRequest) -> list[UUID]:
        query = main_query(request)
        conditions = [
            messages.c.organization_id == request.organization_id,
            *self.times(request),
            *self.filters(request, for_candidates=query is not None and request.indexed),
        ]
        found = sa.select(messages.c.conversation_id)
        if query is None or not request.indexed:
            words = [] if query is None else [_match(query)]
            return list(connection.scalars(found.where(*conditions, *words).distinct()))
        if is_bound(connection):
            wanted = Words(_tsquery(query), _tsquery(main_query(request, most_forms=1) or query))
            return list(connection.scalars(hit_conversations(request, wanted, conditions)))
        with _without_reading_all(connection):
            each = (found.where(*conditions, match) for match in _matches(query))
            return list(connection.scalars(sa.union(*each)))

    def organizations(self, connection: sa.Connection, request: SearchRequest) -> set[UUID] | None:
        query = main_query(request)
        if query is None or not request.indexed:
            return None
        with _without_reading_all(connection):
            organization = sa.select(messages.c.organization_id)
            holding = sa.union(*(organization.where(match) for match in _matches(query)))
            return set(connection.scalars(holding))

    def _is_in(self, column: sa.Column[Any], text: str) -> sa.ColumnElement[bool]:
        # ILIKE lowers every message's whole text: Chinese or Thai has no case to ignore.
        if text.isascii() or any(c.isascii() and c.isalpha() for c in text):
            return column.ilike(like_pattern(text), escape="!")
        return column.like(like_pattern(text), escape="!")

    def is_hidden(self) -> sa.ColumnElement[bool]:
        mark = sa.cast({"chatdb": {"hidden": True}}, JSONB)
        return messages.c.metadata.op("@>", is_comparison=True)(mark)

    def has_term(self, term: Term) -> sa.ColumnElement[bool]:
        return _match(_phrase(term, _MOST_FORMS))


def main_query(request: SearchRequest, most_forms: int = _MOST_FORMS) -> str | None:
    """Return the query in the syntax of to_tsquery; None if the index cannot help.

    `most_forms` limits the accented forms of all words together.
    """
    if request.raw is not None:
        return request.raw
    groups = [group for group in request.all_of if is_for_index(group)]
    if not groups:
        return None
    excluded = [term for term in request.none_of if term.contains is None]
    count = sum(len(term.pieces) for term in (*(t for group in groups for t in group), *excluded))
    # A word of many letters that take accents has hundreds of forms; the query must stay parseable.
    forms = max(1, most_forms // count)
    parts = ["(" + " | ".join(_phrase(term, forms) for term in group) + ")" for group in groups]
    return " & ".join([*parts, *(f"!({_phrase(term, forms)})" for term in excluded)])


def _phrase(term: Term, most_forms: int) -> str:
    *first, last = term.pieces
    words = [_any_form(piece, "", most_forms) for piece in first]
    return " <-> ".join([*words, _any_form(last, ":*" if term.prefix else "", most_forms)])


def _any_form(word: str, flag: str, most: int) -> str:
    quoted = (
        "'" + form.replace("\\", "\\\\").replace("'", "''") + "'" + flag
        for form in forms_of(word, most)
    )
    return "(" + " | ".join(quoted) + ")"


def forms_of(word: str, most: int) -> list[str]:
    """Return the forms in which a word is searched: as typed, and with other accents.

    PostgreSQL keeps accents, FTS5 ignores them: up to two letters of the word may have them, as far
    as `most` forms allow.
    """
    plain = "".join(c for c in normalize("NFD", word.lower()) if not "\u0300" <= c <= "\u036f")
    forms = dict.fromkeys((word.lower(), normalize("NFC", word.lower()), plain))
    if not word.isascii():
        # A server in the C locale does not know upper-case letters outside ASCII.
        forms |= dict.fromkeys((word, word.upper(), word.capitalize(), normalize("NFD", word)))
    places = [index for index, letter in enumerate(plain) if letter in _ACCENTS]
    for accented in (1, 2):
        for chosen in combinations(places, accented):
            for form in _with_accents(plain, chosen):
                if len(forms) >= most:
                    return list(forms)
                forms[form] = None
    return list(forms)


def _with_accents(word: str, places: tuple[int, ...]) -> Iterator[str]:
    place, *others = places
    for letter in _ACCENTS[word[place]]:
        form = word[:place] + letter + word[place + 1 :]
        if others:
            yield from _with_accents(form, tuple(others))
        else:
            yield form


def _match(query: str) -> sa.ColumnElement[bool]:
    """Return the condition that a message has the words, in its text or beside it."""
    return sa.or_(*_matches(query))


def _matches(query: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    """Return the condition on each of the two indexes: no message is in the hits of both.

    For one condition joined by OR the planner would parse the text of each hit once more.
    """
    content, attached = messages.c.content, messages.c.attached_text
    joined = content.concat(_BLANK).concat(attached)
    return (
        sa.and_(attached.is_(None), _has_words(content, query)),
        sa.and_(attached.is_not(None), _has_words(joined, query)),
    )


def _has_words(text: Any, query: str) -> sa.ColumnElement[bool]:
    """Return the condition on an index's expression, written as in its migration."""
    text = sa.func.left(text, sa.literal_column(str(INDEXED_CHARACTERS)))
    for separator in SEPARATORS:
        text = sa.func.replace(text, sa.literal_column(f"'{separator}'"), sa.literal_column("' '"))
    words = sa.func.to_tsvector(_CONFIGURATION, text)
    return words.op("@@", is_comparison=True)(_tsquery(query))


@contextmanager
def _without_reading_all(connection: sa.Connection) -> Iterator[None]:
    """Keep the planner from reading the whole table for words.

    For the many forms of a word it expects far more hits than there are. Not for what comes after.
    """
    before = connection.scalar(sa.select(sa.func.current_setting("enable_seqscan")))
    local = sa.true()
    connection.execute(sa.select(sa.func.set_config("enable_seqscan", "off", local)))
    yield
    connection.execute(sa.select(sa.func.set_config("enable_seqscan", before, local)))


def _limit(connection: sa.Connection, milliseconds: int) -> None:
    """Limit the time of each statement that follows in the transaction; 0: no limit."""
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = {milliseconds:d}")


def _tsquery(query: str) -> Any:
    return sa.func.to_tsquery(_CONFIGURATION, query)


def _newest_of(source: Any, conditions: list[Any], limit: int) -> sa.Select[Any]:
    columns = source.c
    return (
        sa.select(columns.created_at, columns.conversation_id, columns.id)
        .where(*conditions)
        .order_by(columns.created_at.desc(), columns.conversation_id.desc(), columns.id.desc())
        .limit(limit)
    )


def _keys(connection: sa.Connection, statement: sa.Select[Any]) -> list[MessageKey]:
    return [tuple(row) for row in connection.execute(statement)]


def _expected_hits(connection: sa.Connection, request: SearchRequest) -> int:
    """Return how many hits the planner expects in all organizations."""
    # It adds up a default guess for every unknown form: ask for one only.
    query = main_query(request, most_forms=1) or ""
    return _estimate(connection, sa.select(_ONE).where(_has_words(messages.c.content, query)))


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
) -> list[MessageKey] | None:
    """Look for hits among the newest messages; None if there were too few of them."""
    # Filtered outside of the limit: only so many of the newest are read, whether they match or not.
    newest = _newest_of(messages, bounds, steps).add_columns(*filtered_columns(request))
    inner = newest.subquery("newest")
    adapt = ClauseAdapter(inner).traverse
    found = _keys(connection, _newest_of(inner, [adapt(each) for each in filters], request.limit))
    # Fewer: older hits may exist, so the page would not be the newest ones.
    return found if len(found) == request.limit else None
