"""`stats --by day` against the SQL that a person would type for it, in the database's time.

The operation and the bare statement run in one process, each on a connection of its own. Both
databases have been analysed; every setting of the server that is not ours is its default.

    python -m benchmarks.stats
"""

import time
from collections.abc import Callable

from benchmarks.databases import imported_postgresql, imported_sqlite
from benchmarks.measure import Bench, Claim, Figure, Limit, Run, in_turn, run_alone
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.operations.searching.stats import StatsOptions, stats

BARE = {
    "sqlite": (
        "SELECT substr(created_at, 1, 10), count(*), sum(length(content)) FROM messages"
        " GROUP BY 1 ORDER BY 1"
    ),
    "postgresql": (
        "SELECT (created_at AT TIME ZONE 'UTC')::date, count(*), sum(length(content))"
        " FROM messages GROUP BY 1 ORDER BY 1"
    ),
}
PLENTY = 100_000


def on_sqlite(bench: Bench) -> Figure:
    """Measure on a SQLite file."""
    return _compare(bench, imported_sqlite(bench, _messages(bench))[0])


def on_postgresql(bench: Bench) -> Figure:
    """Measure on a PostgreSQL database."""
    return _compare(bench, imported_postgresql(bench, _messages(bench))[0])


def _messages(bench: Bench) -> int:
    return bench.size(1_000_000, quick=20_000)


def _compare(bench: Bench, url: DatabaseUrl) -> Figure:
    with Database.open(url) as database:
        days = [(messages, characters) for _, messages, characters in _rows(database)]
        groups = stats(database, StatsOptions(limit=PLENTY)).groups
        assert [(each.messages, each.characters) for each in groups] == days
        sides = in_turn(
            bench.rounds(7, quick=5),
            lambda: _timed(lambda: stats(database, StatsOptions(limit=PLENTY))),
            lambda: _timed(lambda: _rows(database)),
        )
    ours, bare = sides.seconds
    return Figure(
        f"stats --by day of {_messages(bench):,} messages: {ours:.2f} s",
        f"bare SQL: {bare:.2f} s",
        ours / bare,
    )


def _rows(database: Database) -> list[tuple[str, int, int]]:
    statement = BARE[database.dialect.name]
    with database.transaction(snapshot=True) as connection:
        return [(day, n, size) for day, n, size in connection.exec_driver_sql(statement)]


def _timed(work: Callable[[], object]) -> Run:
    started = time.perf_counter()
    work()
    return Run(time.perf_counter() - started)


CLAIMS = (
    Claim("stats-sqlite", Limit("at most", 1.3), on_sqlite, needs_size=True),
    Claim("stats-postgresql", Limit("at most", 1.3), on_postgresql, needs_size=True),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
