"""Waiting for somebody else's lock: who has it is said, and the wait ends."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from chatdb.db import lock_waits
from chatdb.db.connect import connect_postgresql, connect_sqlite
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import MigrationSettings, upgrade
from chatdb.db.postgresql.migration import LOCK_KEY
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseLockedError
from chatdb.store.search_index import take_off_search_index
from tests.cli.conftest import command_line, process_environment
from tests.operations.export_rows import fill
from tests.postgres_server import PostgresServer

EXCLUSIVE = "LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"


@pytest.fixture
def told() -> Iterator[list[str]]:
    """What is said of waits."""
    texts: list[str] = []
    lock_waits.listen(texts.append)
    yield texts
    lock_waits.listen(lambda _text: None)


@contextmanager
def prepared(url: DatabaseUrl, gid: str, statement: str) -> Iterator[None]:
    """Leave a prepared transaction behind, as a transaction manager that died."""
    with connect_postgresql(url) as connection:
        connection.execute(statement.encode())
        connection.execute(f"PREPARE TRANSACTION '{gid}'".encode())
    try:
        yield
    finally:
        with connect_postgresql(url, autocommit=True) as connection:
            connection.execute(f"ROLLBACK PREPARED '{gid}'".encode())


def is_waiting(url: DatabaseUrl) -> bool:
    with connect_postgresql(url, autocommit=True) as connection:
        return bool(connection.execute("SELECT FROM pg_locks WHERE NOT granted").fetchall())


@pytest.mark.large
@pytest.mark.parametrize("is_prepared", [False, True], ids=["a session", "a prepared one"])
@pytest.mark.parametrize("statement", [EXCLUSIVE.format(table="messages"), "DELETE FROM messages"])
def test_the_holder_is_said_while_a_statement_waits_and_named_when_it_gives_up(
    postgresql_url: DatabaseUrl, told: list[str], statement: str, *, is_prepared: bool
) -> None:
    fill(postgresql_url)
    settings = {"lock_timeout": "3s"}
    name = f"lost one of {postgresql_url.database}"  # names are those of the whole server

    with (
        prepared(postgresql_url, name, statement)
        if is_prepared
        else holding(postgresql_url, statement),
        Database.open(postgresql_url) as database,
        pytest.raises(DatabaseLockedError) as caught,
        database.transaction(write=True, settings=settings) as connection,
    ):
        connection.execute(sa.text("UPDATE messages SET model = 'x'"))

    holder = f"the prepared transaction '{name}' of chatdb" if is_prepared else "(a nightly report"
    assert len(told) == 1
    assert holder in told[0]
    assert holder in caught.value.text
    if is_prepared:
        assert f"ROLLBACK PREPARED '{name}'" in caught.value.text
        assert "chatdb connect -c" in str(caught.value.hint)


@contextmanager
def holding(url: DatabaseUrl, statement: str) -> Iterator[psycopg.Connection[Any]]:
    with closing(connect_postgresql(url, application_name="a nightly report")) as connection:
        connection.execute(statement.encode())
        yield connection


def test_a_short_wait_names_its_holder_too(postgresql_url: DatabaseUrl, told: list[str]) -> None:
    with (
        prepared(postgresql_url, "it''s", EXCLUSIVE.format(table="messages")),
        Database.open(postgresql_url) as database,
        pytest.raises(DatabaseLockedError, match="ROLLBACK PREPARED 'it''s'"),
        database.transaction(settings={"lock_timeout": "50ms"}) as connection,
    ):
        connection.execute(sa.text("SELECT count(*) FROM messages"))

    assert told == []


def test_a_list_that_waits_for_too_long_is_called_a_list(
    run: Any, postgresql_url: DatabaseUrl
) -> None:
    with holding(postgresql_url, EXCLUSIVE.format(table="messages")):
        ended = run("conversations", "list", "--timeout", "0.2", "-d", postgresql_url.exposed())

    assert ended.exit_code == 1
    assert "the list took longer than 0.2 s" in ended.stderr
    assert "more words" not in ended.stderr


def test_a_prepared_migrator_is_named_by_the_next(postgresql_url: DatabaseUrl) -> None:
    with Database.open(postgresql_url) as database:
        with database.migration_transaction() as connection:
            connection.execute(sa.text("DELETE FROM chatdb_version"))
        with (
            prepared(postgresql_url, "half", f"SELECT pg_advisory_xact_lock({LOCK_KEY})"),
            pytest.raises(DatabaseLockedError, match="ROLLBACK PREPARED 'half'"),
        ):
            upgrade(database, settings=MigrationSettings(lock_wait=0.2))


@pytest.mark.large
@pytest.mark.parametrize(
    "words",
    [
        ("conversations", "list"),
        ("search", "words"),
        ("messages", "add", "last", "more"),
        ("conversations", "delete", "last", "--yes"),
        ("organizations", "list"),
        ("stats",),
        ("import", "--build-search-index"),
    ],
    ids=" ".join,
)
def test_a_command_says_what_it_waits_for_and_goes_on_when_it_is_free(
    postgresql_url: DatabaseUrl, words: tuple[str, ...]
) -> None:
    fill(postgresql_url)
    with Database.open(postgresql_url) as database, database.transaction(write=True) as connection:
        assert take_off_search_index(database, connection, "off")
    tables = "organizations, conversations, messages, tombstones, chatdb_settings"

    said, code = said_while_locked(postgresql_url, tables, *words)

    assert "waiting for a lock held by pid" in said
    assert "a nightly report" in said
    assert code in (0, 5)


@pytest.mark.large
def test_a_program_of_postgresqls_says_what_it_waits_for(
    postgresql_url: DatabaseUrl, postgres: PostgresServer
) -> None:
    postgres.execute("CREATE TABLE theirs (id int)", database=postgresql_url.database)

    said, code = said_while_locked(postgresql_url, "theirs", "backup", "create")

    assert "waiting for a lock held by pid" in said
    assert code == 0


def said_while_locked(url: DatabaseUrl, tables: str, *words: str) -> tuple[str, int]:
    """Run a command against locked tables; return its first line, after which they are free."""
    command = command_line(*words, "-d", url.exposed())
    with (
        holding(url, EXCLUSIVE.format(table=tables)) as holder,
        subprocess.Popen(
            command,
            env=process_environment(None),
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        ) as process,
    ):
        assert process.stderr is not None
        said = process.stderr.readline()
        holder.rollback()
        process.communicate(timeout=60)
    return said, process.returncode


def test_a_file_that_another_program_holds_is_said_and_given_up(
    sqlite_url: DatabaseUrl, told: list[str]
) -> None:
    with closing(connect_sqlite(sqlite_url)) as other, Database.open(sqlite_url) as database:
        other.execute("BEGIN IMMEDIATE")
        with (
            closing(connect_sqlite(sqlite_url, busy_seconds=2.5)) as patient,
            database.translated_errors(),
            pytest.raises(DatabaseLockedError, match="locked by another program"),
            database.translated_errors(),
        ):
            patient.begin(write=True)

    assert told == [f"waiting for another program that holds {sqlite_url.path}"]


def test_a_reader_that_stops_a_commit_is_said_and_waited_for(
    sqlite_url: DatabaseUrl, told: list[str]
) -> None:
    with (
        closing(connect_sqlite(sqlite_url)) as other,
        closing(connect_sqlite(sqlite_url)) as patient,
    ):
        other.execute("PRAGMA journal_mode=DELETE")
        other.begin(write=False)
        patient.begin(write=True)
        patient.execute("DELETE FROM messages")
        timer = threading.Timer(3.0, lambda: other.execute("ROLLBACK"))
        timer.start()
        patient.commit()
        timer.join()

    assert len(told) == 1


def test_the_doctor_warns_of_a_prepared_transaction_that_was_left(
    run: Any, postgresql_url: DatabaseUrl, monkeypatch: Any
) -> None:
    from chatdb.operations.doctor import postgresql as doctor_postgresql
    from tests.cli.test_doctor import findings

    monkeypatch.setattr(doctor_postgresql, "_ORPHAN_SECONDS", 0.0)
    with prepared(postgresql_url, "left behind", "DELETE FROM messages"):
        found = findings(run, url=postgresql_url)["server-prepared-transactions"]
    gone = findings(run, url=postgresql_url)["server-prepared-transactions"]

    assert (found["severity"], gone["severity"]) == ("warning", "ok")
    assert found["fix"].endswith("ROLLBACK PREPARED 'left behind'")


def test_the_doctor_tells_of_a_fresh_prepared_transaction_without_an_alarm(
    run: Any, postgresql_url: DatabaseUrl, monkeypatch: Any
) -> None:
    from chatdb.operations.doctor import postgresql as doctor_postgresql
    from tests.cli.test_doctor import findings

    monkeypatch.setattr(doctor_postgresql, "_ORPHAN_SECONDS", 3600.0)
    with prepared(postgresql_url, "just made", "DELETE FROM messages"):
        found = findings(run, url=postgresql_url)["server-prepared-transactions"]

    assert found["severity"] == "info"
    assert "a prepared transaction" in found["text"]
    assert " s old: 'just made' of chatdb" in found["text"]


def test_the_same_holder_is_not_said_for_every_statement_that_waits(told: list[str]) -> None:
    lock_waits.say("waiting for a lock held by pid 7 (psql), for 3 s, last query: SELECT 1")
    lock_waits.say("waiting for a lock held by pid 7 (psql), for 9 s, last query: SELECT 1")
    lock_waits.say("waiting for a lock held by pid 8 (psql), for 3 s, last query: SELECT 1")

    assert [text.partition(" (")[0] for text in told] == [
        "waiting for a lock held by pid 7",
        "waiting for a lock held by pid 8",
    ]
