"""`chatdb migrate` with nothing to do against `alembic current` on the same database.

Whole processes, on SQLite and on PostgreSQL.

    python -m benchmarks.migrate_noop
"""

from benchmarks.databases import migrated_sqlite
from benchmarks.measure import Bench, Claim, Figure, Limit, in_turn, python, run_alone, time_figure
from chatdb.db.url import DatabaseUrl
from tests.postgres_server import TEMPLATE


def on_sqlite(bench: Bench) -> Figure:
    """Measure on a SQLite file."""
    return nothing_to_do(bench, migrated_sqlite(bench.folder / "migrate.db"))


def on_postgresql(bench: Bench) -> Figure:
    """Measure on a PostgreSQL database."""
    with bench.server.new_database(template=TEMPLATE) as url:
        return nothing_to_do(bench, url)


def nothing_to_do(bench: Bench, url: DatabaseUrl) -> Figure:
    """Compare both commands on a migrated database."""
    python("-m", "chatdb", "migrate", DATABASE_URL=url.exposed())
    sides = in_turn(
        bench.rounds(15, quick=5),
        lambda: python("-m", "chatdb", "migrate", DATABASE_URL=url.exposed()),
        lambda: python("-m", "alembic", "current", DATABASE_URL=url.exposed()),
    )
    return time_figure(sides, "chatdb migrate", "alembic current")


CLAIMS = (
    Claim("migrate-sqlite", Limit("under", 0.45), on_sqlite),
    Claim("migrate-postgresql", Limit("under", 0.45), on_postgresql),
)

if __name__ == "__main__":
    run_alone(CLAIMS)
