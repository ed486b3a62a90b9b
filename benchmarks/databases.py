"""Databases to measure on, and whole imports into them and exports out of them."""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from benchmarks.dataset import native_file
from benchmarks.measure import Bench, Figure, Run, in_memory, python, timed
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.url import DatabaseUrl
from chatdb.operations.security import roles
from tests.postgres_server import PASSWORD, TEMPLATE


def migrated_sqlite(path: Path) -> DatabaseUrl:
    """Make a SQLite file with nothing but the schema in it."""
    url = DatabaseUrl(dialect_name="sqlite", path=path)
    with Database.open(url, create=True) as database:
        upgrade(database)
    return url


@contextmanager
def fresh_postgresql(bench: Bench, template: str = TEMPLATE) -> Iterator[DatabaseUrl]:
    """Make a database for one run, once all is written that the run before left to write."""
    with bench.server.new_database(template=template) as url:
        bench.server.execute("CHECKPOINT")
        yield url


def psql(bench: Bench, url: DatabaseUrl, *commands: str, options: str = "") -> Run:
    """Run commands by the server's own psql, stopping at an error."""
    words: list[str | Path] = [bench.server.binaries / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"]
    words += [word for command in commands for word in ("-c", command)]
    return timed(
        words,
        PGHOST=url.host,
        PGPORT=url.port,
        PGUSER=url.user,
        PGPASSWORD=PASSWORD,
        PGDATABASE=url.database,
        PGOPTIONS=options,
    )


def chatdb_import(url: DatabaseUrl, path: Path, *options: str) -> Run:
    """Run `chatdb import` of a file."""
    command = ("-m", "chatdb", "import", "--quiet", *options)
    return python(*command, in_memory(path), DATABASE_URL=url.exposed())


def chatdb_export(url: DatabaseUrl, path: Path) -> Run:
    """Run `chatdb export` of everything to a native file."""
    command = ("-m", "chatdb", "export", "--quiet", "--force", "--output")
    return python(*command, path, DATABASE_URL=url.exposed())


@cache
def imported_sqlite(bench: Bench, messages: int) -> tuple[DatabaseUrl, Run]:
    """Return a file into which so many messages were imported, and that import."""
    url = migrated_sqlite(bench.folder / f"imported-{messages}.db")
    return url, chatdb_import(url, native_file(messages))


@cache
def imported_postgresql(bench: Bench, messages: int) -> tuple[DatabaseUrl, Run]:
    """Return a database into which so many messages were imported, and that import."""
    name = f"imported_{messages}"
    bench.server.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    url = bench.server.url(name)
    run = chatdb_import(url, native_file(messages))
    bench.server.execute("VACUUM ANALYZE", database=name)
    return url, run


@cache
def app_url(bench: Bench, messages: int) -> DatabaseUrl:
    """Return the address of an application's role on the database of `imported_postgresql`."""
    url, _ = imported_postgresql(bench, messages)
    name = f"app_{messages}"
    with Database.open(url) as database:
        roles.create(database, roles.RoleKind.APP, name, password=PASSWORD)
    return replace(url, user=name, password=PASSWORD)


def time_in_database(bench: Bench, database: Database, work: Callable[[], object]) -> Figure:
    """Measure what the database takes for some work: the median of its milliseconds.

    On PostgreSQL from a statement to its answer, all statements together, without connecting; on
    SQLite, which works while rows are fetched, the whole of it.
    """
    spent: list[float] = []
    began = [0.0]

    def before(*_: object) -> None:
        began[0] = time.perf_counter()

    def after(*_: object) -> None:
        spent[-1] += time.perf_counter() - began[0]

    is_sqlite = database.url.dialect_name == "sqlite"
    if not is_sqlite:
        sa.event.listen(database.engine, "before_cursor_execute", before)
        sa.event.listen(database.engine, "after_cursor_execute", after)
    for _ in range(bench.rounds(15, quick=7) + 2):
        spent.append(0.0)
        started = time.perf_counter()
        work()
        if is_sqlite:
            spent[-1] = time.perf_counter() - started
    milliseconds = 1000 * statistics.median(spent[2:])
    return Figure(f"{milliseconds:.1f} ms", "milliseconds", milliseconds)
