"""`chatdb export` of everything from PostgreSQL against `COPY (same rows) TO STDOUT` to a file.

Whole processes, psql for the baseline, which writes the rows in the order they lie in. The ratio is
of rows per second.

    python -m benchmarks.export_postgresql
"""

from functools import cache

from benchmarks.databases import chatdb_export, imported_postgresql, psql
from benchmarks.measure import (
    Bench,
    Claim,
    Figure,
    Limit,
    Sides,
    in_turn,
    median_peak,
    memory_figure,
    run_alone,
    speed_figure,
)


def sizes(bench: Bench) -> tuple[int, int]:
    """Return the messages of the large and the small database."""
    return bench.size(1_000_000, quick=100_000), bench.size(100_000, quick=30_000)


def speed(bench: Bench) -> Figure:
    """Export the large database."""
    return speed_figure(_exports(bench), f"export of {sizes(bench)[0]:,}", "COPY to a file")


@cache
def _exports(bench: Bench) -> Sides:
    url, _ = imported_postgresql(bench, sizes(bench)[0])
    baseline = bench.folder / "baseline.copy"
    commands = [f"\\o {baseline}"]
    commands += [f"COPY (SELECT * FROM {name}) TO STDOUT" for name in ("conversations", "messages")]
    return in_turn(
        bench.rounds(5, quick=3),
        lambda: chatdb_export(url, bench.folder / "export.jsonl"),
        lambda: psql(bench, url, *commands),
    )


def memory(bench: Bench) -> Figure:
    """Compare the peaks of exporting the large and the small database."""
    large, small = sizes(bench)
    url, _ = imported_postgresql(bench, small)
    runs = [chatdb_export(url, bench.folder / "export.jsonl") for _ in range(3)]
    return memory_figure("export", (large, _exports(bench).peak), (small, median_peak(runs)))


CLAIMS = (
    Claim("export-postgresql", Limit("at least", 0.5), speed, needs_size=True),
    Claim("export-postgresql-memory", Limit("at most", 1.2), memory),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
