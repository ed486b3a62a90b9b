"""`chatdb backup` against bare pg_dump, and against SQLite's backup API with zstd after it.

Ours also counts and hashes what is in the database, checks a SQLite copy, sums the files up and
syncs them to the disk. Whole processes; the database has no full-text index on PostgreSQL, which
no dump holds either.

    python -m benchmarks.backup --quick
"""

import shutil
from functools import cache
from pathlib import Path

from benchmarks.databases import chatdb_import, imported_sqlite
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
    time_figure,
    timed,
)
from chatdb.db.postgresql.conninfo import conninfo
from chatdb.db.url import DatabaseUrl
from tests.postgres_server import PASSWORD, TEMPLATE

_BACKUP_AND_ZSTD = """
import sqlite3, subprocess, sys
source, copy = sqlite3.connect(sys.argv[1]), sqlite3.connect(sys.argv[2])
source.backup(copy)
copy.close()
subprocess.run(["zstd", "-3", "-q", "-f", "--single-thread", sys.argv[2]], check=True)
"""


def against_default(bench: Bench) -> Figure:
    """Compare with `pg_dump -Fc` as it comes, which compresses by gzip."""
    return speed_figure(_against_default(bench), _told(bench), "pg_dump -Fc")


def size(bench: Bench) -> Figure:
    """Compare the sizes of the same two."""
    _against_default(bench)
    ours = sum(path.stat().st_size for path in _place(bench).glob("*.dump.zst"))
    theirs = _dumped(bench).stat().st_size
    shown = (f"{ours / 1e6:.1f} MB", f"pg_dump -Fc: {theirs / 1e6:.1f} MB")
    return Figure(*shown, ours / theirs)


def against_uncompressed(bench: Bench) -> Figure:
    """Compare with a dump that is not compressed at all."""
    url = _filled(bench, _large(bench))
    sides = in_turn(
        bench.rounds(3, quick=2),
        lambda: _backup(bench, url),
        lambda: _pg_dump(bench, url, "--compress=0"),
    )
    return time_figure(sides, _told(bench), "pg_dump -Fc --compress=0")


def sqlite(bench: Bench) -> Figure:
    """Compare with a copy by the backup API that zstd compresses on one thread."""
    messages = _large(bench)
    url, _ = imported_sqlite(bench, messages)

    def theirs() -> Run:
        copy = bench.folder / "copied.db"
        copy.unlink(missing_ok=True)
        return python("-c", _BACKUP_AND_ZSTD, url.sqlite_path, copy)

    sides = in_turn(bench.rounds(3, quick=2), lambda: _backup(bench, url), theirs)
    what = f"backup of {messages:,}, checked"
    return time_figure(sides, what, "backup API, then zstd -3")


def memory(bench: Bench) -> Figure:
    """Compare the peaks of a large and a small backup."""
    large, small = _large(bench), bench.size(100_000, quick=30_000)
    peaks = [(each, _backup(bench, _filled(bench, each)).peak) for each in (large, small)]
    return memory_figure("backup", *peaks)


@cache
def _against_default(bench: Bench) -> Sides:
    url = _filled(bench, _large(bench))
    return in_turn(
        bench.rounds(2, quick=1), lambda: _backup(bench, url), lambda: _pg_dump(bench, url)
    )


@cache
def _filled(bench: Bench, messages: int) -> DatabaseUrl:
    """Return a database with so many messages, without their search index."""
    name = f"backed_up_{messages}"
    bench.server.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    url = bench.server.url(name)
    chatdb_import(url, native_file(messages), "--no-search-index")
    bench.server.execute("VACUUM ANALYZE", "CHECKPOINT", database=name)
    return url


def _backup(bench: Bench, url: DatabaseUrl) -> Run:
    place = _place(bench)
    shutil.rmtree(place, ignore_errors=True)
    words = ("-m", "chatdb", "backup", "create", "--quiet", "--output", place)
    return python(*words, DATABASE_URL=url.exposed(), CHATDB_PG_BINDIR=str(bench.server.binaries))


def _pg_dump(bench: Bench, url: DatabaseUrl, *options: str) -> Run:
    target = _dumped(bench)
    target.unlink(missing_ok=True)
    program = bench.server.binaries / "pg_dump"
    words = ("-Fc", f"--file={target}", *options, conninfo(url))
    return timed((program, *words), PGPASSWORD=PASSWORD)


def _place(bench: Bench) -> Path:
    return bench.folder / "backups"


def _dumped(bench: Bench) -> Path:
    return bench.folder / "theirs.dump"


def _told(bench: Bench) -> str:
    return f"backup of {_large(bench):,}"


def _large(bench: Bench) -> int:
    return bench.size(1_000_000, quick=100_000)


CLAIMS = (
    Claim("backup-postgresql", Limit("at least", 4), against_default, needs_size=True),
    Claim("backup-postgresql-size", Limit("at most", 1), size),
    Claim(
        "backup-postgresql-uncompressed",
        Limit("at most", 1.6),
        against_uncompressed,
        needs_size=True,
    ),
    Claim("backup-sqlite", Limit("at most", 1.2), sqlite, needs_size=True),
    Claim("backup-memory", Limit("at most", 1.2), memory),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
