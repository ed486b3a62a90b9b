"""Embeddings of 1,536 numbers, a message each: in from ChatMCP's tables, and out again.

The import is measured against that of the same rows as a native file, the memory of an export
against that of a smaller one. Both databases have pgvector.

    python -m benchmarks.embeddings
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from benchmarks.databases import chatdb_export, chatdb_import, psql
from benchmarks.import_layout import database_of, import_of
from benchmarks.measure import (
    Bench,
    Claim,
    Figure,
    Limit,
    Run,
    in_turn,
    median_peak,
    memory_figure,
    run_alone,
    speed_figure,
)
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.url import DatabaseUrl

LENGTH = 1_536
_EMBED = (
    "CREATE EXTENSION vector",
    f"ALTER TABLE messages ADD embedding vector({LENGTH})",
    f"""CREATE TABLE made AS SELECT k, array_agg((random() / 10 - 0.05)::real)::vector AS v
    FROM generate_series(0, 99) AS k, generate_series(1, {LENGTH}) GROUP BY k""",
    """UPDATE messages SET embedding = v FROM made
    WHERE k = abs(hashtext(messages.id::text)) % 100""",
    "DROP TABLE made",
)
"""A hundred vectors of random numbers, for every message one."""


def speed(bench: Bench) -> Figure:
    """Import as many messages with embeddings from ChatMCP's tables as from a native file."""
    messages = bench.size(20_000, quick=4_000)
    source, file = _chatmcp(bench, messages), _exported(bench, messages)

    def ours() -> Run:
        with _fresh(bench) as url:
            return import_of(url, source, messages)

    def theirs() -> Run:
        with _fresh(bench) as url:
            return chatdb_import(url, file)

    sides = in_turn(bench.rounds(3, quick=2), ours, theirs)
    return speed_figure(sides, f"import of {messages:,} from chatmcp", "import of a native file")


def memory(bench: Bench) -> Figure:
    """Compare the peaks of exporting many and few embeddings."""
    large, small = bench.size(20_000, quick=8_000), bench.size(4_000, quick=2_000)
    peaks = [
        median_peak([_export(bench, messages) for _ in range(3)]) for messages in (large, small)
    ]
    return memory_figure("export with embeddings", (large, peaks[0]), (small, peaks[1]))


@contextmanager
def _fresh(bench: Bench) -> Iterator[DatabaseUrl]:
    """Make an empty database of chatdb's with pgvector."""
    with bench.server.new_database() as url:
        bench.server.execute("CREATE EXTENSION vector", database=url.database)
        with Database.open(url) as database:
            upgrade(database)
        bench.server.execute("CHECKPOINT")
        yield url


@cache
def _chatmcp(bench: Bench, messages: int) -> DatabaseUrl:
    """Return a database of ChatMCP's whose messages all have an embedding."""
    url = database_of(bench, "chatmcp", messages)
    psql(bench, url, *_EMBED)
    bench.server.execute("VACUUM ANALYZE", database=url.database)
    return url


@cache
def _imported(bench: Bench, messages: int) -> DatabaseUrl:
    url = bench.server.url(f"embedded_{messages}")
    bench.server.execute(f"CREATE DATABASE {url.database}")
    bench.server.execute("CREATE EXTENSION vector", database=url.database)
    with Database.open(url) as database:
        upgrade(database)
    import_of(url, _chatmcp(bench, messages), messages)
    return url


@cache
def _exported(bench: Bench, messages: int) -> Path:
    _export(bench, messages)
    return (bench.folder / "embeddings.jsonl").rename(bench.folder / f"embeddings-{messages}.jsonl")


def _export(bench: Bench, messages: int) -> Run:
    return chatdb_export(_imported(bench, messages), bench.folder / "embeddings.jsonl")


CLAIMS = (
    Claim("import-embeddings", Limit("at least", 0.7), speed, needs_size=True),
    Claim("export-embeddings-memory", Limit("at most", 1.2), memory),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
