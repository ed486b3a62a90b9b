"""Finds conversations by the words of their titles: read one by one, newest first."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.dialect import Dialect
from chatdb.db.contract.search import timed_out
from chatdb.db.schema import conversations
from chatdb.operations.searching.excerpts import excerpt, scores
from chatdb.operations.searching.query import Query
from chatdb.operations.searching.search_page import RANKED_HITS, Hit, SearchOptions, SearchPage
from chatdb.operations.searching.words import Matcher
from chatdb.store.every_organization import EVERY, Scope, newest_first
from chatdb.store.gathered_page import GatheredPage, Key

_TITLES_AT_ONCE = 1_000
_HELD_AT_ONCE = 100


def search_titles(
    connection: sa.Connection,
    dialect: Dialect,
    scope: Scope,
    query: Query,
    options: SearchOptions,
) -> SearchPage:
    """Find conversations by their titles; raises UsageError and DatabaseFailedError as `search`."""
    matcher = Matcher(query.all_of, query.none_of)
    ends = time.monotonic() + options.timeout_seconds
    limit = max(RANKED_HITS, options.limit) if options.rank else options.limit
    hits: GatheredPage[Hit] = GatheredPage(
        "titles", limit, options.after, everywhere=scope is EVERY
    )
    updated_at = conversations.c.updated_at
    hidden = sa.false() if options.include_hidden else dialect.search().is_hidden()
    held = list(query.filters.of_any_message(~hidden))
    for organization, newest in newest_first(
        connection, dialect, scope, updated_at, until=hits.begins_at
    ):
        if hits.is_newer_than(newest):
            break
        own = replace(query, after=hits.oldest_wanted(query.after))
        statement = _statement(organization.id, own, hits.place(organization))
        rows: Any = connection.execute(statement.execution_options(yield_per=_TITLES_AT_ONCE))
        titles = _matching(rows, matcher, ends, options.timeout_seconds)
        if held:
            titles = _holding(connection, organization.id, titles, held)
        found = [_hit(row, matcher) for row in islice(titles, limit + 1)]
        rows.close()
        hits.add(organization, [((hit.created_at, hit.conversation_id), hit) for hit in found])
    return _page(hits, matcher, options)


def _matching(
    rows: Iterable[sa.Row[Any]], matcher: Matcher, ends: float, seconds: float
) -> Iterator[sa.Row[Any]]:
    for row in rows:
        # The server's timeout counts each fetch alone, without the matching in between.
        if time.monotonic() > ends:
            raise timed_out(seconds)
        if matcher.matches(row.title):
            yield row


def _holding(
    connection: sa.Connection,
    organization: UUID,
    rows: Iterator[sa.Row[Any]],
    held: Sequence[sa.ColumnElement[bool]],
) -> Iterator[sa.Row[Any]]:
    """Yield the rows whose messages meet the conditions: those of other titles are not read."""
    c = conversations.c
    while some := list(islice(rows, _HELD_AT_ONCE)):
        ids = c.id.in_([row.id for row in some])
        statement = sa.select(c.id).where(c.organization_id == organization, ids, *held)
        kept = set(connection.scalars(statement))
        yield from (row for row in some if row.id in kept)


def _statement(organization: UUID, query: Query, place: Key | None) -> sa.Select[Any]:
    c = conversations.c
    conditions = [c.organization_id == organization, c.title.is_not(None), *_conditions(query)]
    if place is not None:
        conditions.append(sa.tuple_(c.updated_at, c.id) < place)
    return (
        sa.select(c.id, c.title, c.user_id, c.kind, c.updated_at)
        .where(*conditions)
        .order_by(c.updated_at.desc(), c.id.desc())
    )


def _conditions(query: Query) -> Iterator[sa.ColumnElement[bool]]:
    c = conversations.c
    yield from query.filters.of_conversation()
    if query.users:
        yield c.user_id.in_(sorted(query.users))
    if query.within_users:
        yield c.user_id.in_(sorted(query.within_users))
    if query.not_users:
        yield sa.or_(c.user_id.is_(None), c.user_id.not_in(sorted(query.not_users)))
    if query.after is not None:
        yield c.updated_at >= query.after
    if query.before is not None:
        yield c.updated_at < query.before


def _hit(row: sa.Row[Any], matcher: Matcher) -> Hit:
    shown = excerpt(row.title, matcher)
    return Hit(
        conversation_id=row.id,
        title=row.title,
        user_id=row.user_id,
        kind=row.kind,
        message_id=None,
        role=None,
        author=None,
        model=None,
        created_at=row.updated_at,
        snippet=shown.text,
        highlights=shown.highlights,
    )


def _page(hits: GatheredPage[Hit], matcher: Matcher, options: SearchOptions) -> SearchPage:
    items = hits.items
    if options.rank:
        relevance = scores([hit.title or "" for _, hit in items], matcher)
        ranked = sorted(zip(relevance, items, strict=True), key=lambda pair: -pair[0])
        best = [(one, replace(hit, score=score)) for score, (one, hit) in ranked[: options.limit]]
        return SearchPage(
            hits=tuple(hit for _, hit in best),
            next_cursor=None,
            has_more=len(items) > options.limit,
            notes=(),
            in_titles=True,
            organizations=hits.keys_of(best),
        )
    return SearchPage(
        hits=tuple(hit for _, hit in items),
        next_cursor=hits.cursor,
        has_more=hits.has_more,
        notes=(),
        in_titles=True,
        organizations=hits.organizations,
    )
