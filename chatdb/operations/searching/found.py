"""Which conversations a search finds, whatever page they would be on."""

from datetime import UTC, tzinfo
from typing import TYPE_CHECKING

from chatdb.db.database import Database
from chatdb.operations.searching.search import search_conversations
from chatdb.operations.searching.search_page import SearchOptions
from chatdb.store.every_organization import Scope
from chatdb.store.selecting import IdsWithin

if TYPE_CHECKING:
    from uuid import UUID

_HITS_AT_ONCE = 20_000


def matching_ids(
    database: Database,
    query: str,
    *,
    organization_key: Scope,
    include_hidden: bool,
    zone: tzinfo = UTC,
) -> IdsWithin:
    """Return the conversations with a message, or a title, that matches the query.

    Raises UsageError for an invalid query.
    """
    found: dict[UUID, dict[UUID, None]] = {}
    cursor: str | None = None
    while True:
        options = SearchOptions(
            limit=_HITS_AT_ONCE, after=cursor, include_hidden=include_hidden, zone=zone
        )
        hits, cursor = search_conversations(
            database, query, organization_key=organization_key, options=options
        )
        for organization, conversation in hits:
            found.setdefault(organization, {})[conversation] = None
        if cursor is None:
            return {organization: list(ids) for organization, ids in found.items()}
