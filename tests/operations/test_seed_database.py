"""Seeding real databases: the same rows on both, once and for all, and never on production."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db import label, schema
from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.errors import RefusedError, UsageError
from chatdb.operations.searching.search import SearchOptions, search
from chatdb.operations.seeding.seed import preview_seed, seed
from chatdb.records import organization_id_of
from chatdb.seeds.demo import DEMO
from chatdb.seeds.people import ORGANIZATIONS
from chatdb.seeds.plan import SeedOptions
from chatdb.store.search_index import search_index_state
from tests.seeds.making import made

TABLES = (schema.organizations, schema.conversations, schema.messages, schema.snapshots)
FEW = SeedOptions(conversations=12)


def rows(database: Database) -> dict[str, Sequence[Any]]:
    """Return every row of what people see, ordered by key."""
    with database.transaction() as connection:
        return {
            table.name: connection.execute(
                sa.select(table).order_by(*table.primary_key.columns)
            ).all()
            for table in TABLES
        }


def count(database: Database, table: sa.Table) -> int:
    with database.transaction() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def label_as(database: Database, value: str) -> None:
    with database.transaction(write=True) as connection:
        connection.execute(sa.insert(schema.settings).values(key=label.KEY, value=value))


def test_both_databases_get_the_same_rows(
    sqlite_url: DatabaseUrl, postgresql_url: DatabaseUrl
) -> None:
    with Database.open(sqlite_url) as one, Database.open(postgresql_url) as other:
        seed(one)
        seed(other)

        mine, theirs = rows(one), rows(other)

    for found in (mine, theirs):
        # The first migration makes it, at its own time.
        found["organizations"] = [row for row in found["organizations"] if row.key != "default"]
    assert mine == theirs
    assert [len(found) for found in mine.values()][:2] == [5, 50]


@pytest.mark.large
def test_every_record_is_stored_as_it_was_made(database: Database) -> None:
    report = seed(database)

    records = made(SeedOptions())
    stored = rows(database)
    assert (report.new, report.messages_new) == (50, sum(len(each.messages) for each in records))
    by_id = {row.id: row for row in stored["conversations"]}
    contents = {(row.conversation_id, row.position): row.content for row in stored["messages"]}
    for record in records:
        assert by_id[record.id].title == record.title
        assert by_id[record.id].metadata == record.metadata
        for position, message in enumerate(record.messages):
            assert contents[record.id, position] == message.content


def test_a_second_run_adds_nothing(database: Database) -> None:
    first = seed(database, FEW)
    before = rows(database)

    again = seed(database, FEW)

    assert (first.new, again.new, again.unchanged) == (12, 0, 12)
    assert (again.updated, again.messages_new, again.messages_changed) == (0, 0, 0)
    assert first.made == tuple(ORGANIZATIONS)
    assert again.made == ()
    assert rows(database) == before


def test_a_larger_run_adds_what_is_missing(database: Database) -> None:
    seed(database, FEW)

    report = seed(database, replace(FEW, conversations=30))

    assert (report.new, report.unchanged) == (18, 12)
    assert count(database, schema.conversations) == 30


@pytest.mark.large
@pytest.mark.parametrize("change", [{"seed": 7}, {"until": date(2026, 12, 24)}])
def test_another_seed_or_day_stands_beside_the_first(
    database: Database, change: dict[str, Any]
) -> None:
    seed(database, FEW)

    report = seed(database, replace(FEW, **change))

    assert (report.new, report.skipped) == (12, ())
    assert count(database, schema.conversations) == 24


def test_one_organization_can_have_it_all_and_the_demonstration_exists_all_the_same(
    database: Database,
) -> None:
    report = seed(database, replace(FEW, organization_key="acme"))

    found = rows(database)
    acme = organization_id_of("acme")
    assert report.organizations == ("acme",)
    assert report.made == (DEMO, "acme")
    assert {row.organization_id for row in found["conversations"]} == {acme}
    assert {row.key for row in found["organizations"]} == {"default", DEMO, "acme"}
    assert len(found["conversations"]) == 12


def test_organizations_of_the_demonstration_have_names_and_are_left_alone(
    database: Database,
) -> None:
    with database.transaction(write=True) as connection:
        connection.execute(
            sa.insert(schema.organizations).values(
                id=organization_id_of(DEMO),
                key=DEMO,
                name="Ours",
                created_at=made(FEW)[0].created_at,
            )
        )

    seed(database, FEW)

    names = {row.key: row.name for row in rows(database)["organizations"]}
    assert names.pop("default")
    assert names == {**ORGANIZATIONS, DEMO: "Ours"}


def test_what_was_changed_or_deleted_here_stays_so(database: Database) -> None:
    seed(database, FEW)
    table = schema.conversations
    first, second = [row.id for row in rows(database)["conversations"]][:2]
    with database.transaction(write=True) as connection:
        connection.execute(sa.update(table).where(table.c.id == first).values(title="Mine"))
        organization = connection.scalar(
            sa.select(table.c.organization_id).where(table.c.id == second)
        )
        connection.execute(sa.delete(table).where(table.c.id == second))
        connection.execute(
            sa.insert(schema.tombstones).values(
                organization_id=organization,
                conversation_id=second,
                message_id="00000000-0000-0000-0000-000000000000",
                deleted_at=made(FEW)[0].created_at,
            )
        )

    report = seed(database, FEW)

    assert (report.new, report.unchanged, report.deleted_here) == (0, 11, 1)
    titles = {row.id: row.title for row in rows(database)["conversations"]}
    assert titles[first] == "Mine"
    assert second not in titles


@pytest.mark.parametrize("value", ["production", " Production\n"])
def test_production_is_refused_before_anything_is_written(database: Database, value: str) -> None:
    label_as(database, value)

    with pytest.raises(RefusedError, match="labelled production, where seeding is not allowed"):
        seed(database, FEW)
    with pytest.raises(RefusedError):
        preview_seed(database, FEW)

    assert count(database, schema.organizations) == 1
    assert count(database, schema.conversations) == 0


@pytest.mark.parametrize("value", ["development", "staging", "preproduction"])
def test_other_labels_are_no_obstacle(database: Database, value: str) -> None:
    label_as(database, value)

    assert seed(database, FEW).new == 12


def test_a_preview_writes_nothing_and_tells_what_will_be(database: Database) -> None:
    seed(database, replace(FEW, conversations=5))
    before = rows(database)

    preview = preview_seed(database, FEW)

    assert rows(database) == before
    assert preview.dry_run
    assert replace(seed(database, FEW), dry_run=True) == preview


def test_without_a_database_all_of_it_would_be_new() -> None:
    preview = preview_seed(None, FEW)

    assert (preview.new, preview.made) == (12, tuple(ORGANIZATIONS))


def test_a_plan_that_cannot_be_is_refused_before_anything_is_written(database: Database) -> None:
    with pytest.raises(UsageError):
        seed(database, replace(FEW, messages=3))

    assert count(database, schema.organizations) == 1


def test_progress_counts_every_conversation(database: Database) -> None:
    done: list[int] = []
    seed(database, FEW, on_progress=done.append)
    seed(database, FEW, on_progress=done.append)

    assert sum(done) == 24


class StopError(Exception):
    """Ends a seeding in the middle."""


def test_an_interrupted_run_is_completed_by_the_next(
    database: Database, sqlite_url: DatabaseUrl
) -> None:
    def stop(_: int) -> None:
        raise StopError

    with pytest.raises(StopError):
        seed(database, on_progress=stop)
    assert 0 < count(database, schema.conversations) < 50

    seed(database)

    with Database.open(sqlite_url) as whole:
        seed(whole)
        assert rows(database)["messages"] == rows(whole)["messages"]
    with database.transaction() as connection:
        assert search_index_state(connection) == "present"


def test_search_finds_what_was_seeded(database: Database) -> None:
    seed(database)

    for words in ("notebook", "味噌", "تدريب", "अभ्यास"):
        keys = [
            key
            for key in ORGANIZATIONS
            if search(database, words, organization_key=key, options=SearchOptions()).hits
        ]
        assert keys, words


def test_two_at_once_make_it_once(database_url: DatabaseUrl) -> None:
    reports = []

    def run() -> None:
        with Database.open(database_url) as database:
            reports.append(seed(database))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with Database.open(database_url) as database:
        assert count(database, schema.conversations) == 50
    assert sum(each.new for each in reports) == 50
    assert sum(each.new + each.unchanged for each in reports) == 100
