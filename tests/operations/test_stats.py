"""Counting messages gives on both databases what counting them one by one in Python gives."""

import signal
import threading
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import NotFoundError, UsageError
from chatdb.operations.searching.stats import GROUPINGS, StatsOptions, stats
from chatdb.operations.searching.stats_query import LONGEST, TIME_KEYS
from chatdb.operations.seeding.seed import seed
from tests.operations.conversation_rows import START, add_conversation, add_organization

ZONES = ("UTC", "Asia/Kathmandu", "America/New_York")
PLENTY = 10_000


@dataclass(frozen=True)
class Row:
    """A message with what it can be grouped by."""

    organization: str
    conversation: Any
    role: str
    model: str | None
    user: str | None
    source: str | None
    kind: str
    created_at: datetime
    length: int

    def key(self, by: str, zone: ZoneInfo) -> str | None:
        local = self.created_at.astimezone(zone)
        if by == "day":
            return f"{local:%Y-%m-%d}"
        if by == "week":
            return f"{local - timedelta(days=local.isoweekday() - 1):%Y-%m-%d}"
        if by in ("month", "year"):
            return f"{local:%Y-%m}" if by == "month" else f"{local:%Y}"
        value: str | None = getattr(self, by)
        return value


def all_rows(database: Database) -> list[Row]:
    m, c, o = schema.messages.c, schema.conversations.c, schema.organizations.c
    statement = (
        sa.select(
            *(o.key, c.id, m.role, m.model, c.user_id, c.source, c.kind),
            *(m.created_at, m.content),
        )
        .join(
            schema.conversations,
            sa.and_(c.organization_id == m.organization_id, c.id == m.conversation_id),
        )
        .join(schema.organizations, o.id == c.organization_id)
    )
    with database.transaction() as connection:
        return [Row(*row[:-1], len(row[-1])) for row in connection.execute(statement)]


def expected_groups(rows: list[Row], by: str, zone: ZoneInfo) -> dict[Any, tuple[int, int, int]]:
    groups: defaultdict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.key(by, zone)].append(row)
    return {
        key: (len({row.conversation for row in found}), len(found), sum(r.length for r in found))
        for key, found in groups.items()
    }


def test_every_figure_is_what_python_counts(database: Database) -> None:
    seed(database)
    rows = all_rows(database)
    conversations = Counter(row.conversation for row in rows)
    totals = (len(conversations), len(rows), sum(row.length for row in rows))
    for by in GROUPINGS:
        for zone in ZONES if by in TIME_KEYS else ZONES[:1]:
            report = stats(database, StatsOptions(by=by, timezone=zone, limit=PLENTY))

            assert {each.key: sizes(each) for each in report.groups} == expected_groups(
                rows, by, ZoneInfo(zone)
            ), (by, zone)
            assert sizes(report.totals) == totals
            local = [row.created_at.astimezone(ZoneInfo(zone)) for row in rows]
            hours = {(each.weekday, each.hour): each.messages for each in report.busiest_hours}
            assert hours == Counter((time.isoweekday(), time.hour) for time in local), zone
            longest = report.longest_conversations
            assert [each.messages for each in longest] == [
                count for _, count in conversations.most_common(LONGEST)
            ]
            assert [conversations[each.id] for each in longest] == [
                each.messages for each in longest
            ]


def sizes(counted: Any) -> tuple[int, int, int]:
    return counted.conversations, counted.messages, counted.characters


def test_a_limit_keeps_the_newest_days_and_the_largest_of_others(database: Database) -> None:
    for number in range(1, 6):
        add_conversation(database, ["x"] * number, number=number, user_id=f"user {number}")

    newest = stats(database, StatsOptions(limit=2))
    largest = stats(database, StatsOptions(by="user", limit=2))
    everybody = stats(database, StatsOptions(by="user", limit=5))

    assert [each.key for each in newest.groups] == ["2025-01-05", "2025-01-06"]
    assert [each.key for each in largest.groups] == ["user 5", "user 4"]
    assert (newest.has_more, largest.has_more, everybody.has_more) == (True, True, False)
    assert newest.totals.messages == 15


def test_an_organization_counts_its_own_messages_only(database: Database) -> None:
    add_organization(database, "acme")
    add_organization(database, "rival")
    add_conversation(database, ["one", "two"], organization="acme", user_id="ann")
    add_conversation(database, ["three"], number=2, organization="acme", user_id="bob")
    add_conversation(database, ["secret"] * 5, number=3, organization="rival", user_id="ann")

    report = stats(database, StatsOptions(by="user", organization_key="acme"))
    both = stats(database, StatsOptions(by="organization"))

    assert [(each.key, each.messages) for each in report.groups] == [("ann", 2), ("bob", 1)]
    assert report.totals.messages == sum(each.messages for each in report.busiest_hours) == 3
    assert {each.organization for each in report.longest_conversations} == {"acme"}
    assert [(each.key, each.messages) for each in both.groups] == [("rival", 5), ("acme", 3)]


def test_since_counts_from_that_moment_on(database: Database) -> None:
    add_conversation(database, ["first", "second", "third"])
    begins = START + timedelta(days=1, minutes=1)

    report = stats(database, StatsOptions(since=begins))
    none = stats(database, StatsOptions(since=begins + timedelta(days=1), by="model"))

    until = stats(database, StatsOptions(by="year", until=begins, storage=False))

    assert report.totals.messages == 2
    assert ([each.messages for each in until.groups], until.storage) == ([1], None)
    assert (none.totals.messages, none.groups, none.longest_conversations) == (0, (), ())


def test_names_that_look_like_sql_are_keys_like_others(database: Database) -> None:
    odd = "'; DROP TABLE messages; -- \x1b[31m %s :limit {key}"
    add_conversation(database, ["text"], user_id=odd, source=odd)

    for by in ("user", "source"):
        report = stats(database, StatsOptions(by=by))
        assert [(each.key, each.messages) for each in report.groups] == [(odd, 1)]


def test_an_empty_database_has_nothing_to_count(database: Database) -> None:
    report = stats(database, StatsOptions())

    assert (report.totals.messages, report.totals.characters, report.groups) == (0, 0, ())
    assert report.busiest_hours == ()


def test_storage_names_every_table_and_the_indexes_of_messages(database: Database) -> None:
    storage = stats(database, StatsOptions()).storage

    assert storage is not None
    assert {each.table for each in storage} >= {"organizations", "conversations", "messages"}
    assert {each.name for each in storage if each.kind == "index"} >= {"ix_messages_created_at"}
    assert all(each.bytes >= 0 for each in storage)
    assert sum(each.bytes for each in storage) > 20_000


def test_what_cannot_be_meant_is_refused(database: Database) -> None:
    for name in ("Mars/Olympus", "../etc/passwd", "", "Europe"):
        with pytest.raises(UsageError, match="unknown time zone"):
            stats(database, StatsOptions(timezone=name))
    with pytest.raises(NotFoundError, match="nobody"):
        stats(database, StatsOptions(organization_key="nobody"))


MANY = """
INSERT INTO messages (organization_id, conversation_id, id, position, role, content, metadata,
                      created_at)
WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 5000)
SELECT organization_id, conversation_id, {id}, n, role, content, metadata, created_at
FROM messages CROSS JOIN s
"""
IDS = {
    "sqlite": "printf('00000000-0000-0000-0001-%012x', n)",
    "postgresql": "lpad(to_hex(n), 32, '0')::uuid",
}


def test_an_approximation_is_near_and_looks_at_a_part(database: Database) -> None:
    add_conversation(database, ["x" * 60], id=UUID(int=1 << 80))
    with database.transaction(write=True) as connection:
        connection.exec_driver_sql(MANY.format(id=IDS[database.dialect.name]))
        connection.exec_driver_sql("ANALYZE messages")

    report = stats(database, StatsOptions(by="role", approximate=True, sampled_rows=1_000))
    whole = stats(database, StatsOptions(by="role", approximate=True))

    assert report.approximate
    assert 0.15 < report.sampled < 0.25
    assert report.totals.messages == pytest.approx(5_001, rel=0.25)
    assert report.totals.characters == pytest.approx(5_001 * 60, rel=0.25)
    assert (report.totals.conversations, report.longest_conversations) == (None, ())
    assert not whole.approximate
    assert whole.totals.messages == 5_001


def test_control_c_ends_a_long_query_on_sqlite(sqlite_url: DatabaseUrl) -> None:
    endless = "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s) SELECT max(n) FROM s"

    def count() -> None:
        with Database.open(sqlite_url) as database, database.transaction() as connection:
            ways = database.dialect.statistics()
            with ways.reading(connection, "UTC"):
                connection.exec_driver_sql(endless)

    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        count()


def test_a_time_that_is_none_is_counted_in_no_hour(sqlite_url: DatabaseUrl) -> None:
    with Database.open(sqlite_url) as database:
        add_conversation(database, ["one", "two"])
        with database.transaction(write=True) as connection:
            connection.exec_driver_sql(
                "UPDATE messages SET created_at = 'yesterday' WHERE position = 0"
            )

        for zone in ZONES:
            report = stats(database, StatsOptions(timezone=zone))
            assert report.totals.messages == 2
            assert sum(each.messages for each in report.busiest_hours) == 1


def test_the_clock_of_summer_is_minded(database: Database) -> None:
    add_conversation(database, ["x"])
    at = datetime(2025, 3, 30, 1, 30, tzinfo=UTC)
    with database.transaction(write=True) as connection:
        connection.execute(sa.update(schema.messages).values(created_at=at))

    (hour,) = stats(database, StatsOptions(timezone="Europe/Berlin")).busiest_hours

    assert (hour.weekday, hour.hour) == (7, 3)
