"""Databases that cannot hold every letter: refused as a target, restored from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chatdb.db.url import DatabaseUrl
from tests.operations.restoring import Run, execute, fill, foreign_backup
from tests.postgres_server import PostgresServer


@pytest.fixture(params=["LATIN1", "SQL_ASCII"])
def narrow_url(postgres: PostgresServer, request: pytest.FixtureRequest) -> Iterator[DatabaseUrl]:
    """An empty database of another encoding than UTF-8."""
    name = f"narrow_{uuid4().hex[:12]}"
    options = f"ENCODING '{request.param}' LOCALE 'C' TEMPLATE template0"
    postgres.execute(f"CREATE DATABASE {name} {options}")
    try:
        yield postgres.url(name)
    finally:
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("way", [(), ("--in-place",), ("--dry-run",)], ids=str)
def test_a_restore_is_refused_and_says_what_to_make(
    run: Run,
    narrow_url: DatabaseUrl,
    postgresql_url: DatabaseUrl,
    postgres: PostgresServer,
    tmp_path: Path,
    way: tuple[str, ...],
) -> None:
    fill(postgresql_url)
    backup = foreign_backup(postgresql_url, tmp_path, postgres)

    done = run("restore", backup, *way, "--yes", "-d", narrow_url.exposed())

    assert done.exit_code == 6
    assert f"{narrow_url.database} has the encoding" in done.stderr
    assert f"CREATE DATABASE {narrow_url.database}_utf8" in done.stderr
    assert execute(narrow_url, "SELECT relname FROM pg_class WHERE relnamespace = 2200") == []
    # Other tests of the run have databases on the same server.
    own = f"SELECT datname FROM pg_database WHERE datname ~ '^{narrow_url.database}_'"
    assert execute(narrow_url, own) == []


@pytest.mark.parametrize("way", [(), ("--dry-run",)], ids=str)
def test_a_copy_is_refused(
    run: Any, narrow_url: DatabaseUrl, sqlite_url: DatabaseUrl, way: tuple[str, ...]
) -> None:
    done = run("copy", sqlite_url.exposed(), narrow_url.exposed(), *way)

    assert done.exit_code == 6
    assert "has the encoding" in done.stderr
    assert execute(narrow_url, "SELECT relname FROM pg_class WHERE relnamespace = 2200") == []


@pytest.mark.parametrize("narrow_url", ["LATIN1"], indirect=True)
def test_an_archive_with_names_of_another_encoding_is_restored(
    run: Run, narrow_url: DatabaseUrl, postgres: PostgresServer, tmp_path: Path
) -> None:
    execute(narrow_url, 'CREATE TABLE "größe" AS SELECT 1 AS "maß"')
    backup = foreign_backup(narrow_url, tmp_path, postgres)
    target = postgres.url(f"wide_{uuid4().hex[:12]}")

    try:
        done = run("restore", backup, "--yes", "-d", target.exposed())

        assert done.exit_code == 0, done.stderr
        assert execute(target, 'SELECT "maß" FROM "größe"') == [(1,)]
    finally:
        postgres.execute(f"DROP DATABASE IF EXISTS {target.database} WITH (FORCE)")
