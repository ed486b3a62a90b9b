"""Search by meaning: the messages nearest to a text, alone or fused with those that have its words.

Hits are those of `search`, best first; `score` is the similarity (1: the same), or of both ways
the sum of 1 / (60 + rank).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import messages
from chatdb.errors import DatabaseFailedError, NotFoundError, UsageError
from chatdb.operations.searching.hits import HitMaker, found_messages
from chatdb.operations.searching.nearest import Near, NearestSearch
from chatdb.operations.searching.query import Query, parse, with_filters
from chatdb.operations.searching.requests import prepare, searching
from chatdb.operations.searching.search import search
from chatdb.operations.searching.search_page import SearchOptions, SearchPage
from chatdb.operations.searching.words import Matcher
from chatdb.records import Organization, organization_id_of
from chatdb.store.every_organization import EVERY, Scope, chosen
from chatdb.store.vectors import count_messages, count_rows, models_built, numbers_of
from chatdb.store.whole_keys import is_one_of, some_at_once

if TYPE_CHECKING:
    from chatdb.operations.embeddings.public import Model

FUSED_HITS = 60
"""How many of either way are fused; of the words these are the newest."""
FUSED = 60
"""What ranks are added to, so that the first of one way does not outweigh both: Cormack's k."""

_Key = tuple[UUID, UUID, UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What to look for: `like` is a text, None for the words of the query; `hybrid` adds words."""

    model: "Model"
    like: str | None = None
    hybrid: bool = False


def search_by_meaning(
    database: Database,
    text: str,
    *,
    organization_key: Scope,
    options: SearchOptions,
    meaning: Meaning,
) -> SearchPage:
    """Find the messages nearest in meaning; `text` is a query with filters, and words for hybrid.

    Raises UsageError for a query that cannot be answered so, NotFoundError if nothing was built for
    the model, and what `search` raises.
    """
    query = _checked_query(text, options, meaning)
    looked_for = meaning.like or _words_of(query)
    vector = meaning.model.embed_query(looked_for)
    by_words = _by_words(database, text, organization_key, options) if meaning.hybrid else None
    with searching(database, options) as connection:
        dialect = database.dialect
        organizations = list(chosen(connection, dialect, organization_key))
        notes = _require_built(connection, organizations, meaning.model.name, vector.shape[1])
        without_words = replace(query, all_of=(), none_of=())
        prepared = prepare(connection, dialect, without_words, None, options)
        wanted = max(FUSED_HITS, options.limit) if meaning.hybrid else options.limit
        near = _nearest(
            NearestSearch(
                connection,
                dialect,
                dialect.vectors(),
                meaning.model.name,
                vector,
                options.timeout_seconds,
            ),
            organizations,
            replace(prepared.request, limit=wanted + 1),
        )
        scored = [(each.key, each.similarity) for each in near]
        if by_words is not None:
            if not by_words:
                notes.append("no message has all of these words: sorted by meaning alone")
            scored = _fused([[key for key, _ in scored], by_words])
        rows = _rows(connection, scored[: options.limit])
        make = HitMaker(connection, dialect, Matcher(query.all_of), options)
        keys = {each.id: each.key for each in organizations}
        return SearchPage(
            hits=make.hits(
                [row for row, _ in rows],
                [round(score, 4 + 2 * meaning.hybrid) for _, score in rows],
            ),
            next_cursor=None,
            has_more=len(scored) > options.limit,
            notes=tuple(notes),
            organizations=tuple(keys[row.organization_id] for row, _ in rows)
            if organization_key is EVERY
            else None,
        )


def _checked_query(text: str, options: SearchOptions, meaning: Meaning) -> Query:
    for given, name in (
        (options.after, "--after"),
        (options.rank, "--rank"),
        (options.raw, "--raw"),
    ):
        if given:
            raise UsageError(
                f"a search by meaning has one page, best first: {name} does not go with it",
                hint=f"leave out {name}; --limit shows more",
            )
    query = with_filters(parse(text, zone=options.zone) if text.strip() else Query(), options)
    if query.in_title:
        raise UsageError("titles have no embeddings", hint="leave out in:title")
    has_words = bool(query.all_of or query.none_of)
    if meaning.like is not None and not meaning.like.strip():
        raise UsageError("--like has no text", hint='chatdb search --like "what it was about"')
    if has_words and not meaning.hybrid:
        raise UsageError(
            "--like is searched for by meaning, the other words by themselves",
            hint="add --hybrid for both, or leave only filters such as role:user",
        )
    if meaning.hybrid and not query.all_of:
        raise UsageError(
            "--hybrid needs words to search for", hint="chatdb search --hybrid starter alive"
        )
    return query


def _words_of(query: Query) -> str:
    """Return the words of a query, without its filters, as one text."""
    return " ".join(term.text for group in query.all_of for term in group)


def _by_words(database: Database, text: str, scope: Scope, options: SearchOptions) -> list[_Key]:
    """Return the messages that have the words, the most relevant first."""
    ranked = replace(
        options, rank=True, limit=FUSED_HITS, ranked=FUSED_HITS, context=0, suggest=False
    )
    page = search(database, text, organization_key=scope, options=ranked)
    own = str(scope)
    keys = page.organizations or [own] * len(page.hits)
    return [
        (organization_id_of(key), hit.conversation_id, hit.message_id)
        for key, hit in zip(keys, page.hits, strict=True)
        if hit.message_id is not None
    ]


def _nearest(
    search: NearestSearch, organizations: Sequence[Organization], request: Any
) -> list[Near]:
    found = [
        each
        for organization in organizations
        for each in search.nearest(replace(request, organization_id=organization.id))
    ]
    return sorted(found, key=lambda each: (-each.similarity, each.key))[: request.limit]


def _fused(rankings: Sequence[Sequence[_Key]]) -> list[tuple[_Key, float]]:
    """Return the keys by the sum of their reciprocal ranks."""
    scores: dict[_Key, float] = defaultdict(float)
    for ranking in rankings:
        for rank, key in enumerate(ranking, 1):
            scores[key] += 1 / (FUSED + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def _rows(
    connection: sa.Connection, scored: Sequence[tuple[_Key, float]]
) -> list[tuple[sa.Row[Any], float]]:
    c, statement = messages.c, found_messages()
    columns = (c.organization_id, c.conversation_id, c.id)
    rows: dict[Any, sa.Row[Any]] = {}
    for some in some_at_once([key for key, _ in scored]):
        read: Any = connection.execute(statement.where(is_one_of(columns, some)))
        rows |= {(row.organization_id, row.conversation_id, row.id): row for row in read}
    # Words and vectors are read in two transactions: a message may be gone between them.
    return [(rows[key], score) for key, score in scored if key in rows]


def _require_built(
    connection: sa.Connection, organizations: Sequence[Organization], model: str, numbers: int
) -> list[str]:
    """Return a note if messages lack a vector; raises NotFoundError if all do.

    Raises DatabaseFailedError if the model makes vectors of another length than these.
    """
    for organization in organizations:
        theirs = numbers_of(connection, organization.id, model)
        if theirs not in (None, numbers):
            raise DatabaseFailedError(
                f"the vectors have {theirs} numbers, the model makes {numbers} now",
                hint=f"chatdb embeddings drop --model {model}, then build them again",
            )
    built = sum(count_rows(connection, each.id, model) for each in organizations)
    missing = sum(count_messages(connection, each.id) for each in organizations) - built
    command = f"chatdb embeddings build --model {model}"
    if not built and missing > 0:
        others = sorted(
            {name for each in organizations for name in models_built(connection, each.id)}
        )
        there = (
            f"; there are some of {', '.join(others)}: --embeddings {others[0]}" if others else ""
        )
        raise NotFoundError(f"no embeddings of the model {model} are built{there}", hint=command)
    if missing > 0:
        return [f"{missing:,} messages have no vector yet, and are not found: {command}"]
    return []
