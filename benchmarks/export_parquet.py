"""`chatdb export` to one file of Parquet against the native export of the same database.

Whole processes in turn, so the ratios are of the same minutes; the size is against native lines
without compression.

    python -m benchmarks.export_parquet
"""

from functools import cache
from pathlib import Path

from benchmarks.databases import chatdb_export, imported_postgresql, imported_sqlite
from benchmarks.export_sqlite import sizes
from benchmarks.measure import (
    Bench,
    Claim,
    Figure,
    Limit,
    Sides,
    in_memory,
    in_turn,
    median_peak,
    memory_figure,
    run_alone,
    speed_figure,
)
from chatdb.db.url import DatabaseUrl


def on_sqlite(bench: Bench) -> Figure:
    """Export the large database from SQLite."""
    return speed_figure(_from_sqlite(bench), "Parquet", f"native export of {sizes(bench)[0]:,}")


def on_postgresql(bench: Bench) -> Figure:
    """Export the large database from PostgreSQL."""
    url, _ = imported_postgresql(bench, sizes(bench)[0])
    sides = _in_turn(bench, url, bench.rounds(5, quick=3))
    return speed_figure(sides, "Parquet", f"native export of {sizes(bench)[0]:,}")


def size(bench: Bench) -> Figure:
    """Compare the files."""
    _from_sqlite(bench)
    ours, theirs = (_file(bench, name).stat().st_size for name in ("parquet", "jsonl"))
    return Figure(f"Parquet: {ours / 1e6:.0f} MB", f"native: {theirs / 1e6:.0f} MB", ours / theirs)


def memory(bench: Bench) -> Figure:
    """Compare the peaks of the large database and of one a third as large."""
    large, _ = sizes(bench)
    small = large * 3 // 10
    url, _ = imported_sqlite(bench, small)
    runs = [chatdb_export(url, _file(bench, "parquet")) for _ in range(bench.rounds(3, quick=1))]
    peak = _from_sqlite(bench).peak
    return memory_figure("export", (large, peak), (small, median_peak(runs)))


@cache
def _from_sqlite(bench: Bench) -> Sides:
    url, _ = imported_sqlite(bench, sizes(bench)[0])
    assert url.path is not None
    in_memory(url.path)
    return _in_turn(bench, url, bench.rounds(5, quick=3))


def _in_turn(bench: Bench, url: DatabaseUrl, rounds: int) -> Sides:
    parquet, native = _file(bench, "parquet"), _file(bench, "jsonl")
    return in_turn(rounds, lambda: chatdb_export(url, parquet), lambda: chatdb_export(url, native))


def _file(bench: Bench, ending: str) -> Path:
    return bench.folder / f"export.{ending}"


CLAIMS = (
    Claim("export-parquet-sqlite", Limit("at least", 0.5), on_sqlite, needs_size=True),
    Claim("export-parquet-postgresql", Limit("at least", 0.5), on_postgresql, needs_size=True),
    Claim("export-parquet-size", Limit("at most", 0.6), size),
    Claim("export-parquet-memory", Limit("at most", 1.2), memory),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
