"""`chatdb import` into SQLite against `sqlite3.executemany` of ready tuples.

The baseline inserts into the same tables in one transaction, with triggers and FTS5 in place; only
that is timed, not the start of Python nor the reading of the tuples. Ours is the whole command.

    python -m benchmarks.import_sqlite
"""

import pickle
import shutil
import sqlite3
import sys
import time
from functools import cache
from pathlib import Path

from benchmarks.databases import chatdb_import, imported_sqlite, migrated_sqlite
from benchmarks.dataset import native_file, pickled_rows
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
from chatdb.store.columns import names_of


def messages_of(bench: Bench) -> int:
    """Return how many messages are loaded."""
    return bench.size(100_000, quick=30_000)


def into_empty(bench: Bench) -> Figure:
    """Load into a migrated file without rows."""
    ours = f"import of {messages_of(bench):,} into an empty file"
    return speed_figure(_loads(bench), ours, "executemany")


@cache
def _loads(bench: Bench) -> Sides:
    source = native_file(messages_of(bench))
    rows = pickled_rows(source)
    template = bench.folder / "template.db"
    migrated_sqlite(template)

    def fresh() -> Path:
        path = bench.folder / "import.db"
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
        shutil.copy(template, path)
        return path

    def ours() -> Run:
        return chatdb_import(DatabaseUrl(dialect_name="sqlite", path=fresh()), source)

    def theirs() -> Run:
        run = python("-m", "benchmarks.import_sqlite", "--baseline", fresh(), rows)
        return Run(float(run.output), run.peak)

    return in_turn(bench.rounds(3, quick=2), ours, theirs)


def memory(bench: Bench) -> Figure:
    """Compare the peaks of a large and a small import."""
    messages = bench.size(1_000_000, quick=100_000)
    _, run = imported_sqlite(bench, messages)
    return memory_figure("import", (messages, run.peak), (messages_of(bench), _loads(bench).peak))


def executemany(database: str, rows: str) -> None:
    """Insert pickled rows, the baseline, and print the seconds it took."""
    conversations, messages = pickle.loads(Path(rows).read_bytes())  # noqa: S301 - our own file
    connection = sqlite3.connect(database, isolation_level=None)
    started = time.perf_counter()
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("BEGIN")
    for table, columns, values in (
        ("conversations", names_of("conversations"), conversations),
        ("messages", names_of("messages"), messages),
    ):
        marks = ", ".join("?" * len(columns))
        connection.executemany(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values
        )
    connection.execute("COMMIT")
    print(time.perf_counter() - started)
    connection.close()


CLAIMS = (
    Claim("import-sqlite-empty", Limit("at least", 2.8), into_empty, needs_size=True),
    Claim("import-sqlite-memory", Limit("at most", 1.2), memory),
)

if __name__ == "__main__":
    if sys.argv[1:2] == ["--baseline"]:
        executemany(*sys.argv[2:4])
    else:
        run_alone(CLAIMS)
