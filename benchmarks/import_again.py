"""Importing, importing again what is there, and the memory of a large ChatGPT export.

CPU seconds of the client and of PostgreSQL's backends, which say more than wall time on a machine
with other work. `import-*-before` compares with another build of chatdb, whose command stands in
`CHATDB_BENCH_BEFORE` (such as `../before/.venv/bin/chatdb`); without it with this build itself.

    python -m benchmarks.import_again
"""

import os
import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from benchmarks.databases import fresh_postgresql, migrated_sqlite
from benchmarks.dataset import chatgpt_file, native_file
from benchmarks.measure import Bench, Claim, Figure, Limit, Run, in_memory, run_alone, timed
from chatdb.db.url import DatabaseUrl

BEFORE = os.environ.get("CHATDB_BENCH_BEFORE")
MOST_MEGABYTES = 180

Fresh = Callable[[Bench], AbstractContextManager[DatabaseUrl]]


@contextmanager
def fresh_sqlite(bench: Bench) -> Iterator[DatabaseUrl]:
    """Make a SQLite file for one run."""
    path = bench.folder / "again.db"
    yield migrated_sqlite(path)
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _import(bench: Bench, url: DatabaseUrl, path: Path, *, by: str | None = None) -> Run:
    command: list[str | Path] = [sys.executable, "-m", "chatdb"] if by is None else [by]
    in_memory(path)
    started = _server_cpu(bench, url)
    run = timed([*command, "import", "--quiet", path], DATABASE_URL=url.exposed())
    return replace(run, cpu=run.cpu + _server_cpu(bench, url) - started)


def _server_cpu(bench: Bench, url: DatabaseUrl) -> float:
    """Return the seconds of CPU that backends which have ended took so far; 0 on SQLite."""
    if url.dialect_name == "sqlite":
        return 0.0
    pid = (bench.server.folder / "data" / "postmaster.pid").read_text().split()[0]
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    children = sum(map(int, fields[13:15]))  # cutime and cstime
    return children / os.sysconf("SC_CLK_TCK")


def _cpu(runs: Sequence[Run]) -> float:
    return statistics.median(run.cpu for run in runs)


def _figure(what: str, ours: Sequence[Run], other: str, theirs: Sequence[Run]) -> Figure:
    mine, reference = _cpu(ours), _cpu(theirs)
    return Figure(f"{what}: {mine:.2f} s of CPU", f"{other}: {reference:.2f} s", mine / reference)


def before(bench: Bench, fresh: Fresh) -> Figure:
    """Import a native file by the build before and by this one, in turn."""
    messages = bench.size(100_000, quick=30_000)
    path = native_file(messages)
    ours: list[Run] = []
    theirs: list[Run] = []
    for _ in range(bench.rounds(5, quick=2)):
        for runs, command in ((theirs, BEFORE), (ours, None)):
            with fresh(bench) as url:
                runs.append(_import(bench, url, path, by=command))
    return _figure(f"import of {messages:,}", ours, "the build before", theirs)


def again(bench: Bench, fresh: Fresh, source: Callable[[Bench], Path]) -> Figure:
    """Import a file into an empty database, and the same file again."""
    path = source(bench)
    first: list[Run] = []
    second: list[Run] = []
    for _ in range(bench.rounds(5, quick=2)):
        with fresh(bench) as url:
            first.append(_import(bench, url, path))
            second.append(_import(bench, url, path))
    return _figure(f"{path.name.split('-')[0]} again", second, "the first import", first)


def memory(bench: Bench, fresh: Fresh) -> Figure:
    """Compare the highest resident memory of an import of ChatGPT with what it may be."""
    megabytes = bench.size(300, quick=50)
    with fresh(bench) as url:
        peak = _import(bench, url, chatgpt_file(megabytes)).resident / 1e6
    ours = f"import of {megabytes} MB of ChatGPT: {peak:.0f} MB resident"
    return Figure(ours, f"{MOST_MEGABYTES} MB", peak / MOST_MEGABYTES)


def chatgpt(bench: Bench) -> Path:
    """Return a ChatGPT export."""
    return chatgpt_file(bench.size(50, quick=20))


def native(bench: Bench) -> Path:
    """Return a native file."""
    return native_file(bench.size(100_000, quick=30_000))


def _claims(database: str, fresh: Fresh) -> Iterator[Claim]:
    yield Claim(
        f"import-{database}-before",
        Limit("at most", 1.05),
        partial(before, fresh=fresh),
        needs_size=True,
    )
    for name, source in (("chatgpt", chatgpt), ("native", native)):
        yield Claim(
            f"import-{database}-again-{name}",
            Limit("at most", 0.4),
            partial(again, fresh=fresh, source=source),
            needs_size=True,
        )
    yield Claim(f"import-{database}-resident", Limit("at most", 1.0), partial(memory, fresh=fresh))


CLAIMS = (*_claims("sqlite", fresh_sqlite), *_claims("postgresql", fresh_postgresql))

if __name__ == "__main__":
    run_alone(CLAIMS)
