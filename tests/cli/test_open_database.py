"""A command gets a database whose schema is current, or an error that says what to type."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chatdb import config
from chatdb.cli.context import CommandContext
from chatdb.cli.options import GlobalOptions
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import downgrade, upgrade
from chatdb.db.migrating.scripts import head_revision
from chatdb.db.url import DatabaseUrl, parse_url
from chatdb.errors import ConfigurationError, DatabaseUnreachableError, SchemaMismatchError
from chatdb.operations.schema.schema import require_current
from tests.operations.conversation_rows import add_conversation


def context(url: str | None = None, *, quiet: bool = False) -> CommandContext:
    """Return the context of a command with this database."""
    return CommandContext(GlobalOptions(database_url=url, quiet=quiet))


def test_a_new_sqlite_file_is_migrated_at_first_use_saying_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with context().open_database(create=True) as first:
        assert first.url.sqlite_path == Path("data/chatdb.db")
    with context().open_database(create=True):
        pass

    assert capsys.readouterr().err == "note: made a new database at sqlite:///data/chatdb.db\n"
    assert Path("data/chatdb.db").is_file()


def test_quiet_makes_the_file_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    with context("sqlite:///new.db", quiet=True).open_database(create=True):
        pass

    assert capsys.readouterr().err == ""


READING = [
    *(("list",), ("show", "last"), ("open", "last"), ("search", "x"), ("stats",), ("export",)),
    *(("users", "list"), ("organizations", "list"), ("messages", "list", "last")),
    *(("snapshots", "list", "last"), ("attachments", "list"), ("search-index", "status")),
    *(("conversations", "delete", "x", "--yes"), ("conversations", "rename", "last", "x")),
    *(("messages", "add", "last", "--role", "user", "x"), ("messages", "reindex")),
    *(("schema", "status"), ("schema", "check"), ("schema", "dump"), ("connect", "-c", "SELECT 1")),
    *(("backup",), ("environment", "show"), ("smoke-test",), ("status",)),
]


def test_what_writes_no_first_row_makes_no_file_and_names_the_last_database(run: Any) -> None:
    for words in READING:
        done = run("-d", "new.db", *words)
        assert done.exit_code == 5, words
        assert not done.stdout or words == ("status",), words
        assert "there is no database at sqlite:///new.db (option --database-url)" in done.stderr
        assert done.stderr.endswith("hint: to make one: chatdb -d sqlite:///new.db import FILE\n")
    assert not Path("new.db").exists()
    assert run("migrate", "--plan").exit_code == 0

    assert run("-d", "postgresql://me:hunter2@127.0.0.1:1/d", "list").exit_code == 3
    assert "import FILE" in run("list").stderr
    run("-d", "a b.db", "seed", "--conversations", "1")
    last = f"sqlite:///{Path.cwd()}/a b.db"
    command = f"hint: the last one used: chatdb list --limit 3 -d '{last}'\n"
    assert run("list", "--limit", "3").stderr.endswith(command)
    assert run("-d", "new.db", "list", "--limit", "3").stderr.endswith(command)
    assert run("list", "--limit", "3", "--database-url=new.db").stderr.endswith(command)
    assert f"chatdb -qd new.db list -d '{last}'" in run("-qd", "new.db", "list").stderr
    assert f"fix: the last one used: chatdb doctor -d '{last}'" in run("doctor").stdout
    Path("a b.db").unlink()
    assert run("-d", "a b.db", "list").stderr.endswith("import FILE\n")
    assert run("list").stderr.endswith("hint: to make one: chatdb import FILE\n")
    assert not Path("data").exists()


@pytest.mark.postgresql
def test_the_last_database_is_remembered_without_its_password(
    run: Any, postgresql_url: DatabaseUrl
) -> None:
    assert run("-d", postgresql_url.exposed(), "list").exit_code == 0
    done = run("list")

    assert f"127.0.0.1:{postgresql_url.port}/{postgresql_url.database}\n" in done.stderr
    folder = config.state_folder()
    assert folder is not None
    kept = parse_url((folder / "last-database").read_text())
    assert (kept, kept.password) == (replace(postgresql_url, password=""), "")
    assert (folder / "last-database").stat().st_mode & 0o777 == 0o600


@pytest.mark.postgresql
def test_a_name_that_the_server_does_not_have_is_not_found_and_the_last_one_named(
    run: Any, postgresql_url: DatabaseUrl
) -> None:
    missing = postgresql_url.with_database("no such").exposed()
    for words in (("list",), ("status",), ("schema", "status"), ("seed",)):
        done = run("-d", missing, *words)
        assert done.exit_code == 5, words
        assert "has no database no such\n" in done.stderr
        assert f"createdb -h 127.0.0.1 -p {postgresql_url.port} " in done.stderr
        assert done.stderr.endswith(" 'no such'\n")
    assert '"code": "not_found"' in run("-d", missing, "list", "--format", "json").stderr

    run("-d", "here.db", "seed", "--conversations", "1")
    done = run("-d", missing, "list", "--limit", "3")
    last = f"hint: the last one used: chatdb list --limit 3 -d sqlite:///{Path.cwd()}/here.db; to "
    assert last in done.stderr


def test_a_sqlite_file_with_other_tables_is_left_alone() -> None:
    import sqlite3

    with sqlite3.connect("other.db") as connection:
        connection.execute("CREATE TABLE notes (id INTEGER)")
    connection.close()
    before = Path("other.db").read_bytes()

    with (
        pytest.raises(SchemaMismatchError) as caught,
        context("sqlite:///other.db").open_database(),
    ):
        pass

    assert caught.value.hint
    assert Path("other.db").read_bytes() == before


@pytest.mark.postgresql
def test_an_empty_postgresql_is_not_migrated_unasked(empty_postgresql_url: DatabaseUrl) -> None:
    with (
        pytest.raises(SchemaMismatchError) as caught,
        context(empty_postgresql_url.exposed()).open_database(),
    ):
        pass

    assert caught.value.state == "empty"
    assert "chatdb migrate" in str(caught.value.hint)


@pytest.mark.postgresql
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_libpqs_variables_open_the_database(
    postgresql_url: DatabaseUrl, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {
        "PGHOST": postgresql_url.host,
        "PGPORT": postgresql_url.port,
        "PGUSER": postgresql_url.user,
        "PGPASSWORD": postgresql_url.password,
        "PGDATABASE": postgresql_url.database,
    }
    if place == "environment":
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
    else:
        Path(".env").write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))
        for name in variables:
            # So that what the command exports is taken back after the test.
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)

    with context().open_database() as database, database.transaction() as connection:
        found = connection.exec_driver_sql("SELECT current_database()").scalar_one()

    assert found == postgresql_url.database
    assert place == "environment" or os.environ["PGDATABASE"] == found


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with (
        pytest.raises(DatabaseUnreachableError) as caught,
        context("postgresql://me:hunter2@127.0.0.1:1/chat").open_database(),
    ):
        pass

    assert "hunter2" not in str(caught.value)


def test_a_url_that_cannot_be_read_names_the_option() -> None:
    with (
        pytest.raises(ConfigurationError, match=r"\(option --database-url\)"),
        context("mysql://h/d").open_database(),
    ):
        pass


def test_a_file_that_a_killed_first_use_left_half_made_is_made_at_the_next() -> None:
    for revision in (f"{number:04}" for number in range(1, int(head_revision()))):
        url = DatabaseUrl(dialect_name="sqlite", path=Path(f"{revision}.db"))
        with Database.open(url, create=True) as half_made:
            upgrade(half_made, revision=revision)

        with context(f"sqlite:///{revision}.db").open_database(create=True) as database:
            require_current(database)
        assert [path.name for path in Path().glob(f"{revision}*before*")] == []


def test_a_file_that_is_behind_and_holds_a_conversation_is_left_to_migrate(
    sqlite_url: DatabaseUrl,
) -> None:
    with Database.open(sqlite_url) as database:
        add_conversation(database, ["a word"])
        downgrade(database, "0004")

    with (
        pytest.raises(SchemaMismatchError) as caught,
        context(sqlite_url.exposed()).open_database(),
    ):
        pass

    assert caught.value.state == "behind"
