"""Finds conversations by the words of their titles: read one by one, newest first."""

import time
from collections.abc import Iterator
from dataclasses import replace
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
    for organization, newest in newest_first(
        connection, dialect, scope, updated_at, until=hits.begins_at
    ):
        if hits.is_newer_than(newest):
            break
        own = replace(query, after=hits.oldest_wanted(query.after))
        statement = _statement(organization.id, own, hits.place(organization))
        rows: Any = connection.execution_options(yield_per=_TITLES_AT_ONCE).execute(statement)
        found: list[Hit] = []
        for row in rows:
            # The server's timeout counts each fetch alone, without the matching in between.
            if time.monotonic() > ends:
                raise timed_out(options.timeout_seconds)
            if matcher.matches(row.title):
                found.append(_hit(row, matcher))
                if len(found) > limit:
                    break
        rows.close()
        hits.add(organization, [((hit.created_at, hit.conversation_id), hit) for hit in found])
    return _page(hits, matcher, options)


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
