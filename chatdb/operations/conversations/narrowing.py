"""Narrows a list by what has no index in its order: words of titles, and what a search finds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from chatdb.db.database import Database
from chatdb.errors import UsageError
from chatdb.operations.searching.public import (
    Matcher,
    SearchOptions,
    find_conversations,
    parse,
)
from chatdb.store.every_organization import Scope
from chatdb.store.selecting import ConversationFilter, IdsWithin

_FEW = 1_000
"""Ids that are looked up one by one; with more, the list is walked in its order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowing:
    """Conditions beside a filter: a title that matches, ids that a search found; None for none.

    `notes` are those of the search.
    """

    title: Matcher | None = None
    ids_within: IdsWithin | None = None
    notes: tuple[str, ...] = ()

    def ids_of(self, organization: UUID) -> Sequence[UUID] | None:
        """Return the ids among which an organization's conversations are, None for any."""
        return None if self.ids_within is None else self.ids_within.get(organization, ())

    def filter_of(self, organization: UUID, wanted: ConversationFilter) -> ConversationFilter:
        """Return the filter with the ids in it, if they are few enough for a statement."""
        ids = self.ids_of(organization)
        return wanted if ids is None or len(ids) > _FEW else replace(wanted, ids=ids)

    def matching(self, organization: UUID, rows: Iterator[Any]) -> Iterator[UUID]:
        """Yield the ids of the rows (with `id` and `title`) that all conditions hold for."""
        ids = self.ids_of(organization)
        among = None if ids is None else frozenset(ids)
        for row in rows:
            if among is not None and row.id not in among:
                continue
            if self.title is None or (row.title is not None and self.title.matches(row.title)):
                yield row.id


def narrowing(
    database: Database,
    *,
    organization_key: Scope,
    title: str | None = None,
    query: str | None = None,
    options: SearchOptions,
) -> Narrowing | None:
    """Return what `--title` and `--query` ask for, None if neither is given.

    `title` is searched as `in:title` does; `query` is a whole search. Raises UsageError, and
    DatabaseFailedError at the timeout.
    """
    if title is None and query is None:
        return None
    matcher = None if title is None else _title_matcher(title)
    if query is None:
        return Narrowing(title=matcher)
    found = find_conversations(database, query, organization_key=organization_key, options=options)
    return Narrowing(title=matcher, ids_within=found.ids, notes=found.notes)


def _title_matcher(words: str) -> Matcher:
    query = parse(f"in:title {words}")
    if query.has_filter or query.not_users or query.filters.exclude:
        raise UsageError(
            "--title takes words only", hint="--since, --user, --starred and the like go beside it"
        )
    return Matcher(query.all_of, query.none_of)
