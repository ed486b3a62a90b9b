"""`chatdb import` into PostgreSQL against `psql \\copy` of the same rows, already formatted.

The baseline loads into the same tables with the same indexes, and runs with `chatdb.bulk = on`, so
that the trigger that keeps `updated_at` costs it nothing. Whole processes; the ratio is of rows per
second.

    python -m benchmarks.import_postgresql
"""

from functools import cache
from pathlib import Path

from benchmarks.databases import chatdb_import, fresh_postgresql, imported_postgresql, psql
from benchmarks.dataset import copy_files, native_file
from benchmarks.measure import (
    Bench,
    Claim,
    Figure,
    Limit,
    Run,
    Sides,
    in_memory,
    in_turn,
    memory_figure,
    run_alone,
    speed_figure,
)
from chatdb.db.url import DatabaseUrl
from chatdb.store.columns import names_of
from tests.postgres_server import TEMPLATE

WITHOUT_INDEX = "template_without_index"
LOADED = "template_loaded"


def messages_of(bench: Bench) -> int:
    """Return how many messages the first two claims load."""
    return bench.size(100_000, quick=30_000)


def into_empty(bench: Bench) -> Figure:
    """Load into a migrated database without rows."""
    return _figure(_loads_into_empty(bench), messages_of(bench), "into an empty database")


@cache
def _loads_into_empty(bench: Bench) -> Sides:
    return _loads(bench, TEMPLATE, native_file(messages_of(bench)))


def into_loaded(bench: Bench) -> Figure:
    """Load into a database that already holds as many other messages."""
    messages = messages_of(bench)
    bench.server.execute(f"CREATE DATABASE {LOADED} TEMPLATE {TEMPLATE}")
    _copy(bench, bench.server.url(LOADED), native_file(messages, seed=2))
    bench.server.execute("VACUUM ANALYZE", database=LOADED)
    return _figure(_loads(bench, LOADED, native_file(messages)), messages, "beside as many")


def without_index(bench: Bench) -> Figure:
    """Load into tables with their constraints and indexes but the full-text one."""
    messages = bench.size(1_000_000, quick=100_000)
    bench.server.execute(f"CREATE DATABASE {WITHOUT_INDEX} TEMPLATE {TEMPLATE}")
    bench.server.execute("DROP INDEX ix_messages_search", database=WITHOUT_INDEX)
    sides = _loads(bench, WITHOUT_INDEX, native_file(messages), ours_into=TEMPLATE)
    return _figure(sides, messages, "without search index")


def memory(bench: Bench) -> Figure:
    """Compare the peaks of a large and a small import, with the search index."""
    messages = bench.size(1_000_000, quick=100_000)
    _, run = imported_postgresql(bench, messages)
    small = _loads_into_empty(bench).peak
    return memory_figure("import", (messages, run.peak), (messages_of(bench), small))


def _figure(sides: Sides, messages: int, where: str) -> Figure:
    return speed_figure(sides, f"import of {messages:,} {where}", "psql \\copy")


def _loads(bench: Bench, template: str, source: Path, *, ours_into: str = "") -> Sides:
    def ours() -> Run:
        with fresh_postgresql(bench, ours_into or template) as url:
            return chatdb_import(url, source, *(["--no-search-index"] if ours_into else []))

    def theirs() -> Run:
        with fresh_postgresql(bench, template) as url:
            return _copy(bench, url, source)

    copy_files(source)
    return in_turn(bench.rounds(3, quick=2), ours, theirs)


def _copy(bench: Bench, url: DatabaseUrl, source: Path) -> Run:
    tables = (("conversations", names_of("conversations")), ("messages", names_of("messages")))
    commands = [
        f"\\copy {table} ({', '.join(columns)}) from '{in_memory(rows)}'"
        for (table, columns), rows in zip(tables, copy_files(source), strict=True)
    ]
    return psql(bench, url, *commands, options="-c chatdb.bulk=on")


CLAIMS = (
    Claim("import-postgresql-empty", Limit("at least", 1.3), into_empty, needs_size=True),
    Claim("import-postgresql-loaded", Limit("at least", 0.9), into_loaded, needs_size=True),
    Claim("import-postgresql-no-index", Limit("at least", 0.8), without_index, needs_size=True),
    Claim("import-postgresql-memory", Limit("at most", 1.2), memory),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
