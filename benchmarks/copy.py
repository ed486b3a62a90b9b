"""`chatdb copy` against `chatdb import` of a native file with the same rows, into the same place.

A copy reads a database instead of a file, and reads all of what it has written to compare it.
Whole processes, into empty migrated databases, with the search index.

    python -m benchmarks.copy --quick
"""

import shutil
from functools import cache
from pathlib import Path

from benchmarks.databases import (
    chatdb_import,
    fresh_postgresql,
    imported_postgresql,
    imported_sqlite,
    migrated_sqlite,
)
from benchmarks.dataset import native_file
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


def to_postgresql(bench: Bench) -> Figure:
    """Copy a SQLite file into an empty PostgreSQL database."""
    messages = _large(bench)
    what = f"copy of {messages:,}, SQLite to PostgreSQL"
    return speed_figure(_into_postgresql(bench, messages), what, "import of the same")


def to_sqlite(bench: Bench) -> Figure:
    """Copy a PostgreSQL database into an empty SQLite file."""
    messages = _small(bench)
    source, _ = imported_postgresql(bench, messages)
    template = bench.folder / "copy-template.db"
    migrated_sqlite(template)

    def fresh() -> DatabaseUrl:
        path = bench.folder / "copied.db"
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        shutil.copy(template, path)
        return DatabaseUrl(dialect_name="sqlite", path=path)

    sides = in_turn(
        bench.rounds(3, quick=2),
        lambda: chatdb_copy(source, fresh()),
        lambda: chatdb_import(fresh(), native_file(messages)),
    )
    return speed_figure(sides, f"copy of {messages:,}, PostgreSQL to SQLite", "import of the same")


def memory(bench: Bench) -> Figure:
    """Compare the peaks of a large and a small copy."""
    large, small = _large(bench), _small(bench)
    peaks = [(size, _into_postgresql(bench, size).peak) for size in (large, small)]
    return memory_figure("copy", *peaks)


def chatdb_copy(source: DatabaseUrl, destination: DatabaseUrl) -> Run:
    """Run `chatdb copy`."""
    return python("-m", "chatdb", "copy", "--quiet", source.exposed(), destination.exposed())


@cache
def _into_postgresql(bench: Bench, messages: int) -> Sides:
    source, _ = imported_sqlite(bench, messages)

    def ours() -> Run:
        with fresh_postgresql(bench) as url:
            return chatdb_copy(source, url)

    def theirs() -> Run:
        with fresh_postgresql(bench) as url:
            return chatdb_import(url, native_file(messages))

    return in_turn(bench.rounds(1, quick=1), ours, theirs)


def _large(bench: Bench) -> int:
    return bench.size(1_000_000, quick=100_000)


def _small(bench: Bench) -> int:
    return bench.size(100_000, quick=30_000)


CLAIMS = (
    Claim("copy-to-postgresql", Limit("at least", 0.7), to_postgresql, needs_size=True),
    Claim("copy-to-sqlite", Limit("at least", 0.7), to_sqlite, needs_size=True),
    Claim("copy-memory", Limit("at most", 1.2), memory),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
