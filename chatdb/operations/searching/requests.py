"""What a search asks the database for, where, and what is to be said of its answer."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.dialect import Dialect
from chatdb.db.contract.search import SearchRequest, timed_out
from chatdb.db.contract.search_index import COMPLETE_HINT, Glance, SearchIndex
from chatdb.db.database import Database
from chatdb.errors import UsageError
from chatdb.operations.searching.query import Query, parse, with_filters
from chatdb.operations.searching.search_page import SearchOptions
from chatdb.operations.searching.words import Matcher
from chatdb.primitives.canonical import clean_text
from chatdb.records import Organization
from chatdb.store.attached_text import INCOMPLETE, attached_text_is_incomplete
from chatdb.store.search_index import search_index_state

_LOOK_SECONDS = 0.05
"""How long a search that found little checks whether the index is intact."""
_CATCH_UP_SECONDS = 5.0
"""How long a search brings the index up to date before it begins."""
_PATIENCE = 10
"""Organizations that are searched one by one before the index is asked which have hits."""


def catch_up(database: Database) -> list[str]:
    """Index what other programs wrote; return what the user should know of it."""
    done = database.dialect.search_index().catch_up(database, seconds=_CATCH_UP_SECONDS)
    notes = []
    if done.indexed:
        notes.append(f"indexed {done.indexed:,} messages that were written by other means")
    if done.waiting:
        notes.append(
            f"{done.waiting:,} messages wait to be indexed, and are found by plain words only;"
            f" to index them: {COMPLETE_HINT}"
        )
    return notes


@contextmanager
def searching(database: Database, options: SearchOptions) -> Iterator[sa.Connection]:
    """Open a transaction to search in; DatabaseFailedError at the timeout."""
    ways, seconds = database.dialect.search(), options.timeout_seconds
    with (
        # What was found is read again, for its place and what is near it.
        database.transaction(snapshot=True, settings=ways.settings()) as connection,
        ways.deadline(connection, seconds),
    ):
        yield connection


def read_query(text: str, options: SearchOptions) -> tuple[Query, str | None]:
    """Return the query with the filters of the options, and a raw one as it is.

    Raises UsageError for an invalid one.
    """
    if not options.raw:
        return with_filters(parse(text, zone=options.zone), options), None
    raw = clean_text(text)[0].strip()
    if not raw:
        raise UsageError("the query is empty", hint="chatdb search --help")
    return with_filters(Query(), options), raw


@dataclass(frozen=True, slots=True)
class PreparedSearch:
    """The request for each organization, and what is known of the index before the search."""

    request: SearchRequest
    query: Query
    index: SearchIndex
    glance: Glance

    def notes(self, connection: sa.Connection, *, has_more: bool) -> list[str]:
        """Return what the user should know of the answer; `has_more`: there are more hits."""
        problem = self.glance.problem if self.request.indexed else None
        if self.request.indexed and self.glance.is_small and problem is None and not has_more:
            # Few hits, or none: words missing from the index may be the reason.
            seen = self.index.look(connection, seconds=_LOOK_SECONDS)
            problem = next(iter(seen.problems), None)
        notes = _notes(self.request, problem)
        return [*notes, INCOMPLETE] if attached_text_is_incomplete(connection) else notes


def prepare(
    connection: sa.Connection,
    dialect: Dialect,
    query: Query,
    raw: str | None,
    options: SearchOptions,
) -> PreparedSearch:
    """Return what to search for in messages; raises UsageError for a raw query without an index."""
    index = dialect.search_index()
    glance = index.glance(connection)
    indexed = glance.is_usable and search_index_state(connection) == "present"
    if raw is not None and not indexed:
        raise UsageError(
            "a raw query needs the search index, which does not exist",
            hint=f"to build it: {COMPLETE_HINT}",
        )
    request = SearchRequest(
        organization_id=UUID(int=0),
        all_of=query.all_of,
        none_of=query.none_of,
        raw=raw,
        roles=query.roles,
        not_roles=query.not_roles,
        users=query.users,
        not_users=query.not_users,
        within_users=query.within_users,
        filters=query.filters,
        after=query.after,
        before=query.before,
        include_hidden=options.include_hidden,
        limit=(max(options.ranked, options.limit) if options.rank else options.limit) + 1,
        indexed=indexed,
        matches=Matcher(query.all_of, query.none_of).matches,
    )
    return PreparedSearch(request, query, index, glance)


def that_may_have_hits(
    connection: sa.Connection,
    dialect: Dialect,
    organizations: Iterable[Organization],
    request: SearchRequest,
    timeout_seconds: float,
) -> Iterator[Organization]:
    """Yield the organizations to search; DatabaseFailedError when the time is over."""
    ends = time.monotonic() + timeout_seconds
    holding: set[UUID] | None = None
    for number, organization in enumerate(organizations):
        if number == _PATIENCE:
            holding = dialect.search().organizations(connection, request)
        if holding is not None and organization.id not in holding:
            continue
        # The server's timeout counts each organization's statement alone.
        if time.monotonic() > ends:
            raise timed_out(timeout_seconds)
        yield organization


def _notes(request: SearchRequest, problem: str | None) -> list[str]:
    notes = []
    if not request.indexed:
        notes.append(
            f"there is no search index, so every message is read; to build it: {COMPLETE_HINT}"
        )
    if problem is not None:
        notes.append(
            f"the search index is damaged, hits may be missing ({problem}); to rebuild it: "
            f"{COMPLETE_HINT}"
        )
    return notes
