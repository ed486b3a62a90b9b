"""Which conversations a search finds, all of them, and no message is read."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from chatdb.db.database import Database
from chatdb.operations.searching.requests import (
    catch_up,
    prepare,
    read_query,
    searching,
    that_may_have_hits,
)
from chatdb.operations.searching.search_page import SearchOptions
from chatdb.operations.searching.titles import search_titles
from chatdb.records import organization_id_of
from chatdb.store.every_organization import Scope, chosen
from chatdb.store.selecting import IdsWithin

if TYPE_CHECKING:
    from uuid import UUID

_ALL = 1 << 30


@dataclass(frozen=True, slots=True)
class FoundConversations:
    """The ids by organization; `notes` are what the user should know of the search."""

    ids: IdsWithin
    notes: tuple[str, ...] = ()


def find_conversations(
    database: Database, text: str, *, organization_key: Scope, options: SearchOptions
) -> FoundConversations:
    """Return the conversations with a message, or with `in:title` a title, that matches the query.

    Of the options the page does not count. Raises what `search` does.
    """
    query, raw = read_query(text, options)
    dialect = database.dialect
    said = catch_up(database)
    with searching(database, options) as connection:
        if query.in_title:
            every = replace(options, limit=_ALL, after=None)
            page = search_titles(connection, dialect, organization_key, query, every)
            keys = page.organizations or [str(organization_key)] * len(page.hits)
            titles: dict[UUID, list[UUID]] = {}
            for key, hit in zip(keys, page.hits, strict=True):
                titles.setdefault(organization_id_of(key), []).append(hit.conversation_id)
            return FoundConversations(titles, (*said, *page.notes))
        prepared = prepare(connection, dialect, query, raw, options)
        organizations = chosen(connection, dialect, organization_key)
        ids = {}
        for organization in that_may_have_hits(
            connection, dialect, organizations, prepared.request, options.timeout_seconds
        ):
            own = replace(prepared.request, organization_id=organization.id)
            ids[organization.id] = dialect.search().conversations(connection, own)
        notes = prepared.notes(connection, has_more=False)
        return FoundConversations(ids, (*said, *notes))
