"""`conversations list`: the first page against a page deep in the list, on both databases.

Within one process, in turn, `--rounds` times each; the ratio is that of the medians. The deep page
is reached by its cursor and checked to be the right one.

    python benchmarks/list_pages.py --conversations 1000000 --page 20000
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import sqlalchemy as sa  # noqa: E402 - after the path

from benchmarks.postgres import benchmark_server  # noqa: E402
from chatdb.db.database import Database  # noqa: E402
from chatdb.db.migrations import upgrade  # noqa: E402
from chatdb.db.url import DatabaseUrl  # noqa: E402
from chatdb.operations.conversations import list_page  # noqa: E402
from chatdb.operations.paging import cursor_of  # noqa: E402
from chatdb.records import organization_id_of  # noqa: E402
from tests.postgres_server import TEMPLATE  # noqa: E402

LIMIT = 2.0
PAGE_LENGTH = 50
START = datetime(2025, 1, 1, tzinfo=UTC)
SAME_TIME = 10
"""Conversations that were updated at the same moment: the id has to part them."""

POSTGRESQL = (
    (
        "INSERT INTO conversations (organization_id, id, title, created_at, updated_at, metadata)"
        " SELECT :organization, lpad(to_hex(n), 32, '0')::uuid, 'Conversation ' || n, :start,"
        " :start + make_interval(secs => n / :same), '{}' FROM generate_series(1, :count) n"
    ),
    (
        "INSERT INTO messages (organization_id, conversation_id, id, position, role, content,"
        " metadata, created_at) SELECT organization_id, id, id, 0, 'user', '', '{}', created_at"
        " FROM conversations"
    ),
)
SQLITE = (
    (
        "INSERT INTO conversations (organization_id, id, title, created_at, updated_at, metadata)"
        " WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < :count)"
        " SELECT :organization, printf('00000000-0000-0000-0000-%012x', n), 'Conversation ' || n,"
        " :start, strftime('%Y-%m-%dT%H:%M:%S.000000Z', :start, (n / :same) || ' seconds'), '{}'"
        " FROM s"
    ),
    POSTGRESQL[1],
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many conversations, and which page of them to compare with the first."""

    conversations: int
    page: int
    rounds: int


@contextmanager
def filled_postgresql(wanted: Wanted) -> Iterator[Database]:
    """Yield a PostgreSQL database with so many conversations, a message in each."""
    with (
        benchmark_server() as server,
        server.new_database(template=TEMPLATE) as url,
        Database.open(url) as database,
    ):
        fill(database, POSTGRESQL, wanted, organization=organization_id_of("default"), start=START)
        with database.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(
                "VACUUM ANALYZE"
            )
        yield database


@contextmanager
def filled_sqlite(wanted: Wanted) -> Iterator[Database]:
    """Yield a SQLite database with the same rows."""
    with tempfile.TemporaryDirectory(prefix="chatdb-bench-") as folder:
        url = DatabaseUrl(dialect_name="sqlite", path=Path(folder) / "list.db")
        with Database.open(url, create=True) as database:
            upgrade(database)
            fill(
                database,
                SQLITE,
                wanted,
                organization=str(organization_id_of("default")),
                start=f"{START:%Y-%m-%dT%H:%M:%S.%f}Z",
            )
            yield database


def fill(
    database: Database,
    statements: tuple[str, ...],
    wanted: Wanted,
    *,
    organization: object,
    start: object,
) -> None:
    """Run the statements, the touching triggers kept from changing `updated_at`."""
    values = {"organization": organization, "start": start, "same": SAME_TIME}
    with database.transaction(write=True, settings={"chatdb.bulk": "on"}) as connection:
        if database.dialect.name == "sqlite":
            for event in ("insert", "update", "delete"):
                connection.exec_driver_sql(f"DROP TRIGGER messages_touch_{event}")
        for statement in statements:
            names = {name: value for name, value in values.items() if f":{name}" in statement}
            if ":count" in statement:
                names["count"] = wanted.conversations
            connection.execute(sa.text(statement), names)


def measure(database: Database, wanted: Wanted) -> bool:
    """Print the line of one database; return whether the claim holds."""
    last_before = wanted.conversations - (wanted.page - 1) * PAGE_LENGTH + 1
    updated_at = START + timedelta(seconds=last_before // SAME_TIME)
    cursor = cursor_of("conversations", updated_at, (UUID(int=last_before),))
    first = list_page(database, organization_key="default", limit=PAGE_LENGTH)
    deep = list_page(database, organization_key="default", limit=PAGE_LENGTH, after=cursor)
    assert first.items[0].id.int == wanted.conversations
    assert deep.items[0].id.int == last_before - 1
    assert len(deep.items) == PAGE_LENGTH
    pairs = [
        (seconds(database, None), seconds(database, cursor)) for _ in range(wanted.rounds + 1)
    ][1:]
    at_first, at_deep = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = max(at_first, at_deep) / min(at_first, at_deep)
    print(
        f"conversations list of {wanted.conversations:,}, {database.dialect.name}: page 1"
        f" {at_first * 1000:.1f} ms, page {wanted.page:,} {at_deep * 1000:.1f} ms;"
        f" ratio {ratio:.2f}, must be under {LIMIT}"
    )
    return bool(ratio < LIMIT)


def seconds(database: Database, cursor: str | None) -> float:
    """Return how long one page takes, its connection included."""
    started = time.perf_counter()
    list_page(database, organization_key="default", limit=PAGE_LENGTH, after=cursor)
    return time.perf_counter() - started


def main() -> int:
    """Measure both databases; the exit code tells whether the claim holds on both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=1_000_000)
    parser.add_argument("--page", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    wanted = Wanted(options.conversations, options.page, options.rounds)
    if wanted.page < 1 or wanted.page * PAGE_LENGTH > wanted.conversations:
        parser.error(f"there are no {wanted.page} pages of {PAGE_LENGTH} conversations")
    held = []
    for filled in (filled_sqlite, filled_postgresql):
        with filled(wanted) as database:
            held.append(measure(database, wanted))
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
