"""Finding messages (or titles) by their words, newest first, alike on both databases."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.canonical import clean_text
from chatdb.db.database import Database
from chatdb.db.dialects.search import MessageKey, SearchRequest, Term, timed_out
from chatdb.db.schema import conversations, messages
from chatdb.db.search_index import COMPLETE_HINT, search_index_state
from chatdb.errors import UsageError
from chatdb.operations.conversation_batches import organization_id
from chatdb.operations.excerpts import excerpt, scores
from chatdb.operations.paging import cursor_of, read_cursor
from chatdb.operations.query import Query, parse, with_filters
from chatdb.operations.words import SEARCHED_CHARACTERS, Matcher, term_of

RANKED_HITS = 150
"""How many of the newest hits are put in the order of relevance."""
_OPERATORS = frozenset(("and", "or", "not", "near"))
_TITLES_AT_ONCE = 1_000
_LOOK_SECONDS = 0.05
"""How long a search that found little looks whether the index is whole."""
_KEYS_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """How to search; `after` is the cursor of the page before, roles and users narrow the query."""

    limit: int = 20
    after: str | None = None
    rank: bool = False
    raw: bool = False
    include_hidden: bool = False
    roles: frozenset[str] = frozenset()
    users: frozenset[str] = frozenset()
    timeout_seconds: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A message that was found, or a conversation by its title (then the message is None).

    `snippet` is one line of the text, `highlights` the (start, end) places of the words in it;
    `score` is the relevance when the hits were ranked.
    """

    conversation_id: UUID
    title: str | None
    user_id: str | None
    message_id: UUID | None
    role: str | None
    author: str | None
    model: str | None
    created_at: datetime
    snippet: str
    highlights: tuple[tuple[int, int], ...]
    score: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchPage:
    """Hits, newest first (or best first); `next_cursor` is None at the end.

    `notes` are what the user should know about how the search was done; `in_titles` tells that
    it was done in titles.
    """

    hits: tuple[Hit, ...]
    next_cursor: str | None
    has_more: bool
    notes: tuple[str, ...]
    in_titles: bool = False


def search(
    database: Database, text: str, *, organization_key: str, options: SearchOptions
) -> SearchPage:
    """Find what the query wants; hits are messages, with `in:title` conversations.

    Raises UsageError for a query that cannot be meant, NotFoundError for an unknown
    organization, DatabaseFailedError when it takes longer than the timeout.
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
        organization = organization_id(connection, organization_key)
        if query.in_title:
            return _search_titles(connection, organization, query, options)
        index = database.dialect.search_index()
        glance = index.glance(connection)
        indexed = glance.is_usable and search_index_state(connection) == "present"
        request = _request(organization, query, raw, options, indexed=indexed)
        keys = ways.newest(connection, request)
        found = _messages(connection, organization, keys)
        problem = glance.problem if indexed else None
        if indexed and problem is None and len(found) < request.limit:
            # Few hits, or none: where words are missing from the index, it may be for that.
            seen = index.look(connection, seconds=_LOOK_SECONDS)
            problem = next(iter(seen.problems), None)
    return _page(found, query, raw, request, options, problem)


def _read(text: str, options: SearchOptions) -> tuple[Query, str | None]:
    if not options.raw:
        return with_filters(parse(text), roles=options.roles, users=options.users), None
    raw = clean_text(text)[0].strip()
    if not raw:
        raise UsageError("the query is empty", hint="chatdb search --help")
    return with_filters(Query(), roles=options.roles, users=options.users), raw


def _request(
    organization: UUID,
    query: Query,
    raw: str | None,
    options: SearchOptions,
    *,
    indexed: bool,
) -> SearchRequest:
    if raw is not None and not indexed:
        raise UsageError(
            "a raw query needs the search index, which is not there",
            hint=f"build it: {COMPLETE_HINT}",
        )
    before_key: MessageKey | None = None
    if options.after is not None:
        created_at, (conversation, message) = read_cursor("search", options.after, ids=2)
        before_key = (created_at, conversation, message)
    return SearchRequest(
        organization_id=organization,
        all_of=query.all_of,
        none_of=query.none_of,
        raw=raw,
        roles=query.roles,
        not_roles=query.not_roles,
        users=query.users,
        not_users=query.not_users,
        within_users=query.within_users,
        after=query.after,
        before=query.before,
        include_hidden=options.include_hidden,
        before_key=before_key,
        limit=(max(RANKED_HITS, options.limit) if options.rank else options.limit) + 1,
        indexed=indexed,
        matches=Matcher(query.all_of, query.none_of).matches,
    )


def _messages(
    connection: sa.Connection, organization: UUID, keys: Sequence[MessageKey]
) -> list[sa.Row[Any]]:
    """Read the messages of the keys, in their order."""
    columns, c = messages.c, conversations.c
    statement = sa.select(
        *(columns.conversation_id, c.title, c.user_id, columns.id, columns.role),
        *(columns.author, columns.model, columns.created_at),
        sa.func.substr(columns.content, 1, SEARCHED_CHARACTERS).label("content"),
    ).join(
        conversations,
        sa.and_(c.organization_id == columns.organization_id, c.id == columns.conversation_id),
    )
    rows: dict[Any, sa.Row[Any]] = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        # The whole key in each: for anything shorter SQLite reads the whole organization.
        wanted = sa.or_(
            *(
                sa.and_(
                    columns.organization_id == organization,
                    columns.conversation_id == conversation,
                    columns.id == message,
                )
                for _, conversation, message in keys[start : start + _KEYS_AT_ONCE]
            )
        )
        found: Any = connection.execute(statement.where(wanted))
        rows |= {(row.conversation_id, row.id): row for row in found}
    return [rows[conversation, message] for _, conversation, message in keys]


def _page(
    found: list[sa.Row[Any]],
    query: Query,
    raw: str | None,
    request: SearchRequest,
    options: SearchOptions,
    problem: str | None,
) -> SearchPage:
    all_of = query.all_of if raw is None else _words_of_raw(raw)
    matcher = Matcher(all_of)
    has_more = len(found) >= request.limit
    rows = found[: request.limit - 1]
    notes = _notes(query, request)
    if problem is not None:
        notes.append(
            f"the search index is damaged, hits may be missing ({problem}); build it anew:"
            f" {COMPLETE_HINT}"
        )
    if options.rank:
        if has_more:
            notes.append(f"ranked the newest {len(rows)} hits; there are older ones")
        ranked = sorted(
            zip(scores([row.content for row in rows], matcher), rows, strict=True),
            key=lambda pair: -pair[0],
        )
        hits = tuple(_hit(row, matcher, score) for score, row in ranked[: options.limit])
        has_more = len(rows) > options.limit
        return SearchPage(hits=hits, next_cursor=None, has_more=has_more, notes=tuple(notes))
    last = rows[-1] if has_more else None
    cursor = (
        None
        if last is None
        else cursor_of("search", last.created_at, (last.conversation_id, last.id))
    )
    hits = tuple(_hit(row, matcher, None) for row in rows)
    return SearchPage(hits=hits, next_cursor=cursor, has_more=has_more, notes=tuple(notes))


def _hit(row: sa.Row[Any], matcher: Matcher, score: float | None) -> Hit:
    shown = excerpt(row.content, matcher)
    return Hit(
        conversation_id=row.conversation_id,
        title=row.title,
        user_id=row.user_id,
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


def _notes(query: Query, request: SearchRequest) -> list[str]:
    notes = []
    terms = [term for group in query.all_of for term in group]
    slow = [term.contains for term in (*terms, *query.none_of) if term.contains is not None]
    if not request.indexed:
        notes.append(
            f"the search index is not there, so every message is read: {COMPLETE_HINT} makes it"
        )
    elif slow:
        shown = ", ".join(slow[:3])
        notes.append(f"looked for {shown} in the text of every message: no index has such words")
    return notes


def _search_titles(
    connection: sa.Connection, organization: UUID, query: Query, options: SearchOptions
) -> SearchPage:
    """Look at the titles one by one, newest conversation first."""
    c = conversations.c
    statement = (
        sa.select(c.id, c.title, c.user_id, c.updated_at)
        .where(c.organization_id == organization, c.title.is_not(None))
        .order_by(c.updated_at.desc(), c.id.desc())
    )
    if query.users:
        statement = statement.where(c.user_id.in_(sorted(query.users)))
    if query.within_users:
        statement = statement.where(c.user_id.in_(sorted(query.within_users)))
    if query.not_users:
        statement = statement.where(
            sa.or_(c.user_id.is_(None), c.user_id.not_in(sorted(query.not_users)))
        )
    if query.after is not None:
        statement = statement.where(c.updated_at >= query.after)
    if query.before is not None:
        statement = statement.where(c.updated_at < query.before)
    if options.after is not None:
        updated_at, (identifier,) = read_cursor("titles", options.after, ids=1)
        statement = statement.where(sa.tuple_(c.updated_at, c.id) < (updated_at, identifier))
    matcher = Matcher(query.all_of, query.none_of)
    ends = time.monotonic() + options.timeout_seconds
    hits: list[Hit] = []
    limit = max(RANKED_HITS, options.limit) if options.rank else options.limit
    rows: Any = connection.execution_options(yield_per=_TITLES_AT_ONCE).execute(statement)
    for row in rows:
        if time.monotonic() > ends:
            raise timed_out(options.timeout_seconds)
        if matcher.matches(row.title):
            hits.append(_title_hit(row, matcher))
            if len(hits) > limit:
                break
    rows.close()
    return _title_page(hits, matcher, limit, options)


def _title_hit(row: sa.Row[Any], matcher: Matcher) -> Hit:
    shown = excerpt(row.title, matcher)
    return Hit(
        conversation_id=row.id,
        title=row.title,
        user_id=row.user_id,
        message_id=None,
        role=None,
        author=None,
        model=None,
        created_at=row.updated_at,
        snippet=shown.text,
        highlights=shown.highlights,
    )


def _title_page(
    hits: list[Hit], matcher: Matcher, limit: int, options: SearchOptions
) -> SearchPage:
    has_more = len(hits) > limit
    hits = hits[:limit]
    if options.rank:
        ranked = zip(scores([hit.title or "" for hit in hits], matcher), hits, strict=True)
        best = sorted(ranked, key=lambda pair: -pair[0])
        kept = tuple(replace(hit, score=score) for score, hit in best[: options.limit])
        has_more = len(hits) > options.limit
        return SearchPage(hits=kept, next_cursor=None, has_more=has_more, notes=(), in_titles=True)
    last = hits[-1] if has_more else None
    cursor = None if last is None else cursor_of("titles", last.created_at, (last.conversation_id,))
    return SearchPage(
        hits=tuple(hits), next_cursor=cursor, has_more=has_more, notes=(), in_titles=True
    )
