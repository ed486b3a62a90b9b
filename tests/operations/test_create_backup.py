"""Backups of real databases: everything in them, of one moment, or nothing at all."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.backups.archives import unpacked
from chatdb.backups.checks import read_index
from chatdb.backups.contents import differences
from chatdb.backups.folder_store import FolderStore
from chatdb.backups.inventory import find_all
from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
    ChatdbError,
    DatabaseFailedError,
    DatabaseLockedError,
    DatabaseUnreachableError,
    NotFoundError,
    UsageError,
)
from chatdb.operations.backups.verify import find_problems, verify_restored
from chatdb.operations.restoring.parts import RestoreOptions
from chatdb.operations.schema.environment import set_label
from tests.operations.backups import PROGRAMS, Quiet, back_up, measured, restored
from tests.operations.conversation_rows import add_conversation, add_organization
from tests.operations.export_rows import every_shape, insert
from tests.postgres_server import PostgresServer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def nothing_left(folder: Path) -> bool:
    return not folder.exists() or list(folder.iterdir()) == []


def server_of(database: Database, request: pytest.FixtureRequest) -> PostgresServer | None:
    if database.url.path is not None:
        return None
    server: PostgresServer = request.getfixturevalue("postgres")
    return server


def test_everything_comes_back_out_of_a_backup(
    database: Database, folder: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    insert(database, every_shape())
    add_organization(database, "acme")
    add_conversation(
        database, ["\x01\x1b]0;x\x07", "東京 ☃ \u202e", "a\\.\nCOPY x"], organization="acme"
    )
    set_label(database, "staging")

    watch = Quiet()
    backup = back_up(database, folder, watch)

    manifest = backup.manifest
    assert manifest is not None
    assert (backup.state, backup.problem) == ("complete", None)
    assert (manifest.environment, manifest.part) == ("staging", "full")
    assert differences(manifest.contents, measured(database)) == ()
    assert find_problems(backup, PROGRAMS, Quiet()) == []
    assert watch.warnings == []
    assert watch.done > 0
    with restored(backup, tmp_path, server_of(database, request)) as copy:
        assert differences(manifest.contents, measured(copy)) == ()
        texts = sa.select(schema.messages.c.content).order_by(schema.messages.c.content)
        with copy.transaction() as there, database.transaction() as here:
            assert there.scalars(texts).all() == here.scalars(texts).all()


def test_files_are_for_the_owner_alone_and_nothing_else_is_left(
    database: Database, folder: Path
) -> None:
    backup = back_up(database, folder)

    names = {path.name for path in folder.iterdir()}
    suffix = ".db.zst" if database.url.path is not None else ".dump.zst"
    assert names == {
        backup.name + suffix,
        backup.name + ".conversations.zst",
        backup.name + ".manifest.json",
        ".gitignore",
    }
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_the_manifest_is_of_the_moment_of_the_data_whoever_writes(
    database: Database, folder: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    add_conversation(database, ["before " * 100] * 500)
    stop = threading.Event()
    written: list[int] = []

    def write() -> None:
        with Database.open(database.url) as other:
            while not stop.is_set():
                number = 1000 + len(written)
                add_conversation(other, ["during"] * (number % 4), number=number)
                written.append(number)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        backups = [back_up(database, folder) for _ in range(2)]
    finally:
        stop.set()
        writer.join()

    counts = set()
    for number, backup in enumerate(backups):
        manifest = backup.manifest
        assert manifest is not None
        assert find_problems(backup, PROGRAMS, Quiet()) == []
        counts.add(manifest.contents.conversations)
        if number == 1:
            with restored(backup, tmp_path, server_of(database, request)) as copy:
                assert differences(manifest.contents, measured(copy)) == ()
    assert len(counts) > 1  # it did write meanwhile


def test_two_at_once_do_not_clash(database: Database, folder: Path) -> None:
    add_conversation(database, ["text"])
    made: list[Any] = []
    workers = [
        threading.Thread(target=lambda: made.append(back_up(database, folder))) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len({backup.name for backup in made}) == 3
    assert {backup.state for backup in find_all(FolderStore(folder))} == {"complete"}


def test_the_index_lists_every_conversation(database: Database, folder: Path) -> None:
    for number in (1, 2, 3):
        add_conversation(database, ["x"] * number, number=number)

    backup = back_up(database, folder)

    assert backup.manifest is not None
    name = backup.manifest.index or ""
    with backup.store.open(name) as raw:
        entries = list(read_index(unpacked(raw, name), name))
    assert [(entry.messages, entry.title) for entry in entries] == [
        (1, "Conversation 1"),
        (2, "Conversation 2"),
        (3, "Conversation 3"),
    ]


def test_one_organization_is_written_as_native_lines(database: Database, folder: Path) -> None:
    add_organization(database, "acme")
    add_conversation(database, ["mine", "yours"], number=1, organization="acme")
    add_conversation(database, ["another's"], number=2)

    backup = back_up(database, folder, part="organization", organization="acme")

    manifest = backup.manifest
    assert manifest is not None
    assert (manifest.kind, manifest.organization) == ("native", "acme")
    assert (manifest.contents.conversations, manifest.contents.messages) == (1, 2)
    (name,) = backup.archive_names
    with backup.store.open(name) as raw:
        lines = unpacked(raw, name).read()
    assert b"mine" in lines
    assert b"another's" not in lines
    assert find_problems(backup, PROGRAMS, Quiet()) == []


def test_an_organization_that_is_not_there_is_not_found(database: Database, folder: Path) -> None:
    with pytest.raises(NotFoundError, match="no organization 'nobody'"):
        back_up(database, folder, part="organization", organization="nobody")

    assert nothing_left(folder)


def test_a_database_that_is_behind_is_backed_up_as_it_is(
    empty_database_url: DatabaseUrl, folder: Path
) -> None:
    with Database.open(empty_database_url, create=True) as database:
        upgrade(database, revision="0001")

        backup = back_up(database, folder)

    assert backup.manifest is not None
    assert backup.manifest.revision == "0001"
    assert find_problems(backup, PROGRAMS, Quiet()) == []


def test_a_database_without_chatdbs_tables_is_backed_up_too(
    empty_postgresql_url: DatabaseUrl, postgres: PostgresServer, folder: Path
) -> None:
    postgres.execute(
        "CREATE TABLE messages (id int, text text)",
        "INSERT INTO messages VALUES (1, 'of another application')",
        database=empty_postgresql_url.database,
    )
    with Database.open(empty_postgresql_url) as database:
        backup = back_up(database, folder)

    assert backup.manifest is not None
    assert (backup.manifest.revision, backup.manifest.contents.messages) == (None, 0)
    assert find_problems(backup, PROGRAMS, Quiet()) == []


def test_a_schema_of_an_odd_name_is_backed_up(
    empty_postgresql_url: DatabaseUrl, postgres: PostgresServer, folder: Path, tmp_path: Path
) -> None:
    with Database.open(empty_postgresql_url, schema='odd "Schema"') as database:
        upgrade(database)
        add_conversation(database, ["text"])

        backup = back_up(database, folder)

        assert backup.manifest is not None
        assert backup.manifest.schema == 'odd "Schema"'
        assert backup.manifest.contents.messages == 1
        assert find_problems(backup, PROGRAMS, Quiet()) == []
        with restored(backup, tmp_path, postgres) as copy:
            assert differences(backup.manifest.contents, measured(copy)) == ()


def test_several_jobs_make_a_folder(postgresql_url: DatabaseUrl, folder: Path) -> None:
    with Database.open(postgresql_url) as database:
        add_conversation(database, ["text"] * 5)

        backup = back_up(database, folder, jobs=2)

    assert backup.manifest is not None
    assert backup.kind == "directory"
    assert f"{backup.name}.dir/toc.dat" in backup.archive_names
    assert find_problems(backup, PROGRAMS, Quiet()) == []
    inside = sorted((folder / f"{backup.name}.dir").iterdir())
    assert {path.stat().st_mode & 0o777 for path in inside} == {0o600}
    data = next(path for path in inside if path.name.endswith(".dat.zst"))
    data.write_bytes(data.read_bytes()[:-1])
    assert (
        f"{backup.name}.dir/{data.name} is truncated" in find_problems(backup, PROGRAMS, Quiet())[0]
    )


@pytest.mark.parametrize(
    ("tables", "kind", "said"),
    [
        (
            ["large"],
            "custom",
            " % of the data is one table, which a single job dumps: one job is used",
        ),
        (["large", "larger"], "directory", "a single job dumps: 2 jobs are used"),
    ],
)
def test_no_more_jobs_are_used_than_there_are_large_tables(
    postgresql_url: DatabaseUrl, folder: Path, tables: list[str], kind: str, said: str
) -> None:
    watch = Quiet()
    with Database.open(postgresql_url) as database:
        with database.transaction(write=True) as connection:
            for table in tables:
                rows = "SELECT repeat('x', 1000) AS text FROM generate_series(1, 3000)"
                connection.exec_driver_sql(f"CREATE TABLE {table} AS {rows}")

        backup = back_up(database, folder, watch, jobs=4)

    assert backup.kind == kind
    assert [note for note in watch.notes if said in note]
    assert find_problems(backup, PROGRAMS, Quiet()) == []


@pytest.mark.parametrize("part", ["schema-only", "data-only"])
def test_a_part_says_what_it_is(postgresql_url: DatabaseUrl, folder: Path, part: Any) -> None:
    with Database.open(postgresql_url) as database:
        add_conversation(database, ["text"])

        backup = back_up(database, folder, part=part)

    assert backup.manifest is not None
    assert backup.manifest.part == part
    assert backup.name.endswith({"schema-only": "_schema", "data-only": "_data"}[part])
    assert backup.manifest.contents.messages == (1 if part == "data-only" else 0)
    assert find_problems(backup, PROGRAMS, Quiet()) == []
    with pytest.raises(UsageError, match="cannot be restored on its own"):
        verify_restored(backup, postgresql_url, RestoreOptions(programs=PROGRAMS), Quiet())
    assert backup.verifications.last() is None


@pytest.mark.parametrize(
    "options", [{"part": "schema-only"}, {"part": "data-only"}, {"jobs": 2}], ids=str
)
def test_what_sqlite_cannot_do_is_said(sqlite_url: DatabaseUrl, folder: Path, options: Any) -> None:
    with Database.open(sqlite_url) as database, pytest.raises(UsageError, match="PostgreSQL"):
        back_up(database, folder, **options)

    assert nothing_left(folder)


def test_a_missing_database_leaves_nothing(postgresql_url: DatabaseUrl, folder: Path) -> None:
    missing = DatabaseUrl(dialect_name="sqlite", path=folder.with_name("missing.db"))
    for url in (missing, postgresql_url.with_database("missing")):
        with Database.open(url) as database, pytest.raises(DatabaseUnreachableError):
            back_up(database, folder)

    assert nothing_left(folder)


def test_a_damaged_sqlite_file_is_no_backup(sqlite_url: DatabaseUrl, folder: Path) -> None:
    with Database.open(sqlite_url) as database:
        add_conversation(database, ["text " * 200] * 300)
        path = sqlite_url.sqlite_path
        data = bytearray(path.read_bytes())
        for page in range(20, 60):
            data[page * 4096 + 100 : page * 4096 + 200] = b"\xff" * 100
        path.write_bytes(data)

        with pytest.raises(DatabaseFailedError, match="is damaged"):
            back_up(database, folder)

    assert nothing_left(folder)


def test_a_sqlite_file_whose_schema_is_no_text_is_damaged(
    sqlite_url: DatabaseUrl, folder: Path
) -> None:
    data = sqlite_url.sqlite_path.read_bytes()
    for before in (b"viewconversation_summaries", b"CREATE VIEW conversation_summaries AS"):
        assert data.count(before) == 1
        data = data.replace(before, before[:4] + b"\xff" * (len(before) - 4))
    sqlite_url.sqlite_path.write_bytes(data)

    with (
        Database.open(sqlite_url) as database,
        pytest.raises(DatabaseFailedError, match="is damaged"),
    ):
        back_up(database, folder)

    assert nothing_left(folder)


@pytest.mark.parametrize("table", ["snapshots", "another_applications"])
def test_a_locked_table_is_told(
    postgresql_url: DatabaseUrl, postgres: PostgresServer, folder: Path, table: str
) -> None:
    postgres.execute("CREATE TABLE another_applications ()", database=postgresql_url.database)
    with (
        Database.open(postgresql_url) as database,
        Database.open(postgresql_url) as other,
        other.transaction(write=True) as holder,
    ):
        holder.execute(sa.text(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE"))

        with pytest.raises(DatabaseLockedError, match="is locked for too long by pid"):
            back_up(database, folder, lock_seconds=1)

    assert nothing_left(folder)


def test_a_user_who_may_not_read_everything_is_told(
    postgresql_url: DatabaseUrl, postgres: PostgresServer, folder: Path
) -> None:
    role = f"reader_{postgresql_url.database}"
    postgres.execute(
        f"CREATE ROLE {role} LOGIN PASSWORD 'abc'",
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}",
        f"REVOKE SELECT ON snapshots FROM {role}",
        database=postgresql_url.database,
    )
    try:
        url = replace(postgresql_url, user=role, password="abc")
        with Database.open(url) as database, pytest.raises(ChatdbError, match="snapshots") as told:
            back_up(database, folder)
        assert told.value.exit_code == 1
    finally:
        postgres.execute(
            f"DROP OWNED BY {role}", f"DROP ROLE {role}", database=postgresql_url.database
        )

    assert nothing_left(folder)
