"""`conversations list` and `show`: a page deep in the list, and what the database takes for them.

Within one process, each page with its connection; the deep page is reached by its cursor and
checked to be the right one. The database's own milliseconds are those of 1,000,000 messages in
conversations of about ten: a first page, one conversation by its id, and by the end of it.

    python -m benchmarks.list_pages
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

import sqlalchemy as sa

from benchmarks.databases import (
    app_url,
    fresh_postgresql,
    imported_postgresql,
    imported_sqlite,
    migrated_sqlite,
    time_in_database,
)
from benchmarks.measure import Bench, Claim, Figure, Limit, Run, in_turn, run_alone
from chatdb.db.database import Database
from chatdb.operations.conversations.lists import list_page, read_conversation
from chatdb.records import organization_id_of
from chatdb.store.paging import cursor_of

Measure = Callable[[Bench], Figure]

PAGE_LENGTH = 50
START = datetime(2025, 1, 1, tzinfo=UTC)
SAME_TIME = 10
"""Conversations that were updated at the same moment: the id has to part them."""

POSTGRESQL = (
    (
        "INSERT INTO conversations (organization_id, id, title, created_at, updated_at, metadata)"
        " SELECT :organization, lpad(to_hex(n), 32, '0')::uuid, 'Conversation ' || n, :start,"
        " :start + make_interval(secs => n / :same), '{}' FROM generate_series(1, :count) n"
    ),
    (
        "INSERT INTO messages (organization_id, conversation_id, id, position, role, content,"
        " metadata, created_at) SELECT organization_id, id, id, 0, 'user', '', '{}', created_at"
        " FROM conversations"
    ),
)
SQLITE = (
    (
        "INSERT INTO conversations (organization_id, id, title, created_at, updated_at, metadata)"
        " WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :count)"
        " SELECT :organization, printf('00000000-0000-0000-0000-%012x', n), 'Conversation ' || n,"
        " :start, strftime('%Y-%m-%dT%H:%M:%S.000000Z', :start, (n / :same) || ' seconds'), '{}'"
        " FROM s"
    ),
    POSTGRESQL[1],
)


def on_sqlite(bench: Bench) -> Figure:
    """Measure on a SQLite file."""
    url = migrated_sqlite(bench.folder / "list.db")
    with Database.open(url) as database:
        _fill(bench, database, SQLITE)
        return _pages(bench, database)


def on_postgresql(bench: Bench) -> Figure:
    """Measure on a PostgreSQL database."""
    with fresh_postgresql(bench) as url, Database.open(url) as database:
        _fill(bench, database, POSTGRESQL)
        bench.server.execute("VACUUM ANALYZE", database=url.database)
        return _pages(bench, database)


def _conversations(bench: Bench) -> int:
    return bench.size(1_000_000, quick=20_000)


def _fill(bench: Bench, database: Database, statements: tuple[str, ...]) -> None:
    """Make conversations of one message, the touching triggers kept from changing `updated_at`."""
    is_sqlite = database.url.dialect_name == "sqlite"
    organization = organization_id_of("default")
    values: dict[str, object] = {
        "organization": str(organization) if is_sqlite else organization,
        "start": f"{START:%Y-%m-%dT%H:%M:%S.%f}Z" if is_sqlite else START,
        "same": SAME_TIME,
        "count": _conversations(bench),
    }
    with database.transaction(write=True, settings={"chatdb.bulk": "on"}) as connection:
        if is_sqlite:
            for event in ("insert", "update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER messages_touch_{event}")
        for statement in statements:
            names = {name: value for name, value in values.items() if f":{name}" in statement}
            connection.execute(sa.text(statement), names)


def _pages(bench: Bench, database: Database) -> Figure:
    """Compare the first page with the last."""
    conversations = _conversations(bench)
    page = conversations // PAGE_LENGTH
    last_before = PAGE_LENGTH + 1
    updated_at = START + timedelta(seconds=last_before // SAME_TIME)
    cursor = cursor_of("conversations", updated_at, (UUID(int=last_before),))
    for after, newest in ((None, conversations), (cursor, PAGE_LENGTH)):
        items = list_page(database, organization_key="default", limit=PAGE_LENGTH, after=after)
        assert [item.id.int for item in items.items] == [newest - n for n in range(PAGE_LENGTH)]
    sides = in_turn(
        bench.rounds(15, quick=7), lambda: _read(database, cursor), lambda: _read(database, None)
    )
    deep, first = (1000 * seconds for seconds in sides.seconds)
    ratio = max(first, deep) / min(first, deep)
    return Figure(f"page {page:,}: {deep:.1f} ms", f"page 1: {first:.1f} ms", ratio)


def _read(database: Database, cursor: str | None) -> Run:
    started = time.perf_counter()
    list_page(database, organization_key="default", limit=PAGE_LENGTH, after=cursor)
    return Run(time.perf_counter() - started)


def _messages(bench: Bench) -> int:
    return bench.size(1_000_000, quick=20_000)


def _on_both(work: Callable[[Database], object]) -> tuple[Measure, Measure]:
    """Return how to measure some work on SQLite and on PostgreSQL."""

    def sqlite(bench: Bench) -> Figure:
        url, _ = imported_sqlite(bench, _messages(bench))
        with Database.open(url) as database:
            return time_in_database(bench, database, lambda: work(database))

    def postgresql(bench: Bench) -> Figure:
        url, _ = imported_postgresql(bench, _messages(bench))
        with Database.open(url) as database:
            return time_in_database(bench, database, lambda: work(database))

    return sqlite, postgresql


def _as_app(work: Callable[[Database], object]) -> Measure:
    """Return how to measure some work as a role that row-level security binds."""

    def measure(bench: Bench) -> Figure:
        with Database.open(app_url(bench, _messages(bench))) as database:
            bound = database.for_tenant(organization_id_of("default"))
            return time_in_database(bench, bound, lambda: work(bound))

    return measure


def _first_page(database: Database) -> object:
    return list_page(database, organization_key="default", limit=PAGE_LENGTH)


def _show_last(database: Database) -> object:
    return read_conversation(database, _last(database), organization_key="default")


def _show_by_end(database: Database) -> object:
    return read_conversation(database, _last(database)[-8:], organization_key="default")


@cache
def _last(database: Database) -> str:
    page = list_page(database, organization_key="default", limit=1)
    return str(page.items[0].id)


PAGE, SHOW, SHOW_BY_END = map(_on_both, (_first_page, _show_last, _show_by_end))

CLAIMS = (
    Claim("list-sqlite", Limit("under", 2.0), on_sqlite),
    Claim("list-postgresql", Limit("under", 2.0), on_postgresql),
    Claim("list-sqlite-ms", Limit("under", 20.0), PAGE[0]),
    Claim("list-postgresql-ms", Limit("under", 20.0), PAGE[1]),
    Claim("list-postgresql-app-ms", Limit("under", 20.0), _as_app(_first_page)),
    Claim("show-postgresql-app-ms", Limit("under", 20.0), _as_app(_show_last)),
    Claim("show-sqlite-ms", Limit("under", 20.0), SHOW[0]),
    Claim("show-postgresql-ms", Limit("under", 20.0), SHOW[1]),
    Claim("show-by-end-sqlite-ms", Limit("under", 20.0), SHOW_BY_END[0]),
    Claim("show-by-end-postgresql-ms", Limit("under", 20.0), SHOW_BY_END[1]),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
