"""`chatdb migrate` with nothing to do against `alembic current`, on SQLite and on PostgreSQL.

Whole processes, in turn, `--rounds` times; the ratio is that of the medians. Both look at the
same database of this checkout.

    python benchmarks/migrate_noop.py --rounds 15
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.postgres import benchmark_server  # noqa: E402 - after the path
from chatdb.db.database import Database  # noqa: E402
from chatdb.db.migrations import upgrade  # noqa: E402
from chatdb.db.url import DatabaseUrl  # noqa: E402
from tests.postgres_server import TEMPLATE  # noqa: E402

LIMIT = 0.45


def seconds(words: list[str], url: DatabaseUrl) -> float:
    """Return how long one process takes from start to end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": url.exposed()}
    started = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", *words], env=environment, check=True, capture_output=True, cwd=ROOT
    )
    return time.perf_counter() - started


def measure(url: DatabaseUrl, rounds: int) -> bool:
    """Print the line of one database; return whether the claim holds."""
    pairs = [
        (seconds(["chatdb", "migrate"], url), seconds(["alembic", "current"], url))
        for _ in range(rounds + 1)
    ][1:]
    ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    print(
        f"chatdb migrate, nothing to do, {url.dialect_name}: {ours * 1000:.0f} ms;"
        f" alembic current: {theirs * 1000:.0f} ms; ratio {ours / theirs:.2f},"
        f" must be under {LIMIT}"
    )
    return bool(ours / theirs < LIMIT)


def main() -> int:
    """Print one line a database; return 1 when the claim does not hold on one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        url = DatabaseUrl(dialect_name="sqlite", path=Path(folder) / "bench.db")
        with Database.open(url, create=True) as database:
            upgrade(database)
        holds = measure(url, rounds)
    with benchmark_server() as server, server.new_database(template=TEMPLATE) as url:
        holds &= measure(url, rounds)
    return int(not holds)


if __name__ == "__main__":
    sys.exit(main())
