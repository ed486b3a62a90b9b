"""`chatdb smoke-test` against `chatdb status`, as processes, on one database.

Each database holds what `chatdb seed --size medium` makes and lies in no folder with backups.

    python -m benchmarks.status
"""

from benchmarks.databases import fresh_postgresql, migrated_sqlite
from benchmarks.measure import Bench, Claim, Figure, Limit, Run, in_turn, python, run_alone
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.operations.seeding.seed import seed
from chatdb.seeds.plan import SeedOptions, Size


def on_sqlite(bench: Bench) -> Figure:
    """Measure on a SQLite file."""
    url = migrated_sqlite(bench.folder / "smoke.db")
    return _compare(bench, url, "SQLite")


def on_postgresql(bench: Bench) -> Figure:
    """Measure on a PostgreSQL database."""
    with fresh_postgresql(bench) as url:
        return _compare(bench, url, "PostgreSQL")


def _compare(bench: Bench, url: DatabaseUrl, where: str) -> Figure:
    size = Size.SMALL if bench.quick else Size.MEDIUM
    with Database.open(url) as database:
        seed(database, SeedOptions(size=size))
    rounds = bench.rounds(21, quick=7)
    sides = in_turn(rounds, lambda: _chatdb(url, "smoke-test"), lambda: _chatdb(url, "status"))
    smoke, status = sides.seconds
    return Figure(
        f"chatdb smoke-test on {where}: {1000 * smoke:.0f} ms",
        f"chatdb status: {1000 * status:.0f} ms",
        smoke / status,
    )


def _chatdb(url: DatabaseUrl, command: str) -> Run:
    return python("-m", "chatdb", command, DATABASE_URL=url.exposed())


CLAIMS = (
    Claim("smoke-test-sqlite", Limit("at most", 4.0), on_sqlite),
    Claim("smoke-test-postgresql", Limit("at most", 4.0), on_postgresql),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
