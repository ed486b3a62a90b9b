"""`chatdb seed` against `chatdb import` of a native file with the same conversations.

Both go the same way in; the difference is making records and reading them. Whole processes, into
empty migrated databases.

    python -m benchmarks.seed
"""

import shutil
from pathlib import Path

from benchmarks.databases import chatdb_import, fresh_postgresql, migrated_sqlite
from benchmarks.dataset import seeded_file
from benchmarks.measure import (
    Bench,
    Claim,
    Figure,
    Limit,
    Run,
    Sides,
    in_turn,
    memory_figure,
    python,
    run_alone,
    speed_figure,
)
from chatdb.db.url import DatabaseUrl
from chatdb.seeds.plan import CONVERSATIONS, Size


def conversations_of(bench: Bench) -> int:
    """Return how many conversations are made: those of `--size large`, of 100,000 messages."""
    return bench.size(CONVERSATIONS[Size.LARGE], quick=CONVERSATIONS[Size.MEDIUM])


def into_sqlite(bench: Bench) -> Figure:
    """Seed an empty file."""
    template = bench.folder / "seed-template.db"
    migrated_sqlite(template)

    def fresh() -> DatabaseUrl:
        path = bench.folder / "seeded.db"
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        shutil.copy(template, path)
        return DatabaseUrl(dialect_name="sqlite", path=path)

    count = conversations_of(bench)
    source = seeded_file(count)
    sides = in_turn(
        bench.rounds(3, quick=2),
        lambda: chatdb_seed(fresh(), count),
        lambda: chatdb_import(fresh(), source),
    )
    return _figure(sides, count, "SQLite")


def into_postgresql(bench: Bench) -> Figure:
    """Seed an empty database."""
    count = conversations_of(bench)
    source = seeded_file(count)

    def ours() -> Run:
        with fresh_postgresql(bench) as url:
            return chatdb_seed(url, count)

    def theirs() -> Run:
        with fresh_postgresql(bench) as url:
            return chatdb_import(url, source)

    return _figure(in_turn(bench.rounds(3, quick=2), ours, theirs), count, "PostgreSQL")


def memory(bench: Bench) -> Figure:
    """Compare the peaks of a large and a small run; SQLite's page cache would be in them."""

    def peak(count: int) -> tuple[int, int]:
        with fresh_postgresql(bench) as url:
            return count, chatdb_seed(url, count).peak

    large, small = bench.size(40_000, quick=8_000), bench.size(8_000, quick=2_000)
    return memory_figure("seed of conversations", peak(large), peak(small))


def chatdb_seed(url: DatabaseUrl, conversations: int) -> Run:
    """Run `chatdb seed`."""
    command = ("-m", "chatdb", "seed", "--quiet", "--conversations", str(conversations))
    return python(*command, DATABASE_URL=url.exposed())


def _figure(sides: Sides, count: int, where: str) -> Figure:
    return speed_figure(sides, f"seed of {count:,} conversations on {where}", "import of the same")


CLAIMS = (
    Claim("seed-sqlite", Limit("at least", 0.8), into_sqlite),
    Claim("seed-postgresql", Limit("at least", 0.8), into_postgresql),
    Claim("seed-memory", Limit("at most", 1.2), memory),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
