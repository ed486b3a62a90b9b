"""Finds messages (or titles) by their words, newest first, alike on both databases."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

import sqlalchemy as sa

from chatdb.db.contract.dialect import Dialect
from chatdb.db.contract.search import (
    MessageKey,
    SearchRequest,
    Term,
)
from chatdb.db.database import Database
from chatdb.db.schema import messages
from chatdb.errors import DatabaseFailedError, UsageError
from chatdb.operations.searching.excerpts import scores
from chatdb.operations.searching.hits import HitMaker, found_messages
from chatdb.operations.searching.near_misses import (
    NEAR_SECONDS,
    with_longer_words,
    words_to_lengthen,
)
from chatdb.operations.searching.query import Query
from chatdb.operations.searching.requests import (
    catch_up,
    prepare,
    read_query,
    searching,
    that_may_have_hits,
)
from chatdb.operations.searching.search_page import RANKED_HITS, Hit, SearchOptions, SearchPage
from chatdb.operations.searching.titles import search_titles
from chatdb.operations.searching.words import Matcher, term_of
from chatdb.records import Organization
from chatdb.store.every_organization import EVERY, Scope, newest_first
from chatdb.store.gathered_page import GatheredPage
from chatdb.store.whole_keys import is_one_of, some_at_once

__all__ = ["RANKED_HITS", "Hit", "SearchOptions", "SearchPage", "search"]

_LOOKED_THROUGH = "only the newest messages were looked through for words side by side"
_GOES_ON = "the next page goes on"
_OPERATORS = frozenset(("and", "or", "not", "near"))


def search(
    database: Database, text: str, *, organization_key: Scope, options: SearchOptions
) -> SearchPage:
    """Find what matches the query; hits are messages, with `in:title` conversations.

    With all organizations each is searched in turn, for hits newer than those before. Raises
    UsageError for an invalid query, NotFoundError for an unknown organization, DatabaseFailedError
    at the timeout, RefusedError as `chosen` does.
    """
    query, raw = read_query(text, options)
    if options.rank and options.after is not None:
        raise UsageError("--rank has one page only", hint="leave out --after, or --rank")
    said = catch_up(database)
    with searching(database, options) as connection:
        if query.in_title:
            return search_titles(connection, database.dialect, organization_key, query, options)
        prepared = prepare(connection, database.dialect, query, raw, options)
        keys = _newest(connection, database.dialect, organization_key, prepared.request, options)
        found = _messages(connection, keys.items)
        notes = [*said, *prepared.notes(connection, has_more=keys.has_more)]
        if keys.is_ended_early:
            notes.append(_LOOKED_THROUGH if options.rank else f"{_LOOKED_THROUGH}: {_GOES_ON}")
        make = HitMaker(connection, database.dialect, _matcher(query, raw), options)
        page = _page(found, keys, make, notes)
    is_first = options.after is None and options.suggest
    if found or not is_first or not prepared.request.indexed:
        return page
    return replace(page, longer=_longer(database, organization_key, prepared.request, options))


def _newest(
    connection: sa.Connection,
    dialect: Dialect,
    scope: Scope,
    request: SearchRequest,
    options: SearchOptions,
) -> GatheredPage[MessageKey]:
    """Return the keys of the newest hits in the scope."""
    keys: GatheredPage[MessageKey] = GatheredPage(
        "search", request.limit - 1, options.after, ids=2, everywhere=scope is EVERY
    )
    organizations = newest_first(
        connection, dialect, scope, messages.c.created_at, until=keys.begins_at
    )
    wanted = takewhile(lambda each: not keys.is_newer_than(each[1]), organizations)
    for organization in that_may_have_hits(
        connection, dialect, (each for each, _ in wanted), request, options.timeout_seconds
    ):
        own = _request_of(organization, request, keys)
        found = dialect.search().newest(connection, own)
        keys.add(organization, [(key, key) for key in found.keys])
        if found.until is not None:
            keys.end_at(organization, found.until)
    return keys


def _longer(
    database: Database, scope: Scope, request: SearchRequest, options: SearchOptions
) -> str | None:
    """Return what would find longer words, under the same conditions."""
    words = words_to_lengthen(request)
    # All of them first: most often none would help, which one search tells.
    tries = [*([list(words)] if len(words) > 1 else []), *([place] for place in words)]
    hasty = replace(options, timeout_seconds=min(NEAR_SECONDS, options.timeout_seconds))
    try:
        with searching(database, hasty) as connection:
            for places in tries:
                longer = with_longer_words(request, places)
                found = _newest(connection, database.dialect, scope, longer, hasty).items
                if found and len(places) == 1:
                    return f"{words[places[0]]}*"
                if not found and len(places) > 1:
                    return None
    except DatabaseFailedError:
        pass  # Not in time: nothing is offered.
    return None


def _request_of(
    organization: Organization, request: SearchRequest, keys: GatheredPage[MessageKey]
) -> SearchRequest:
    """Return the request for one organization, after the hits of earlier ones."""
    place = keys.place(organization)
    return replace(
        request,
        organization_id=organization.id,
        before_key=None if place is None else (place[0], place[1], place[2]),
        after=keys.oldest_wanted(request.after),
    )


def _messages(
    connection: sa.Connection, found: Sequence[tuple[Organization, MessageKey]]
) -> list[tuple[Organization, sa.Row[Any]]]:
    """Read the messages of the keys, in order."""
    c, statement = messages.c, found_messages()
    key = (c.organization_id, c.conversation_id, c.id)
    names = [(organization.id, *place[1:]) for organization, place in found]
    rows: dict[Any, sa.Row[Any]] = {}
    for some in some_at_once(names):
        read: Any = connection.execute(statement.where(is_one_of(key, some)))
        rows |= {(row.organization_id, row.conversation_id, row.id): row for row in read}
    return [(owner, rows[name]) for (owner, _), name in zip(found, names, strict=True)]


def _page(
    found: list[tuple[Organization, sa.Row[Any]]],
    keys: GatheredPage[MessageKey],
    make: HitMaker,
    notes: list[str],
) -> SearchPage:
    if not make.options.rank:
        return SearchPage(
            hits=make.hits([row for _, row in found]),
            next_cursor=keys.cursor,
            has_more=keys.has_more,
            notes=tuple(notes),
            organizations=keys.organizations,
        )
    limit = make.options.limit
    if keys.has_more:
        notes.append(f"ranked the newest {len(found)} hits; there are older ones")
    ranked = sorted(
        zip(scores([row.content for _, row in found], make.matcher), found, strict=True),
        key=lambda pair: -pair[0],
    )[:limit]
    return SearchPage(
        hits=make.hits([row for _, (_, row) in ranked], [score for score, _ in ranked]),
        next_cursor=None,
        has_more=len(found) > limit,
        notes=tuple(notes),
        organizations=keys.keys_of([each for _, each in ranked]),
    )


def _matcher(query: Query, raw: str | None) -> Matcher:
    """Return what finds the words in a text, for display."""
    return Matcher(query.all_of if raw is None else _words_of_raw(raw))


def _words_of_raw(raw: str) -> tuple[tuple[Term, ...], ...]:
    """Return the words of a query in the database's own syntax, for highlighting."""
    words = (term_of(word, prefix=True) for word in raw.replace(":", " ").split())
    kept = (word for word in words if word is not None)
    return tuple((word,) for word in kept if word.words[0] not in _OPERATORS)
