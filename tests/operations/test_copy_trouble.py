"""A copy that cannot be: refused before anything is written, or told and gone on with later."""

import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import settings
from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
    DatabaseFailedError,
    DatabaseLockedError,
    DatabaseMissingError,
    DatabaseUnreachableError,
    RefusedError,
    SchemaMismatchError,
    UsageError,
)
from chatdb.operations.copying.copy_database import CopyReport, copy_database, preview_copy
from chatdb.operations.copying.state import standing_copy
from chatdb.servers.processes import find_process
from tests.operations.conversation_rows import add_organization
from tests.operations.copying import KINDS, Make, Watch, broken_off, many, rows_of

pytestmark = pytest.mark.large


def test_a_database_with_something_in_it_is_refused(make: Make) -> None:
    source, with_chats, with_tenant = make("sqlite"), make("sqlite"), make("sqlite")
    many(source, 2)
    many(with_chats, 1)
    add_organization(with_tenant, "acme")

    for destination in (with_chats, with_tenant):
        before = rows_of(destination)
        for act in (preview_copy, _copy):
            with pytest.raises(RefusedError, match="is not empty"):
                act(source, destination)
        assert rows_of(destination) == before


def _copy(source: Database, destination: Database) -> CopyReport:
    return copy_database(source, destination, Watch())


def test_an_interrupted_copy_of_another_source_is_refused(make: Make) -> None:
    source, other, destination = make("sqlite"), make("sqlite"), make("sqlite")
    many(source)
    many(other, 1)
    broken_off(source, destination)

    with pytest.raises(RefusedError, match=r"contains an incomplete copy of sqlite:///"):
        _copy(other, destination)

    assert preview_copy(source, destination).resumed


def test_the_later_of_two_copies_goes_on_and_the_earlier_ends(
    make: Make,
) -> None:
    source, destination = make("sqlite"), make("sqlite")
    many(source)
    later: list[CopyReport] = []

    def start_another(_: int) -> None:
        if not later:
            later.append(_copy(source, destination))

    with pytest.raises(RefusedError):
        copy_database(source, destination, Watch(start_another))

    assert later[0].outcome == "done"
    assert rows_of(destination) == rows_of(source)


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_that_is_at_work_is_not_called_broken_off_until_it_has_ended(
    make: Make, kind: str
) -> None:
    source, destination = make("sqlite"), make(kind)
    many(source)
    broken_off(source, destination)
    watch = Watch()

    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        _begun_by(destination, other.pid)
        with pytest.raises(RefusedError, match=f"pid {other.pid}.* is copying .* now"):
            copy_database(source, destination, watch)
        with pytest.raises(RefusedError):
            preview_copy(source, destination)
        other.communicate(b"\n")
    done = copy_database(source, destination, watch)

    assert done.resumed
    assert "going on with a copy that was broken off" in watch.notes
    assert rows_of(destination) == rows_of(source)


@pytest.mark.parametrize("start", [None, "another-boot 12345"])
def test_of_a_copy_from_elsewhere_is_said_only_what_is_known(make: Make, start: str | None) -> None:
    source, destination = make("sqlite"), make("sqlite")
    many(source)
    broken_off(source, destination)
    _begun_by(destination, 1, start=start)
    watch = Watch()

    assert copy_database(source, destination, watch).outcome == "done"
    assert not any("broken off" in note for note in watch.notes)
    assert any("another chatdb began" in note for note in watch.notes)


def _begun_by(database: Database, pid: int, start: str | None = "") -> None:
    """Write another process into the copy that stands there."""
    if start == "":
        process = find_process(pid)
        assert process is not None
        start = process.start
    with database.transaction(write=True) as connection:
        standing = standing_copy(connection)
        assert standing is not None
        changed = msgspec.structs.replace(standing, pid=pid, start=start)
        connection.execute(
            sa.update(settings)
            .where(settings.c.key == "copy")
            .values(value=msgspec.json.encode(changed).decode())
        )


@pytest.mark.postgresql
def test_tables_in_another_schema_are_told_with_the_command_that_copies_into_it(
    run: Any, make: Make, postgresql_url: DatabaseUrl, empty_postgresql_url: DatabaseUrl
) -> None:
    source, there = postgresql_url.exposed(), empty_postgresql_url.exposed()
    assert run("migrate", "--schema", "app", "-d", there).exit_code == 0

    into, out_of = run("copy", source, there), run("copy", there, "sqlite:///out.db")
    from_file = run("copy", make("sqlite").url.exposed(), there)

    assert (into.exit_code, out_of.exit_code, from_file.exit_code) == (6, 4, 6)
    for refused in (into, out_of, from_file):
        typed = refused.stderr.partition("hint: chatdb ")[2]
        words = shlex.split(typed.replace("***", quote(postgresql_url.password, safe="")))
        assert run(*words).exit_code == 0, words


def test_schemas_that_are_not_at_head_are_told_with_the_way(make: Make) -> None:
    good, behind = make("sqlite"), make("sqlite")
    many(behind, 1)
    with behind.transaction(write=True) as connection:
        connection.exec_driver_sql("UPDATE chatdb_version SET version_num = '0001'")
    ahead = make("sqlite")
    with ahead.transaction(write=True) as connection:
        connection.exec_driver_sql("UPDATE chatdb_version SET version_num = '9000'")
    missing = make("sqlite", empty=True)

    with pytest.raises(SchemaMismatchError, match="0001") as caught:
        _copy(behind, good)
    assert f"chatdb migrate -d {behind.url.redacted()}" in str(caught.value.hint)
    with pytest.raises(SchemaMismatchError) as caught:
        _copy(good, behind)
    assert f"chatdb migrate -d {behind.url.redacted()}" in str(caught.value.hint)
    with pytest.raises(SchemaMismatchError, match="made by a newer chatdb"):
        _copy(good, ahead)
    with pytest.raises(DatabaseMissingError, match="there is no database file") as gone:
        _copy(missing, good)
    assert gone.value.place == missing.url.redacted()
    with pytest.raises(UsageError, match="both source and destination"):
        _copy(good, good)


def test_a_locked_destination_is_told_and_the_copy_goes_on_later(
    make: Make,
) -> None:
    source, destination = make("sqlite"), make("sqlite")
    many(source, 2)
    impatient = "PRAGMA busy_timeout = 100"
    sa.event.listen(destination.engine, "connect", lambda driver, _: driver.execute(impatient))
    holder = sqlite3.connect(destination.url.sqlite_path, isolation_level=None)

    with closing(holder), pytest.raises(DatabaseLockedError):
        copy_database(source, destination, Watch(lambda _: holder.execute("BEGIN IMMEDIATE")))

    assert _copy(source, destination).resumed
    assert rows_of(destination) == rows_of(source)


def test_a_file_of_another_program_is_left_alone(make: Make) -> None:
    source, destination = make("sqlite"), make("sqlite", empty=True)
    with closing(sqlite3.connect(destination.url.sqlite_path)) as connection:
        connection.execute("CREATE TABLE theirs (id)")

    with pytest.raises(SchemaMismatchError, match="tables of another program") as caught:
        _copy(source, destination)

    assert f"chatdb migrate -d {destination.url.redacted()}, then" in str(caught.value.hint)


def _end_sessions(database: Database) -> None:
    """End every session of a PostgreSQL database but this one, as its server would."""
    with database.transaction(write=True) as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.postgresql
def test_a_source_that_is_lost_is_told_and_the_copy_goes_on_later(make: Make) -> None:
    source, destination = make("postgresql"), make("sqlite")
    many(source)

    with pytest.raises(DatabaseUnreachableError):
        copy_database(source, destination, Watch(lambda _: _end_sessions(source)))

    report = _copy(source, destination)
    assert (report.outcome, report.resumed) == ("done", True)
    assert rows_of(destination) == rows_of(source)


@pytest.mark.postgresql
def test_a_lost_connection_to_the_destination_is_made_again(make: Make) -> None:
    source, destination = make("sqlite"), make("postgresql")
    many(source)
    lost: list[int] = []

    def lose(seen: int) -> None:
        if not lost:
            _end_sessions(destination)
        lost.append(seen)

    assert copy_database(source, destination, Watch(lose)).outcome == "done"
    assert rows_of(destination) == rows_of(source)


@pytest.mark.postgresql
def test_rows_that_the_user_may_not_see_are_not_left_out_unsaid(make: Make, tmp_path: Path) -> None:
    source, missing = make("postgresql"), tmp_path / "missing.db"
    many(source, 2)
    role = f"reader_{source.url.database}"
    with source.transaction(write=True) as connection:
        connection.exec_driver_sql(
            f"CREATE ROLE {role} LOGIN PASSWORD 'x'; GRANT SELECT ON ALL TABLES IN SCHEMA public"
            f" TO {role}; ALTER TABLE messages ENABLE ROW LEVEL SECURITY"
        )
    limited = Database.open(replace(source.url, user=role, password="x"))

    try:
        destination = Database.open(DatabaseUrl(dialect_name="sqlite", path=missing), create=True)
        with (
            limited,
            destination,
            pytest.raises(DatabaseFailedError, match="row-level security"),
        ):
            _copy(limited, destination)
        assert not missing.exists()
    finally:
        with source.transaction(write=True) as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {role}; DROP ROLE {role}")
