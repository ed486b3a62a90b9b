"""Everything goes into the other database as it is, once, whatever comes between."""

from datetime import UTC, datetime
from itertools import product
from uuid import UUID

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.connect import driver_connection
from chatdb.db.database import Database
from chatdb.operations.copying.copy_database import copy_database, preview_copy
from chatdb.operations.schema.environment import label, set_label
from chatdb.store.selecting import AT_ONCE
from tests.operations.conversation_rows import add_organization
from tests.operations.copying import BATCH, KINDS, Make, Watch, broken_off, many, rows_of
from tests.operations.export_rows import ORGANIZATION, conversation, every_shape, insert, message
from tests.operations.importing import check_search, load

TOMBSTONES = AT_ONCE + 10


def fill(database: Database) -> None:
    """Write rows of every shape, with odd positions, tombstones and two organizations more."""
    insert(database, every_shape()[:3])
    add_organization(database, "acme")
    add_organization(database, "empty")
    load(database, [conversation(70, [message(1, "of another tenant")])], organization="acme")
    with database.transaction(write=True) as connection:
        own = schema.messages.c.conversation_id == UUID(int=2 << 64)
        position = schema.messages.c.position
        for place in range(8, -1, -1):  # from 0, 1, 2 ... to 0, 3, 6 ...
            connection.execute(
                sa.update(schema.messages).where(own, position == place).values(position=3 * place)
            )
        connection.execute(
            sa.insert(schema.tombstones),
            [
                {
                    "organization_id": ORGANIZATION,
                    "conversation_id": UUID(int=(9 + number // 2) << 64),
                    "message_id": UUID(int=number % 2),
                    "deleted_at": datetime(2026, 2, 1, 1, 2, 3, 4, tzinfo=UTC),
                    "reason": "gone 'é'",
                }
                for number in range(TOMBSTONES)
            ],
        )


@pytest.mark.postgresql
@pytest.mark.parametrize(("from_kind", "to_kind"), [*product(KINDS, KINDS)])
def test_every_row_and_field_goes_over(make: Make, from_kind: str, to_kind: str) -> None:
    source, destination = make(from_kind), make(to_kind, empty=True)
    fill(source)
    before = rows_of(source)

    report = copy_database(source, destination, watch := Watch())

    assert rows_of(destination) == before == rows_of(source)
    assert (report.outcome, report.search_index, report.differences) == ("done", "present", ())
    assert (report.conversations, report.snapshots, report.tombstones) == (4, 2, TOMBSTONES)
    assert report.embeddings == 3
    assert watch.stages == ["copying", "building the search index", "comparing"]
    assert watch.seen == watch.total == report.messages
    assert watch.notes == [f"created chatdb's tables in {destination.url.redacted()}"]
    check_search(destination, "tenant", 1)


@pytest.mark.postgresql
def test_the_hash_tells_equal_databases_from_others(make: Make) -> None:
    source, one, two = make("sqlite"), make("postgresql"), make("sqlite")
    fill(source)

    hashes = [copy_database(source, each, Watch()).content_hash for each in (one, two)]
    with one.transaction(write=True) as connection:
        connection.execute(
            sa.update(schema.messages).where(schema.messages.c.position == 24).values(position=25)
        )
    changed = copy_database(one, make("sqlite"), Watch()).content_hash

    assert hashes[0] == hashes[1] is not None
    assert changed not in hashes


@pytest.mark.postgresql
@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_that_was_broken_off_goes_on_and_writes_nothing_twice(make: Make, kind: str) -> None:
    source, destination = make("sqlite"), make(kind)
    many(source)

    broken_off(source, destination)
    with destination.transaction() as connection:
        part = connection.scalar(sa.select(sa.func.count()).select_from(schema.conversations))
    seen: list[int] = []
    report = copy_database(source, destination, Watch(seen.append))

    assert part == BATCH
    assert seen[0] == BATCH  # what was there; only the rest is written
    assert (report.resumed, report.renewed, report.outcome) == (True, 0, "done")
    assert rows_of(destination) == rows_of(source)
    check_search(destination, "word", BATCH + 10)
    with destination.transaction() as connection:
        query = sa.select(schema.log.c.outcome).where(schema.log.c.kind == "copy")
        assert sorted(connection.scalars(query)) == ["done", "interrupted"]
        assert connection.scalars(sa.select(schema.settings.c.key)).all() == []


@pytest.mark.postgresql
@pytest.mark.parametrize("kind", KINDS)
def test_what_changed_in_the_source_meanwhile_is_made_what_it_is_now(make: Make, kind: str) -> None:
    source, destination = make("sqlite"), make(kind)
    add_organization(source, "acme")
    load(source, [conversation(1, [message(1, "goes")])], organization="acme")
    many(source)
    broken_off(source, destination)
    table = schema.conversations
    with source.transaction(write=True) as connection:
        connection.execute(
            sa.update(table).where(table.c.id == UUID(int=5 << 64)).values(title="renamed")
        )
        for gone in (7, BATCH + 5):
            connection.execute(sa.delete(table).where(table.c.id == UUID(int=gone << 64)))
        connection.execute(
            sa.delete(schema.organizations).where(schema.organizations.c.key == "acme")
        )
    insert(source, [conversation(0, [message(1, "earlier")])])

    report = copy_database(source, destination, Watch())

    assert report.renewed == 3
    assert report.outcome == "done"
    assert rows_of(destination) == rows_of(source)
    check_search(destination, "earlier", 1)


@pytest.mark.postgresql
def test_a_difference_is_named_and_the_next_run_mends_it(make: Make) -> None:
    source, destination = make("postgresql"), make("sqlite")
    many(source, 3)

    def meddle(_: int) -> None:
        with destination.transaction(write=True) as connection:
            connection.execute(sa.update(schema.messages).values(content="meddled"))

    report = copy_database(source, destination, Watch(meddle))

    assert report.outcome == "different"
    assert report.content_hash is None
    assert report.differences[0] == f"conversation {UUID(int=1 << 64)} of default differs"
    assert len(report.differences) == 3
    mended = copy_database(source, destination, Watch())
    assert (mended.outcome, mended.renewed) == ("done", 3)
    assert rows_of(destination) == rows_of(source)


def test_one_state_of_the_source_is_copied_while_others_write(
    make: Make,
) -> None:
    source, destination = make("sqlite"), make("sqlite")
    many(source)
    before = rows_of(source)
    report = copy_database(
        source,
        destination,
        Watch(lambda seen: insert(source, [conversation(9_000 + seen, [message(1, "late")])])),
    )

    assert report.outcome == "done"
    assert rows_of(destination) == before != rows_of(source)


@pytest.mark.postgresql
def test_what_cannot_be_stored_is_skipped_and_named(make: Make) -> None:
    source, destination = make("sqlite"), make("postgresql")
    many(source, 5)
    long = "".join(f"{n:x}" for n in range(40_000))
    insert(source, [conversation(3_000, user_id=long)])

    report = copy_database(source, destination, Watch())

    assert (report.outcome, report.differences, report.content_hash) == ("partial", (), None)
    (item,) = report.skipped
    assert item.place == f"conversation {UUID(int=3_000 << 64)} of default"
    assert "index row" in item.reason
    assert len(rows_of(destination)["conversations"]) == 5


@pytest.mark.postgresql
def test_nul_becomes_a_replacement_character_and_is_counted(
    make: Make,
) -> None:
    source, destination = make("sqlite"), make("postgresql")
    many(source, 2)
    with source.transaction(write=True) as connection:
        driver_connection(connection).execute(
            "UPDATE messages SET content = 'a' || char(0) || 'b' WHERE position = 0"
        )

    report = copy_database(source, destination, Watch())

    assert (report.outcome, report.replaced_characters) == ("done", 2)
    message_row = schema.messages.c
    with destination.transaction() as connection:
        for content, metadata in connection.execute(
            sa.select(message_row.content, message_row.metadata)
        ):
            assert content == "a\ufffdb"
            assert "original" in metadata["chatdb"]


def test_the_destinations_label_stays_its_own(make: Make) -> None:
    source, destination = make("sqlite"), make("sqlite")
    set_label(source, "production")
    set_label(destination, "staging")
    many(source, 1)

    copy_database(source, destination, Watch())

    assert label(destination) == "staging"


@pytest.mark.postgresql
@pytest.mark.parametrize("kind", KINDS)
def test_the_search_index_can_be_left_out(make: Make, kind: str) -> None:
    source, destination = make("sqlite"), make(kind)
    many(source, 2)

    report = copy_database(source, destination, Watch(), search_index=False)

    assert report.search_index == "off"


def test_a_dry_run_makes_and_writes_nothing(make: Make) -> None:
    source, destination = make("sqlite"), make("sqlite", empty=True)
    many(source, 2)

    report = preview_copy(source, destination)

    assert (report.dry_run, report.conversations, report.messages) == (True, 2, 2)
    assert not destination.url.sqlite_path.exists()
