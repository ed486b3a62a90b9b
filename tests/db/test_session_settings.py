"""Settings of a role, database or server that would break a command, or change what it reads."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from chatdb.cli.app import app
from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.postgresql

SETTINGS = (
    "statement_timeout = '300ms'",
    "statement_timeout = '1s'",
    "lock_timeout = '10ms'",
    "idle_in_transaction_session_timeout = '300ms'",
    "idle_session_timeout = '500ms'",
    "transaction_timeout = '300ms'",
    "default_transaction_isolation = 'serializable'",
    "search_path = 'pg_catalog'",
    "timezone = 'Pacific/Kiritimati'",
    "datestyle = 'German, DMY'",
    "standard_conforming_strings = off",
    "client_encoding = 'LATIN1'",
    "intervalstyle = 'sql_standard'",
    "bytea_output = 'escape'",
    "extra_float_digits = -5",
    "row_security = off",
    "array_nulls = off",
    "quote_all_identifiers = on",
    "transform_null_equals = on",
    "gin_fuzzy_search_limit = 1",
    "jit = on",
)
_OWN = re.compile(r'"format":"chatdb"|"storage"|"database"')
"""Lines that tell of the database or the moment."""
SAID = 'salt — соль "\\n" C:\\new 100%'


def conversation(number: int) -> dict[str, Any]:
    key = f"{number:08d}-0000-4000-8000-000000000000"
    return {
        "id": key,
        "title": f"Talk {number} \\ {SAID}",
        "created_at": "2025-02-03T04:05:06.789Z",
        "updated_at": "2025-12-11T10:09:08Z",
        "metadata": {"ratio": 0.1 + number, "path": "C:\\temp", "none": [None, "x"]},
        "messages": [
            {
                "id": f"{number:08d}-0000-4000-8000-0000000000{position:02d}",
                "role": ("user", "assistant")[position % 2],
                "content": f"{SAID} {position}",
                "created_at": "2025-02-03T04:05:06.789Z",
            }
            for position in range(3)
        ],
    }


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A native file with times, floats, backslashes and letters of two alphabets."""
    return write_chats(tmp_path_factory.mktemp("chats") / "chats.jsonl")


def write_chats(path: Path) -> Path:
    lines = [{"format": "chatdb", "version": 1}, *map(conversation, range(3))]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def answers(run: Any, url: DatabaseUrl, chats: Path, *words: str) -> Iterator[tuple[str, str]]:
    """Run the main commands and yield what each prints, but for times of its own."""
    place = ("-d", url.exposed(), *words)
    for command in (
        ("migrate",),
        ("schema", "check"),
        ("import", str(chats)),
        ("export",),
        ("conversations", "list", "--format", "json"),
        ("search", "соль", "--format", "json"),
        ("stats", "--by", "day", "--format", "csv"),
        ("status",),
    ):
        done = run(*command, *place)
        assert done.exit_code == 0, (command, done.stderr)
        if command[0] in ("export", "conversations", "search", "stats"):
            kept = [line for line in done.stdout.splitlines() if not _OWN.search(line)]
            yield command[0], "\n".join(kept)
    added = run("messages", "add", "last", "-", *place, input=SAID)
    gone = run("conversations", "delete", "last", "--yes", *place)
    assert (added.exit_code, gone.exit_code) == (0, 0), added.stderr + gone.stderr


@pytest.fixture(scope="module")
def expected(chats: Path) -> dict[str, str]:
    """What the commands print of the same chats in a SQLite file."""
    return answers_of_a_file(chats)


def answers_of_a_file(chats: Path) -> dict[str, str]:
    url = DatabaseUrl(dialect_name="sqlite", path=chats.with_name("expected.db"))

    def run(*words: str, **options: Any) -> Any:
        return CliRunner().invoke(app, words, catch_exceptions=False, **options)

    return dict(answers(run, url, chats))


@pytest.mark.large
@pytest.mark.parametrize("setting", SETTINGS)
def test_no_setting_breaks_a_command_or_changes_what_it_prints(
    run: Any,
    empty_postgresql_url: DatabaseUrl,
    postgres: PostgresServer,
    chats: Path,
    expected: dict[str, str],
    setting: str,
) -> None:
    if setting.startswith("transaction_timeout") and major_of(postgres) < 17:
        pytest.skip("transaction_timeout is there from PostgreSQL 17 on")
    postgres.execute(f"ALTER DATABASE {empty_postgresql_url.database} SET {setting}")
    words = ("--schema", "public") if "search_path" in setting else ()

    found = dict(answers(run, empty_postgresql_url, chats, *words))

    assert found == expected


@pytest.mark.parametrize(
    "setting", ["client_encoding = 'LATIN1'", "quote_all_identifiers = on", "lock_timeout = '10ms'"]
)
def test_no_setting_changes_a_backup_or_what_comes_back_of_it(
    run: Any,
    postgresql_url: DatabaseUrl,
    postgres: PostgresServer,
    chats: Path,
    tmp_path: Path,
    setting: str,
) -> None:
    place = ("-d", postgresql_url.exposed())
    run("import", str(chats), *place)
    before = run("export", *place).stdout
    postgres.execute(f"ALTER DATABASE {postgresql_url.database} SET {setting}")

    made = run("backup", "create", "--output", tmp_path / "backups", *place)
    put_back = run("restore", tmp_path / "backups" / "latest", "--yes", *place)

    assert (made.exit_code, put_back.exit_code) == (0, 0), made.stderr + put_back.stderr
    assert run("export", *place).stdout.splitlines()[1:] == before.splitlines()[1:]


@pytest.mark.parametrize(
    "timeout",
    ["statement_timeout", "transaction_timeout", "idle_in_transaction_session_timeout"],
)
def test_a_time_limit_of_the_role_ends_no_long_work(
    postgresql_url: DatabaseUrl, postgres: PostgresServer, timeout: str
) -> None:
    if timeout == "transaction_timeout" and major_of(postgres) < 17:
        pytest.skip("transaction_timeout is there from PostgreSQL 17 on")
    postgres.execute(f"ALTER DATABASE {postgresql_url.database} SET {timeout} = '250ms'")

    with (
        Database.open(postgresql_url) as database,
        database.transaction() as connection,
        connect_postgresql(postgresql_url, autocommit=True) as bare,
    ):
        connection.execute(sa.text("SELECT 1"))
        bare.execute("SELECT pg_sleep(0.5)")
        assert connection.scalar(sa.text("SELECT count(*) FROM pg_sleep(0.5)")) == 1


def test_nothing_of_a_transactions_settings_is_left(
    postgresql_url: DatabaseUrl, postgres: PostgresServer
) -> None:
    name = postgresql_url.database
    postgres.execute(f"ALTER DATABASE {name} SET DateStyle = 'German, DMY'")

    with Database.open(postgresql_url, keep=True) as database:
        with database.transaction() as connection:
            inside = connection.scalar(sa.text("SHOW DateStyle"))
        with database.engine.connect() as connection:
            after = connection.scalar(sa.text("SHOW DateStyle"))

    assert (inside, after) == ("ISO, YMD", "German, DMY")


@pytest.mark.parametrize(
    ("whose", "named"),
    [("DATABASE {database}", "of the database test_"), ("ROLE {role}", "of the role bound_")],
)
def test_the_wish_to_write_nothing_is_told_with_who_wished_it(
    run: Any,
    postgresql_url: DatabaseUrl,
    own_superuser: DatabaseUrl,
    postgres: PostgresServer,
    chats: Path,
    whose: str,
    named: str,
) -> None:
    names = {"database": postgresql_url.database, "role": own_superuser.user}
    postgres.execute(f"ALTER {whose.format(**names)} SET default_transaction_read_only = on")
    place = ("-d", own_superuser.exposed())

    refused = run("import", chats, *place)
    read = run("conversations", "list", *place)
    written = run(
        "import", chats, *place, env={"PGOPTIONS": "-c default_transaction_read_only=off"}
    )

    assert (refused.exit_code, read.exit_code, written.exit_code) == (1, 0, 0)
    assert f"is read-only by a setting {named}" in refused.stderr
    assert "PGOPTIONS='-c default_transaction_read_only=off'" in refused.stderr


@pytest.fixture
def own_superuser(postgresql_url: DatabaseUrl, postgres: PostgresServer) -> Iterator[DatabaseUrl]:
    """The migrated database, as a role of this test's own."""
    from dataclasses import replace

    name = f"bound_{postgresql_url.database}"
    postgres.execute(f"CREATE ROLE {name} LOGIN SUPERUSER PASSWORD 'x'")
    try:
        yield replace(postgresql_url, user=name, password="x")
    finally:
        postgres.execute(f"DROP ROLE {name}")


def major_of(server: PostgresServer) -> int:
    with connect_postgresql(server.url("postgres")) as connection:
        return connection.info.server_version // 10_000
