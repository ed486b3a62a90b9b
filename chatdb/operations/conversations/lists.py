"""Lists conversations page by page, in several orders, and reads a whole one."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.expressions import title_key
from chatdb.db.contract.search import timed_out
from chatdb.db.database import Database
from chatdb.db.schema import conversations, messages
from chatdb.records import Conversation
from chatdb.store.every_organization import EVERY, Scope, label_of, newest_first
from chatdb.store.gathered_page import GatheredPage, Key
from chatdb.store.naming import locate_conversation, resolve_message
from chatdb.store.paging import Kind
from chatdb.store.reading import read_stored
from chatdb.store.selecting import ConversationFilter

if TYPE_CHECKING:
    from chatdb.operations.conversations.narrowing import Narrowing

Sort = Literal["updated", "created", "accessed", "messages", "title"]
SORTS: tuple[Sort, ...] = ("updated", "created", "accessed", "messages", "title")
"""By last update or access, number of messages, or title. Only `updated` has an index."""

_KINDS: dict[Sort, Kind] = {
    "updated": "conversations",
    "created": "created",
    "accessed": "accessed",
    "messages": "message_count",
    "title": "title",
}
_AT_ONCE = 1_000
"""Rows that are fetched, and ids that are looked up, at once where a list is narrowed."""
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_WALKING = {"enable_seqscan": "off", "jit": "off"}
"""Without statistics the planner would read and sort the whole table for one page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationSummary:
    """A row of the list; the count covers all messages, hidden ones and all branches."""

    id: UUID
    title: str | None
    user_id: str | None
    kind: str
    message_count: int
    created_at: datetime
    updated_at: datetime
    last_accessed_at: datetime | None
    starred_at: datetime | None
    pinned_at: datetime | None
    archived_at: datetime | None
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationPage:
    """Conversations in the requested order; `next_cursor` is None on the last page.

    `organizations` has the key of each conversation's organization if the list covers all.
    """

    items: tuple[ConversationSummary, ...]
    next_cursor: str | None
    organizations: tuple[str, ...] | None = None


_STORED = tuple(
    name for name in ConversationSummary.__dataclass_fields__ if name != "message_count"
)


def list_page(
    database: Database,
    *,
    organization_key: Scope,
    limit: int = 50,
    after: str | None = None,
    wanted: ConversationFilter | None = None,
    sort: Sort = "updated",
    narrowing: "Narrowing | None" = None,
    timeout_seconds: float = 30.0,
) -> ConversationPage:
    """Return a page of conversations; without `wanted`, the chats that are not archived.

    `narrowing` leaves out those that do not match it: they are looked for along the list's order.
    By `updated` every page costs the same, over all organizations one index look-up for each; the
    other orders read every conversation. Raises NotFoundError for an unknown organization,
    UsageError for a cursor of another order, DatabaseFailedError at the timeout, RefusedError as
    `chosen` does.
    """
    wanted = wanted or ConversationFilter(flags={"archived": False}, kinds=frozenset(("chat",)))
    ways = database.dialect.search()
    settings = {**ways.settings(), **(_WALKING if sort == "updated" else {})}
    pages: GatheredPage[Any] = GatheredPage(
        _KINDS[sort],
        limit,
        after,
        everywhere=organization_key is EVERY,
        ascending=sort == "title",
    )
    ends = time.monotonic() + timeout_seconds
    with (
        database.transaction(settings=settings) as connection,
        ways.deadline(connection, timeout_seconds, "list"),
    ):
        until = pages.begins_at if sort == "updated" else None
        updated_at = conversations.c.updated_at
        for organization, newest in newest_first(
            connection, database.dialect, organization_key, updated_at, until=until
        ):
            if sort == "updated" and pages.is_newer_than(newest):
                break
            # The server's timeout counts each organization's statement alone.
            if time.monotonic() > ends:
                raise timed_out(timeout_seconds, "list")
            own = wanted
            if sort == "updated":
                own = replace(wanted, since=pages.oldest_wanted(wanted.since))
            walk = _Walk(sort, pages.place(organization), limit + 1, ends, timeout_seconds)
            if narrowing is None:
                rows = _rows(connection, organization.id, own, walk)
            else:
                rows = _narrowed_rows(connection, organization.id, own, walk, narrowing)
            pages.add(organization, [((_value(row), row["id"]), row) for row in rows])
    return ConversationPage(
        items=tuple(summary_of(row) for _, row in pages.items),
        next_cursor=pages.cursor,
        organizations=pages.organizations,
    )


@dataclass(frozen=True, slots=True)
class _Walk:
    """One organization's part of a page: along which order, from where, how far, until when."""

    sort: Sort
    place: Key | None
    limit: int
    ends: float
    timeout_seconds: float


def _rows(
    connection: sa.Connection, organization: UUID, wanted: ConversationFilter, walk: _Walk
) -> Sequence[Any]:
    statement = page_statement(organization, wanted, walk.sort, walk.place, walk.limit)
    return connection.execute(statement).mappings().fetchall()


def _narrowed_rows(
    connection: sa.Connection,
    organization: UUID,
    wanted: ConversationFilter,
    walk: _Walk,
    narrowing: "Narrowing",
) -> Sequence[Any]:
    """Read along the order until the page is full of what matches, then the rows of that."""
    own = narrowing.filter_of(organization, wanted)
    if own.ids is not None and not own.ids:
        return []
    statement = _along(organization, own, walk.sort, walk.place)
    stream = connection.execute(statement.execution_options(yield_per=_AT_ONCE))
    with closing(stream):
        matching = narrowing.matching(organization, _in_time(stream, walk))
        ids = list(islice(matching, walk.limit))
    found: list[Any] = []
    for start in range(0, len(ids), _AT_ONCE):
        chunk = replace(wanted, ids=ids[start : start + _AT_ONCE])
        found += _rows(connection, organization, chunk, replace(walk, place=None))
    return found


def _in_time(rows: Iterable[Any], walk: _Walk) -> Iterator[Any]:
    """Yield rows; the server's timeout counts each fetch alone, without what is done between."""
    for row in rows:
        if time.monotonic() > walk.ends:
            raise timed_out(walk.timeout_seconds, "list")
        yield row


def _value(row: Any) -> Any:
    """Return the values that decide a row's place in its list."""
    return _NEVER if row["key"] is None else row["key"]


def read_conversation(
    database: Database, text: str, *, organization_key: Scope, user_id: str | None = None
) -> Conversation:
    """Return the whole conversation that `locate_conversation` finds, in one consistent state."""
    with database.transaction(snapshot=True) as connection:
        return _read(connection, database, text, organization_key, user_id)[0]


def read_conversation_with(
    database: Database,
    text: str,
    message: str,
    *,
    organization_key: Scope,
    user_id: str | None = None,
) -> tuple[Conversation, UUID]:
    """Return what `read_conversation` does, and the id of one of its messages, given as usual.

    Raises as `resolve_message` too.
    """
    with database.transaction(snapshot=True) as connection:
        record, organization = _read(connection, database, text, organization_key, user_id)
        return record, resolve_message(connection, organization, record.id, message)


def _read(
    connection: sa.Connection, database: Database, text: str, scope: Scope, user_id: str | None
) -> tuple[Conversation, UUID]:
    found = locate_conversation(connection, database.dialect, scope, text, user_id=user_id)
    organization = found.organization
    record = read_stored(connection, organization.id, [found.id])[found.id].record
    record.organization, record.organization_name = label_of(organization)
    return record, organization.id


def summaries(
    connection: sa.Connection, organization: UUID, ids: list[UUID]
) -> tuple[ConversationSummary, ...]:
    """Return the rows of those of the conversations that exist, by id."""
    table = conversations.c
    page = sa.select(table.organization_id, *(table[name] for name in _STORED))
    own = page.where(table.organization_id == organization, table.id.in_(ids)).subquery("page")
    rows = connection.execute(_counted(own, [])).mappings()
    found = {row["id"]: summary_of(row) for row in rows}
    return tuple(found[identifier] for identifier in ids if identifier in found)


def summary_of(row: Any) -> ConversationSummary:
    """Return the summary of a complete row."""
    names = ConversationSummary.__dataclass_fields__
    return ConversationSummary(**{name: row[name] for name in names})


def page_statement(
    organization: UUID,
    wanted: ConversationFilter,
    sort: Sort,
    place: Key | None,
    limit: int,
) -> sa.Select[Any]:
    """Return the query of a page; messages are counted only for the rows of the page."""
    page = _along(organization, wanted, sort, place).limit(limit).subquery("page")
    columns = page.c
    # The order of a subquery does not bind the query around it.
    again: Any = sa.func.coalesce(columns.key, _never()) if sort == "accessed" else columns.key
    ordered = (
        (again.asc(), columns.id.asc()) if sort == "title" else (again.desc(), columns.id.desc())
    )
    return _counted(page, [columns.key]).order_by(*ordered)


def _along(
    organization: UUID,
    wanted: ConversationFilter,
    sort: Sort,
    place: Key | None,
) -> sa.Select[Any]:
    """Return the query of all conversations from a place on, in order."""
    table = conversations.c
    key, source = _key(organization, sort)
    statement = (
        sa.select(
            table.organization_id,
            *(table[name] for name in _STORED),
            _shown(sort, key).label("key"),
        )
        .select_from(source)
        .where(table.organization_id == organization, *wanted.conditions())
    )
    if wanted.ids is not None:
        statement = statement.where(table.id.in_(list(wanted.ids)))
    if place is not None:
        value, identifier = place
        here = sa.tuple_(key, table.id)
        there: Any = sa.tuple_(sa.literal(value, key.type), sa.literal(identifier, table.id.type))
        statement = statement.where(here > there if sort == "title" else here < there)
    order = (key.asc(), table.id.asc()) if sort == "title" else (key.desc(), table.id.desc())
    return statement.order_by(*order)


def _key(organization: UUID, sort: Sort) -> tuple[Any, Any]:
    """Return what an order sorts by, never null, and where it is selected from."""
    table = conversations.c
    if sort == "messages":
        counts = (
            sa.select(messages.c.conversation_id, sa.func.count().label("amount"))
            .where(messages.c.organization_id == organization)
            .group_by(messages.c.conversation_id)
            .subquery("counts")
        )
        source = conversations.outerjoin(counts, counts.c.conversation_id == table.id)
        return sa.func.coalesce(counts.c.amount, 0), source
    keys: dict[Sort, Any] = {
        "updated": table.updated_at,
        "created": table.created_at,
        "accessed": sa.func.coalesce(table.last_accessed_at, _never()),
        "title": title_key(table.title),
    }
    return keys[sort], conversations


def _never() -> Any:
    return sa.literal(_NEVER, conversations.c.last_accessed_at.type)


def _shown(sort: Sort, key: Any) -> Any:
    """Return a readable key: a missing time sorts as a time that no client sets."""
    return conversations.c.last_accessed_at if sort == "accessed" else key


def _counted(page: Any, more: list[Any]) -> sa.Select[Any]:
    """Return the rows of a page in order, each with the number of its messages."""
    columns = page.c
    count = (
        sa.select(sa.func.count())
        .where(
            messages.c.organization_id == columns.organization_id,
            messages.c.conversation_id == columns.id,
        )
        .scalar_subquery()
        .label("message_count")
    )
    return sa.select(*(columns[name] for name in _STORED), *more, count)
