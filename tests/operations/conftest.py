"""Databases of either kind, as many as a test wants."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from tests.operations.owners import owned_database
from tests.operations.restoring import fill, foreign_backup, kept_removed
from tests.postgres_server import TEMPLATE, PostgresServer


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Database]]:
    """Return a function that opens a database of a kind: migrated, or `empty` of all tables."""
    opened: list[Database] = []
    numbers = iter(range(100))
    held: list[Any] = []

    def make_one(kind: str, *, empty: bool = False) -> Database:
        if kind == "sqlite":
            path = tmp_path / f"copy{next(numbers)}.db"
            if not empty:
                template: Path = request.getfixturevalue("_sqlite_template")
                path.write_bytes(template.read_bytes())
            url = DatabaseUrl(dialect_name="sqlite", path=path)
        else:
            server: PostgresServer = request.getfixturevalue("postgres")
            context = server.new_database(template=None if empty else TEMPLATE)
            url = context.__enter__()
            held.append(context)
        opened.append(Database.open(url, create=True))
        return opened[-1]

    yield make_one
    for database in opened:
        database.close()
    for context in held:
        context.__exit__(None, None, None)


@pytest.fixture
def both(sqlite_url: DatabaseUrl, postgresql_url: DatabaseUrl) -> Iterator[list[Database]]:
    """Return an empty database of each kind."""
    with Database.open(sqlite_url) as sqlite, Database.open(postgresql_url) as postgresql:
        yield [sqlite, postgresql]


@pytest.fixture
def filled(database_url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    """A database with three conversations; what restores keep of it is gone afterwards."""
    fill(database_url)
    with kept_removed(database_url):
        yield database_url


@pytest.fixture
def backup(filled: DatabaseUrl, tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A backup of it."""
    server = request.getfixturevalue("postgres") if filled.path is None else None
    return foreign_backup(filled, tmp_path, server)


@pytest.fixture
def owned(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[DatabaseUrl, DatabaseUrl]]:
    """The URLs of owner and superuser; the current directory is for the backups."""
    monkeypatch.chdir(tmp_path)
    with owned_database(postgres) as urls:
        yield urls


@pytest.fixture
def filled_server(postgresql_url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    """A PostgreSQL database with three conversations."""
    fill(postgresql_url)
    with kept_removed(postgresql_url):
        yield postgresql_url
