"""Every command of the how-tos is run as it stands there, and prints what they show."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.url import DatabaseUrl, parse_url
from tests.layouts import relay_database
from tests.layouts.foreign_databases import make_postgresql, make_sqlite
from tests.postgres_server import PostgresServer
from tests.programs import program
from tests.repo.console_blocks import ROOT, check, write_file

PAGES = ROOT / "docs" / "how-to"
NEW = "postgresql://chat@db.internal/chat"
OLD = "postgresql://reader@old.internal/relay"
TRIGGER = "CREATE TRIGGER messages_touch_insert AFTER INSERT ON messages"
THREADS = (
    "CREATE TABLE threads (id INTEGER PRIMARY KEY, owner, subject, created, updated)",
    "CREATE TABLE posts (id INTEGER PRIMARY KEY, thread_id, author, body, created)",
    """INSERT INTO threads VALUES
    (1, 'ann', 'Bread', '2026-01-31T12:00:00Z', '2026-01-31T12:01:00Z'),
    (2, 'bob', 'Trip', '2026-02-01T08:00:00Z', '2026-02-01T08:00:09Z')""",
    """INSERT INTO posts VALUES
    (1, 1, 'user', 'How long does dough rest?', '2026-01-31T12:00:00Z'),
    (2, 1, 'assistant', 'Eight hours.', '2026-01-31T12:01:00Z'),
    (3, 2, 'user', 'Where to?', '2026-02-01T08:00:00Z')""",
)


@pytest.fixture
def new(empty_postgresql_url: DatabaseUrl) -> dict[str, str]:
    """The empty database that the pages work on, by the URL that they write."""
    return {NEW: empty_postgresql_url.exposed()}


@pytest.fixture
def old(postgres: PostgresServer) -> Iterator[dict[str, str]]:
    """An application's own database."""
    with postgres.new_database() as url:
        make_postgresql(url, *relay_database.TABLES, *relay_database.ROWS)
        yield {OLD: url.exposed()}


@pytest.mark.large
def test_moving_an_application(new: dict[str, str], old: dict[str, str]) -> None:
    program("sqlite3")
    page = PAGES / "move-an-application.md"
    make_sqlite(Path("app.db"), *THREADS)
    write_file(page, "sql", "threads.sql")

    check(page, new | old, least=14)


@pytest.mark.large
def test_adding_a_tenant(new: dict[str, str], run: Any) -> None:
    url = new[NEW]
    run("migrate", env={"DATABASE_URL": url})
    shutil.copy(ROOT / "docs/examples/chatgpt-export.json", "acme.json")
    at = {"@db.internal/chat": url[url.rindex("@") :]}
    try:
        check(PAGES / "add-a-tenant.md", new | at, least=9)
    finally:
        run("roles", "drop", "shop_app", "--yes", env={"DATABASE_URL": url})


@pytest.mark.large
@pytest.mark.usefixtures("s3")
def test_backing_up_every_night(
    new: dict[str, str], run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("age", "age-keygen"):
        program(name)
    url = new[NEW]
    monkeypatch.setenv("PATH", f"{Path(program('age')).parent}{os.pathsep}{os.environ['PATH']}")
    run("migrate", env={"DATABASE_URL": url})
    run("seed", env={"DATABASE_URL": url})
    name = url.rpartition("/")[2]
    places = {
        "postgresql://chat@db.internal/drill": url.replace(name, f"{name}_drill"),
        "DATABASE drill": f'DATABASE "{name}_drill"',
        **new,
    }

    check(PAGES / "nightly-backup-to-s3.md", places, least=12, names={"chat": name})


@pytest.mark.large
def test_after_a_failed_migration(new: dict[str, str], run: Any) -> None:
    program("sqlite3")
    url = parse_url(new[NEW])
    for address in (url.exposed(), "data/chatdb.db"):
        assert run("-d", address, "migrate", "0002").exit_code == 0
    make_postgresql(
        url,
        "CREATE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        f"{TRIGGER} FOR EACH STATEMENT EXECUTE FUNCTION counted()",
    )
    make_sqlite(Path("data/chatdb.db"), f"{TRIGGER} BEGIN SELECT 1; END")

    check(PAGES / "after-a-failed-migration.md", new, least=11)


@pytest.mark.large
def test_a_development_database_without_docker(run: Any) -> None:
    shutil.copy(ROOT / "docs/examples/chatgpt-export.json", "export.json")
    try:
        check(PAGES / "dev-database-without-docker.md", {}, least=9)
    finally:
        run("dev-db", "down", "--volumes", "--yes")


def test_no_how_to_is_left_out() -> None:
    tested = {
        "add-a-tenant",
        "after-a-failed-migration",
        "ci",  # by test_ci_example.py
        "dev-database-without-docker",
        "move-an-application",
        "nightly-backup-to-s3",
    }

    assert {page.stem for page in PAGES.glob("*.md")} == tested
