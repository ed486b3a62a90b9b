"""`chatdb restore` against bare pg_restore of the same dump into a new database.

pg_restore gets what is best for it: a file that is not compressed, a job for each core, and
maintenance_work_mem that is enough for every index. chatdb restores its own compressed backup.
Looking at everything again (checksums, counts, the planner's statistics) is what pg_restore does
not do: it is taken off, and given as a claim of its own.

    python -m benchmarks.restore --quick
"""

import json
import os
from functools import cache
from pathlib import Path
from uuid import uuid4

from benchmarks.databases import imported_postgresql
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
    python,
    run_alone,
    time_figure,
    timed,
)
from chatdb.db.url import DatabaseUrl
from tests.postgres_server import PASSWORD

_MESSAGES = 1_000_000
_MEMORY = "1GB"


def restore(bench: Bench) -> Figure:
    """Compare a restore without its checks with pg_restore."""
    jobs = os.cpu_count() or 1
    theirs = f"pg_restore -j{jobs}, maintenance_work_mem {_MEMORY}"
    return time_figure(_sides(bench), f"restore of {_large(bench):,} messages", theirs)


def checks(bench: Bench) -> Figure:
    """Give the share of a whole restore that goes into checks and statistics."""
    runs = [_report(run) for run in _sides(bench).ours]
    apart = sum(run["check_seconds"] + run["analyze_seconds"] for run in runs)
    whole = sum(run["seconds"] for run in runs) + apart
    return Figure(
        f"checks and statistics: {apart / len(runs):.1f} s",
        f"whole restore: {whole / len(runs):.1f} s",
        apart / whole,
    )


def memory(bench: Bench) -> Figure:
    """Compare the memory of a large restore with that of a small one."""
    small = max(_large(bench) // 10, 5_000)
    runs = [(size, _chatdb(bench, size).peak) for size in (_large(bench), small)]
    return memory_figure("restore", *runs)


def _large(bench: Bench) -> int:
    return bench.size(_MESSAGES, quick=50_000)


@cache
def _sides(bench: Bench) -> Sides:
    messages = _large(bench)

    def ours() -> Run:
        run = _chatdb(bench, messages)
        told = _report(run)
        apart = told["check_seconds"] + told["analyze_seconds"]
        return Run(run.seconds - apart, run.peak, run.output)

    return in_turn(bench.rounds(3, quick=2), ours, lambda: _pg_restore(bench, messages))


def _report(run: Run) -> dict[str, float]:
    told: dict[str, float] = json.loads(run.output[run.output.index("{") :])
    return told


def _chatdb(bench: Bench, messages: int) -> Run:
    backup, _ = _dumps(bench, messages)
    url = _fresh(bench)
    bench.server.execute("CHECKPOINT")
    words = ("-m", "chatdb", "restore", in_memory(backup), "--yes", "--quiet", "--format", "json")
    try:
        return python(*words, "--into", url.exposed())
    finally:
        bench.server.execute(f"DROP DATABASE {url.database}")


def _pg_restore(bench: Bench, messages: int) -> Run:
    _, dump = _dumps(bench, messages)
    url = _fresh(bench)
    bench.server.execute("CHECKPOINT", f"CREATE DATABASE {url.database} TEMPLATE template0")
    jobs = str(os.cpu_count() or 1)
    words = (bench.server.binaries / "pg_restore", "-j", jobs, "-d", url.database, in_memory(dump))
    options = f"-c maintenance_work_mem={_MEMORY}"
    try:
        return timed(words, **_login(url), PGOPTIONS=options)
    finally:
        bench.server.execute(f"DROP DATABASE {url.database}")


def _fresh(bench: Bench) -> DatabaseUrl:
    return bench.server.url(f"restored_{uuid4().hex[:8]}")


@cache
def _dumps(bench: Bench, messages: int) -> tuple[Path, Path]:
    """Make chatdb's backup and pg_dump's file without compression."""
    url, _ = imported_postgresql(bench, messages)
    folder = bench.folder / f"backups-{messages}"
    backup = ("-m", "chatdb", "backup", "create", "--quiet", "--output", folder)
    python(*backup, DATABASE_URL=url.exposed())
    dump = bench.folder / f"{messages}.dump"
    words = (bench.server.binaries / "pg_dump", "-Fc", "--compress=0", "-f", dump, url.database)
    timed(words, **_login(url))
    return next(folder.glob("*.dump*")), dump


def _login(url: DatabaseUrl) -> dict[str, str]:
    return {"PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.user, "PGPASSWORD": PASSWORD}


CLAIMS = (
    Claim("restore", Limit("at most", 1.10), restore, needs_size=True),
    Claim("restore-checks", Limit("under", 0.5), checks),
    Claim("restore-memory", Limit("at most", 1.2), memory),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
