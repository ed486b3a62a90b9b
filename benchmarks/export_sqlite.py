"""`chatdb export` of everything from SQLite against reading the same rows with a bare cursor.

Whole processes; the baseline throws the rows away. The ratio is of rows per second.

    python -m benchmarks.export_sqlite
"""

from functools import cache

from benchmarks.databases import chatdb_export, imported_sqlite
from benchmarks.measure import (
    Bench,
    Claim,
    Figure,
    Limit,
    Run,
    Sides,
    in_memory,
    in_turn,
    median_peak,
    memory_figure,
    python,
    run_alone,
    speed_figure,
)

READ = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1])
for table in ("conversations", "messages"):
    for row in connection.execute(f"SELECT * FROM {table}"):
        pass
"""


def sizes(bench: Bench) -> tuple[int, int]:
    """Return the messages of the large and the small database."""
    return bench.size(1_000_000, quick=100_000), bench.size(100_000, quick=30_000)


def speed(bench: Bench) -> Figure:
    """Export the large database."""
    return speed_figure(_exports(bench), f"export of {sizes(bench)[0]:,}", "bare cursor")


@cache
def _exports(bench: Bench) -> Sides:
    url, _ = imported_sqlite(bench, sizes(bench)[0])
    path = url.path
    assert path is not None

    def ours() -> Run:
        in_memory(path)
        return chatdb_export(url, bench.folder / "export.jsonl")

    def theirs() -> Run:
        return python("-c", READ, in_memory(path))

    return in_turn(bench.rounds(5, quick=3), ours, theirs)


def memory(bench: Bench) -> Figure:
    """Compare the peaks of exporting the large and the small database."""
    large, small = sizes(bench)
    url, _ = imported_sqlite(bench, small)
    runs = [chatdb_export(url, bench.folder / "export.jsonl") for _ in range(3)]
    return memory_figure("export", (large, _exports(bench).peak), (small, median_peak(runs)))


CLAIMS = (
    Claim("export-sqlite", Limit("at least", 0.4), speed, needs_size=True),
    Claim("export-sqlite-memory", Limit("at most", 1.2), memory),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
