"""A copy says what it does not move, and compares all that it does; a half-made place is made."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from threading import Thread
from typing import Any
from uuid import UUID

import msgspec
import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.another_program import execute_as_another_program
from chatdb.db.database import Database
from chatdb.db.migrating.catalogue import expected_catalogue
from chatdb.db.migrating.migrations import downgrade, upgrade
from chatdb.db.types import CanonicalJson, FloatVector, HyphenUuid, UtcTime
from chatdb.errors import RefusedError, SchemaMismatchError
from chatdb.operations.copying.copy_database import copy_database, preview_copy
from chatdb.operations.copying.lines import (
    COPIED,
    ContentDigest,
    LineReader,
    digest_of_table,
    read_organizations,
)
from chatdb.operations.copying.state import KEY, CopyProgress, begin
from chatdb.records import MessageFile
from tests.operations.copying import KINDS, Make, Watch, broken_off, many, rows_of
from tests.operations.export_rows import ORGANIZATION, embedding, insert, message
from tests.operations.export_rows import conversation as made
from tests.postgres_server import wait_until

ALL_KINDS = [
    pytest.param(kind, marks=[pytest.mark.postgresql] if kind == "postgresql" else [])
    for kind in KINDS
]


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_tables_and_columns_of_others_are_named_and_not_copied(make: Make, kind: str) -> None:
    source, destination = make(kind), make("sqlite")
    many(source, 3)
    for statement in (
        "ALTER TABLE conversations ADD COLUMN tags text",
        "UPDATE conversations SET tags = 'work' WHERE id IN (SELECT id FROM conversations LIMIT 2)",
        'ALTER TABLE organizations ADD COLUMN "their plan" text',
        'CREATE TABLE "Book marks" (id integer)',
        "CREATE VIEW bookmarks_seen AS SELECT id FROM conversations",
    ):
        execute_as_another_program(source.url, statement)

    ahead = preview_copy(source, destination)
    report = copy_database(source, destination, Watch())

    assert [f"{item.place}: {item.reason}" for item in report.skipped] == [
        "table Book marks: it is not chatdb's",
        "column conversations.tags: it is not chatdb's; rows with a value in it: 2",
        "column organizations.their plan: it is not chatdb's; rows with a value in it: 0",
    ]
    assert (report.outcome, report.content_hash, report.differences) == ("partial", None, ())
    assert (ahead.outcome, ahead.skipped) == ("partial", report.skipped)
    assert rows_of(destination)["conversations"] == rows_of(source)["conversations"]


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_rows_that_belong_to_nothing_are_counted_and_not_copied(make: Make, kind: str) -> None:
    source, destination = make(kind), make("sqlite")
    many(source, 3)
    insert(source, [made(9, [message(1), message(2)], embeddings=[embedding(1, 0.5)])])
    _without_foreign_keys(source, f"DELETE FROM conversations WHERE id = '{UUID(int=9 << 64)}'")
    gone = UUID(int=77)
    _without_foreign_keys(
        source,
        "INSERT INTO tombstones (organization_id, conversation_id, message_id, deleted_at)"
        f" VALUES ('{gone}', '{gone}', '{gone}', '2026-01-01T00:00:00.000000Z')",
    )

    report = copy_database(source, destination, Watch())

    because = "rows whose organization or conversation does not exist"
    assert [f"{item.place}: {item.reason}" for item in report.skipped] == [
        f"table messages: {because}: 2",
        f"table message_embeddings: {because}: 1",
        f"table tombstones: {because}: 1",
    ]
    assert (report.outcome, report.differences) == ("partial", ())
    assert len(rows_of(destination)["messages"]) == 3


def _without_foreign_keys(database: Database, statement: str) -> None:
    if database.url.path is not None:
        with closing(sqlite3.connect(database.url.sqlite_path)) as file, file:
            file.execute(statement)
        return
    with database.transaction(write=True) as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(statement)


def test_a_row_that_no_conversation_has_is_a_difference(make: Make) -> None:
    source, destination = make("sqlite"), make("sqlite")
    many(source, 2)
    stray = (
        "INSERT INTO snapshots (organization_id, conversation_id, id, state, created_at)"
        f" VALUES ('{ORGANIZATION}', 'x', 'x', '{{}}', '2026-01-01T00:00:00.000000Z')"
    )

    def meddle(_: int) -> None:
        _without_foreign_keys(destination, stray)

    report = copy_database(source, destination, Watch(meddle))

    assert report.outcome == "different"
    assert report.differences == ("table snapshots has 1 rows, not 0",)


@pytest.mark.large
@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_column_of_the_catalogue_is_compared(make: Make, kind: str) -> None:
    database = make(kind)
    kept = MessageFile(message_id=UUID(int=1), position=0, digest="a" * 64, name="a", size=1)
    insert(database, [made(1, [message(1)], files=[kept], embeddings=[embedding(1, 0.5, 0.25)])])
    triggers = _triggers(database)
    with database.transaction(write=True) as connection:
        ids = {"organization_id": ORGANIZATION, "conversation_id": UUID(int=1 << 64)}
        time = datetime(2026, 1, 1, tzinfo=UTC)
        state = {"id": UUID(int=5), "state": {}, "created_at": time}
        connection.execute(sa.insert(schema.snapshots).values(**ids, **state))
        stone = {"message_id": UUID(int=0), "deleted_at": time}
        connection.execute(sa.insert(schema.tombstones).values(**ids, **stone))
        for name in triggers:  # one sets updated_at, which would show any change
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    before = _digest(database)
    tables = {str(table.name): table for table in COPIED.values()}
    columns = [
        tables[entry.table].c[entry.name]
        for entry in expected_catalogue(database.dialect.name)
        if entry.kind == "column" and entry.table in tables and entry.name != "rid"
    ]

    unseen = []
    for column in columns:
        table = column.table
        is_key = column.foreign_keys or (table.name, column.name) in (
            ("organizations", "id"),
            ("conversations", "id"),
        )
        if is_key:  # the row would be another's, which the counts tell
            continue
        old = _value(database, column)
        _change(database, column, _OTHERS.get(column.name) or _other(column.type))
        if _digest(database) == before:
            unseen.append(str(column))
        _change(database, column, old)

    assert unseen == []
    assert len(columns) > 40
    assert _digest(database) == before


def _triggers(database: Database) -> list[str]:
    if database.url.path is None:
        return []  # chatdb.bulk turns them off
    query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    return [row[0] for row in execute_as_another_program(database.url, query)]


def _digest(database: Database) -> tuple[str, ...]:
    """Return what a copy compares of a database."""
    with database.snapshot() as there:
        found = ContentDigest()
        for organization in read_organizations(there):
            LineReader(there, organization).add_all(found, lambda _: None)
        tables = (schema.organizations, schema.files, schema.tombstones)
        return (found.hexdigest(), *(digest_of_table(there, table) for table in tables))


_OTHERS = {"kind": "canvas"}
"""Where a check allows few values."""


def _other(kind: Any) -> Any:
    found: list[tuple[type[Any], Any]] = [
        (HyphenUuid, UUID(int=12345)),
        (UtcTime, datetime(2001, 2, 3, tzinfo=UTC)),
        (CanonicalJson, {"changed": 1}),
        (FloatVector, [9.0, 9.0]),
        (sa.Integer, 999),
    ]
    return next((value for known, value in found if isinstance(kind, known)), "tool")


def _value(database: Database, column: Any) -> Any:
    with database.transaction() as connection:
        return connection.scalar(sa.select(column))


def _change(database: Database, column: Any, value: Any) -> None:
    with database.transaction(write=True, settings={"chatdb.bulk": "on"}) as connection:
        connection.execute(sa.update(column.table).values({column.name: value}))


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_a_place_that_a_killed_first_use_left_half_made_is_made(make: Make, kind: str) -> None:
    source, destination = make("sqlite"), make(kind, empty=True)
    many(source, 2)
    upgrade(destination, revision="0002")

    report = copy_database(source, destination, Watch())

    assert report.outcome == "done"
    assert rows_of(destination) == rows_of(source)


def test_a_place_that_is_behind_and_holds_a_conversation_is_left_alone(make: Make) -> None:
    source, destination = make("sqlite"), make("sqlite")
    many(source, 2)
    many(destination, 1)
    downgrade(destination, "0004")

    with pytest.raises(SchemaMismatchError, match="0004"):
        copy_database(source, destination, Watch())


@pytest.mark.postgresql
def test_a_copy_that_begins_while_another_does_goes_on_with_it(make: Make) -> None:
    destination = make("postgresql")
    first = CopyProgress(run="first", step=0, source="somewhere")
    begun: list[Any] = []

    def second() -> None:
        begun.append(begin(destination, "somewhere", search_index=False))

    thread = Thread(target=second)
    with destination.transaction(write=True) as connection:
        value = msgspec.json.encode(first).decode()
        connection.execute(sa.insert(schema.settings).values(key=KEY, value=value))
        thread.start()
        waiting = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = ?"
        wait_until(
            lambda: bool(
                execute_as_another_program(destination.url, waiting, (destination.url.database,))
            )
        )
    thread.join(30)

    assert [state.before for state in begun] == [first]


@pytest.mark.large
def test_a_file_that_another_copy_has_locked_is_refused(make: Make) -> None:
    source, destination = make("sqlite"), make("sqlite")
    many(source)
    broken_off(source, destination)
    impatient = "PRAGMA busy_timeout = 100"
    sa.event.listen(destination.engine, "connect", lambda driver, _: driver.execute(impatient))
    holder = sqlite3.connect(destination.url.sqlite_path, isolation_level=None)

    with closing(holder):
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(
            RefusedError, match=r"a copy of .* was started and may still be running"
        ):
            copy_database(source, destination, Watch())
        holder.execute("ROLLBACK")

    assert copy_database(source, destination, Watch()).outcome == "done"
