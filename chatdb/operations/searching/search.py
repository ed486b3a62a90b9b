"""Finds messages (or titles) by their words, newest first, alike on both databases."""

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.dialect import Dialect
from chatdb.db.contract.search import (
    MessageKey,
    SearchRequest,
    Term,
    searched_text,
    timed_out,
)
from chatdb.db.contract.search_index import COMPLETE_HINT
from chatdb.db.database import Database
from chatdb.db.schema import conversations, messages
from chatdb.errors import UsageError
from chatdb.operations.searching.excerpts import excerpt, scores
from chatdb.operations.searching.query import Query, parse, with_filters
from chatdb.operations.searching.search_page import RANKED_HITS, Hit, SearchOptions, SearchPage
from chatdb.operations.searching.titles import search_titles
from chatdb.operations.searching.words import SEARCHED_CHARACTERS, Matcher, term_of
from chatdb.primitives.canonical import clean_text
from chatdb.records import Organization, organization_id_of
from chatdb.store.attached_text import INCOMPLETE, attached_text_is_incomplete
from chatdb.store.every_organization import EVERY, Scope, newest_first
from chatdb.store.gathered_page import GatheredPage
from chatdb.store.search_index import search_index_state

__all__ = ["RANKED_HITS", "Hit", "SearchOptions", "SearchPage", "search", "search_conversations"]

_OPERATORS = frozenset(("and", "or", "not", "near"))
_LOOK_SECONDS = 0.05
"""How long a search that found little checks whether the index is intact."""
# SQLite refuses an expression deeper than 1,000.
_KEYS_AT_ONCE = 200
_PATIENCE = 10
"""Organizations that are searched one by one before the index is asked which have hits."""


def search(
    database: Database, text: str, *, organization_key: Scope, options: SearchOptions
) -> SearchPage:
    """Find what matches the query; hits are messages, with `in:title` conversations.

    With all organizations each is searched in turn, for hits newer than those before. Raises
    UsageError for an invalid query, NotFoundError for an unknown organization, DatabaseFailedError
    at the timeout, RefusedError as `chosen` does.
    """
    query, raw = _read(text, options)
    if options.rank and options.after is not None:
        raise UsageError("--rank has one page only", hint="leave out --after, or --rank")
    ways = database.dialect.search()
    settings = ways.settings(options.timeout_seconds)
    with (
        database.transaction(settings=settings) as connection,
        ways.deadline(connection, options.timeout_seconds),
    ):
        if query.in_title:
            return search_titles(connection, database.dialect, organization_key, query, options)
        index = database.dialect.search_index()
        glance = index.glance(connection)
        indexed = glance.is_usable and search_index_state(connection) == "present"
        request = _request(query, raw, options, indexed=indexed)
        keys = _newest(connection, database.dialect, organization_key, request, options)
        found = _messages(connection, keys.items)
        incomplete = attached_text_is_incomplete(connection)
        problem = glance.problem if indexed else None
        if indexed and glance.is_small and problem is None and not keys.has_more:
            # Few hits, or none: words missing from the index may be the reason.
            seen = index.look(connection, seconds=_LOOK_SECONDS)
            problem = next(iter(seen.problems), None)
    notes = _notes(query, request, problem)
    if incomplete:
        notes.append(INCOMPLETE)
    return _page(found, keys, _matcher(query, raw), notes, options)


def search_conversations(
    database: Database, text: str, *, organization_key: Scope, options: SearchOptions
) -> tuple[list[tuple[UUID, UUID]], str | None]:
    """Return the organization and the conversation of each hit, and the cursor of the next page.

    As `search`, but no message is read. Raises what `search` does.
    """
    query, raw = _read(text, options)
    ways = database.dialect.search()
    with (
        database.transaction(settings=ways.settings(options.timeout_seconds)) as connection,
        ways.deadline(connection, options.timeout_seconds),
    ):
        if query.in_title:
            page = search_titles(connection, database.dialect, organization_key, query, options)
            owners = page.organizations or [str(organization_key)] * len(page.hits)
            hits = zip(owners, page.hits, strict=True)
            return [
                (organization_id_of(k), hit.conversation_id) for k, hit in hits
            ], page.next_cursor
        glance = database.dialect.search_index().glance(connection)
        indexed = glance.is_usable and search_index_state(connection) == "present"
        request = _request(query, raw, options, indexed=indexed)
        keys = _newest(connection, database.dialect, organization_key, request, options)
    return [(organization.id, key[1]) for organization, key in keys.items], keys.cursor


def _newest(
    connection: sa.Connection,
    dialect: Dialect,
    scope: Scope,
    request: SearchRequest,
    options: SearchOptions,
) -> GatheredPage[MessageKey]:
    """Return the keys of the newest hits in the scope."""
    ways = dialect.search()
    keys: GatheredPage[MessageKey] = GatheredPage(
        "search", request.limit - 1, options.after, ids=2, everywhere=scope is EVERY
    )
    ends = time.monotonic() + options.timeout_seconds
    organizations = newest_first(
        connection, dialect, scope, messages.c.created_at, until=keys.begins_at
    )
    holding: set[UUID] | None = None
    for number, (organization, newest) in enumerate(organizations):
        if keys.is_newer_than(newest):
            break
        if number == _PATIENCE:
            holding = ways.organizations(connection, request)
        if holding is not None and organization.id not in holding:
            continue
        # The server's timeout counts each organization's statement alone.
        if time.monotonic() > ends:
            raise timed_out(options.timeout_seconds)
        own = _request_of(organization, request, keys)
        keys.add(organization, [(key, key) for key in ways.newest(connection, own)])
    return keys


def _read(text: str, options: SearchOptions) -> tuple[Query, str | None]:
    if not options.raw:
        return with_filters(parse(text, zone=options.zone), options), None
    raw = clean_text(text)[0].strip()
    if not raw:
        raise UsageError("the query is empty", hint="chatdb search --help")
    return with_filters(Query(), options), raw


def _request(
    query: Query,
    raw: str | None,
    options: SearchOptions,
    *,
    indexed: bool,
) -> SearchRequest:
    """Return the request for each organization; `_request_of` adds which one."""
    if raw is not None and not indexed:
        raise UsageError(
            "a raw query needs the search index, which does not exist",
            hint=f"to build it: {COMPLETE_HINT}",
        )
    return SearchRequest(
        organization_id=UUID(int=0),
        all_of=query.all_of,
        none_of=query.none_of,
        raw=raw,
        roles=query.roles,
        not_roles=query.not_roles,
        users=query.users,
        not_users=query.not_users,
        within_users=query.within_users,
        has_attachment=query.has_attachment,
        after=query.after,
        before=query.before,
        include_hidden=options.include_hidden,
        limit=(max(RANKED_HITS, options.limit) if options.rank else options.limit) + 1,
        indexed=indexed,
        matches=Matcher(query.all_of, query.none_of).matches,
    )


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
    columns, c = messages.c, conversations.c
    statement = sa.select(
        *(columns.organization_id, columns.conversation_id, c.title, c.user_id, c.kind),
        *(columns.id, columns.role),
        *(columns.author, columns.model, columns.created_at),
        sa.func.substr(searched_text(), 1, SEARCHED_CHARACTERS).label("content"),
    ).join(
        conversations,
        sa.and_(c.organization_id == columns.organization_id, c.id == columns.conversation_id),
    )
    rows: dict[Any, sa.Row[Any]] = {}
    for start in range(0, len(found), _KEYS_AT_ONCE):
        # The whole key in each: for anything shorter SQLite reads the whole organization.
        wanted = sa.or_(
            *(
                sa.and_(
                    columns.organization_id == organization.id,
                    columns.conversation_id == conversation,
                    columns.id == message,
                )
                for organization, (_, conversation, message) in found[start : start + _KEYS_AT_ONCE]
            )
        )
        some: Any = connection.execute(statement.where(wanted))
        rows |= {(row.organization_id, row.conversation_id, row.id): row for row in some}
    return [(organization, rows[organization.id, *key[1:]]) for organization, key in found]


def _page(
    found: list[tuple[Organization, sa.Row[Any]]],
    keys: GatheredPage[MessageKey],
    matcher: Matcher,
    notes: list[str],
    options: SearchOptions,
) -> SearchPage:
    if not options.rank:
        return SearchPage(
            hits=tuple(_hit(row, matcher, None) for _, row in found),
            next_cursor=keys.cursor,
            has_more=keys.has_more,
            notes=tuple(notes),
            organizations=keys.organizations,
        )
    if keys.has_more:
        notes.append(f"ranked the newest {len(found)} hits; there are older ones")
    ranked = sorted(
        zip(scores([row.content for _, row in found], matcher), found, strict=True),
        key=lambda pair: -pair[0],
    )[: options.limit]
    return SearchPage(
        hits=tuple(_hit(row, matcher, score) for score, (_, row) in ranked),
        next_cursor=None,
        has_more=len(found) > options.limit,
        notes=tuple(notes),
        organizations=keys.keys_of([each for _, each in ranked]),
    )


def _matcher(query: Query, raw: str | None) -> Matcher:
    """Return what finds the words in a text, for display."""
    return Matcher(query.all_of if raw is None else _words_of_raw(raw))


def _hit(row: sa.Row[Any], matcher: Matcher, score: float | None) -> Hit:
    text = row.content
    if "\ue200" in text:
        # Its patterns take 10 ms to compile, and few texts have a citation.
        from chatdb.formats.citations import without_marks

        text = without_marks(text)
    shown = excerpt(text, matcher)
    return Hit(
        conversation_id=row.conversation_id,
        title=row.title,
        user_id=row.user_id,
        kind=row.kind,
        message_id=row.id,
        role=row.role,
        author=row.author,
        model=row.model,
        created_at=row.created_at,
        snippet=shown.text,
        highlights=shown.highlights,
        score=score,
    )


def _words_of_raw(raw: str) -> tuple[tuple[Term, ...], ...]:
    """Return the words of a query in the database's own syntax, for highlighting."""
    words = (term_of(word, prefix=True) for word in raw.replace(":", " ").split())
    kept = (word for word in words if word is not None)
    return tuple(
        (word,) for word in kept if word.pieces and word.pieces[0].lower() not in _OPERATORS
    )


def _notes(query: Query, request: SearchRequest, problem: str | None) -> list[str]:
    notes = []
    terms = [term for group in query.all_of for term in group]
    slow = [term.contains for term in (*terms, *query.none_of) if term.contains is not None]
    if not request.indexed:
        notes.append(
            f"there is no search index, so every message is read; to build it: {COMPLETE_HINT}"
        )
    elif slow:
        shown = ", ".join(slow[:3])
        notes.append(
            f"searched the text of every message for {shown}: no index contains such words"
        )
    if problem is not None:
        notes.append(
            f"the search index is damaged, hits may be missing ({problem}); to rebuild it: "
            f"{COMPLETE_HINT}"
        )
    return notes
