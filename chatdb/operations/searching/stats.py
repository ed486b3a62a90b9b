"""Counts the contents of a database: messages by time, model, user and more, in one pass.

The pass counts messages by conversation and hour; all figures are derived from these counts. The
longest conversations and the busiest hours cost next to nothing in addition.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, get_args
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.statistics import SAMPLED_ROWS, MessageSource, StoredObject
from chatdb.db.database import Database
from chatdb.db.schema import conversations, organizations
from chatdb.operations.searching.stats_query import (
    TIME_KEYS,
    day_of_no_time,
    kinds_counted,
    statement,
)
from chatdb.primitives.time_words import zone_of
from chatdb.store.selecting import organization_id

Grouping = Literal[
    "day", "week", "month", "year", "model", "role", "user", "source", "kind", "organization"
]
GROUPINGS: tuple[Grouping, ...] = get_args(Grouping)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsOptions:
    """What to count: messages from `since` to before `until`, by their own time; all `kinds` if
    None.

    `limit` bounds the groups: the newest days, weeks, months and years, the largest of all others.
    An approximation reads about `sampled_rows`. Sizes on disk only with `storage`.
    """

    by: Grouping = "day"
    organization_key: str | None = None
    kinds: frozenset[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    timezone: str = "UTC"
    limit: int = 30
    approximate: bool = False
    sampled_rows: int = SAMPLED_ROWS
    storage: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsGroup:
    """The messages of one group; `key` is None without a model, user, source or time.

    A day is written as a date, a week as that of its Monday, a month as 2026-01, an organization
    by its key.
    `conversations` are those with a message in the group, None in an approximation.
    """

    key: str | None
    conversations: int | None
    messages: int
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsTotals:
    """The number of messages counted."""

    conversations: int | None
    messages: int
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LongConversation:
    """One of the conversations with the most messages."""

    organization: str
    id: UUID
    title: str | None
    user_id: str | None
    messages: int
    characters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyHour:
    """Messages of one hour of the week: Monday is 1; the hour is that of the time zone."""

    weekday: int
    hour: int
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StatsReport:
    """The counts; `sampled` is the share of the messages that was read.

    `has_more` says that `limit` left groups out. `storage` is None if it was not asked for, or
    the database cannot report it; an approximation leaves out the longest conversations.
    """

    by: Grouping
    organization: str | None
    since: datetime | None
    until: datetime | None
    timezone: str
    approximate: bool
    sampled: float
    totals: StatsTotals
    groups: tuple[StatsGroup, ...]
    has_more: bool
    longest_conversations: tuple[LongConversation, ...]
    busiest_hours: tuple[BusyHour, ...]
    storage: tuple[StoredObject, ...] | None


def stats(database: Database, options: StatsOptions) -> StatsReport:
    """Count everything, in one state of the database.

    Raises UsageError for an unknown time zone, NotFoundError for an unknown organization.
    """
    zone_of(options.timezone)
    ways = database.dialect.statistics()
    with (
        database.transaction(snapshot=True, settings=ways.settings) as connection,
        ways.reading(connection, options.timezone),
    ):
        organization: UUID | None = None
        if options.organization_key is not None:
            organization = organization_id(connection, options.organization_key)
        kinds = kinds_counted(connection, options.kinds, organization)
        conditions = (organization, options.since, options.until, kinds)
        is_filtered = any(each is not None for each in conditions)
        source = (
            ways.sample(connection, options.sampled_rows)
            if options.approximate
            else ways.all_messages(filtered=is_filtered)
        )
        counted = _Counted(source, _key_of_no_time(options))
        query = statement(
            ways,
            source,
            by=options.by,
            timezone=options.timezone,
            organization=organization,
            period=(options.since, options.until),
            kinds=kinds,
            limit=options.limit + 1,
        )
        for row in connection.execute(query):
            counted.add(row)
        longest = () if counted.is_sample else _longest(connection, counted.longest)
        storage = ways.storage(connection) if options.storage else None
    return _report(options, counted, longest, storage)


class _Counted:
    """The rows of the query, sorted by section."""

    def __init__(self, source: MessageSource, no_time: str | None) -> None:
        self.factor = source.factor
        self._no_time = no_time
        self.totals = StatsTotals(conversations=0, messages=0, characters=0)
        self.groups: list[StatsGroup] = []
        self.hours: list[BusyHour] = []
        self.longest: list[tuple[UUID, UUID, int, int]] = []

    @property
    def is_sample(self) -> bool:
        return self.factor > 1

    def add(self, row: Any) -> None:
        section, first, second, conversations, messages, characters = row
        size: dict[str, Any] = {
            "conversations": None if self.is_sample else conversations,
            "messages": round((messages or 0) * self.factor),
            "characters": round((characters or 0) * self.factor),
        }
        if section == "total":
            self.totals = StatsTotals(**size)
        elif section == "group":
            key = None if first == self._no_time else first
            self.groups.append(StatsGroup(key=key, **size))
        elif section == "conversation":
            self.longest.append((UUID(first), UUID(second), messages, characters))
        elif first is not None:
            self.hours.append(
                BusyHour(weekday=int(first), hour=int(second), messages=size["messages"])
            )


def _key_of_no_time(options: StatsOptions) -> str | None:
    """Return the group by time to which messages without any time would seem to belong."""
    day = day_of_no_time(options.timezone)
    if options.by == "week":
        day -= timedelta(days=day.weekday())
    return day.isoformat()[: TIME_KEYS[options.by]] if options.by in TIME_KEYS else None


def _longest(
    connection: sa.Connection, found: list[tuple[UUID, UUID, int, int]]
) -> tuple[LongConversation, ...]:
    """Return the conversations found, with their names."""
    c = conversations.c
    named: list[LongConversation] = []
    for organization, identifier, messages, characters in found:
        key, title, user_id = connection.execute(
            sa.select(organizations.c.key, c.title, c.user_id)
            .join(organizations, organizations.c.id == c.organization_id)
            .where(c.organization_id == organization, c.id == identifier)
        ).one()
        named.append(
            LongConversation(
                organization=key,
                id=identifier,
                title=title,
                user_id=user_id,
                messages=messages,
                characters=characters,
            )
        )
    return tuple(named)


def _report(
    options: StatsOptions,
    counted: _Counted,
    longest: tuple[LongConversation, ...],
    storage: list[StoredObject] | None,
) -> StatsReport:
    groups = counted.groups[: options.limit]
    if options.by in TIME_KEYS:
        groups.reverse()
    return StatsReport(
        by=options.by,
        organization=options.organization_key,
        since=options.since,
        until=options.until,
        timezone=options.timezone,
        approximate=counted.is_sample,
        sampled=1 / counted.factor,
        totals=counted.totals,
        groups=tuple(groups),
        has_more=len(counted.groups) > options.limit,
        longest_conversations=longest,
        busiest_hours=tuple(sorted(counted.hours, key=lambda each: (each.weekday, each.hour))),
        storage=None if storage is None else tuple(storage),
    )
