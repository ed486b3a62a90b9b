"""Batches of an import, and the preview that goes through the same ones."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.errors import ChatdbError
from chatdb.operations.importing.imports import ImportOptions, ImportRun
from chatdb.operations.importing.preview import preview
from chatdb.records import Conversation
from chatdb.store import batches as batches_module
from chatdb.store.batches import Arrival, Batches
from chatdb.store.columns import JSON, OBJECT, TEXT, fields_of
from tests.operations.importing import (
    conversation,
    load,
    message,
    stored,
)


def test_a_preview_tells_the_same_and_writes_nothing(database: Database) -> None:
    load(database, [conversation("old", [message("a")]), conversation("same", [message("a")])])
    before = stored(database)
    records = [
        conversation("old", [message("a"), message("b")], 5),
        conversation("same", [message("a")]),
        conversation("new", [message("a")]),
    ]
    arrivals = [Arrival(each, hashed=False) for each in records]

    counts = preview(
        database, "default", arrivals, options=ImportOptions(), on_placed=lambda _: None
    )

    assert (counts.new, counts.updated, counts.unchanged) == (1, 1, 1)
    assert stored(database) == before


def test_a_preview_knows_what_came_in_a_batch_before(database: Database) -> None:
    short = conversation("talk", [message("a")])
    longer = conversation("talk", [message("a"), message("b")], 5)
    others = [conversation(str(number)) for number in range(batches_module.MAX_CONVERSATIONS)]
    arrivals = [Arrival(each) for each in (short, *others, short, *others, longer)]

    told = preview(database, "default", arrivals, options=ImportOptions(), on_placed=lambda _: None)

    with ImportRun(database, "default", subject="test") as run:
        run.load(arrivals)
    assert told == run.counts
    assert (told.new, told.updated) == (len(others) + 1, 1)


def test_batches_are_bounded_and_lose_nothing() -> None:
    records = [conversation(str(number), [message("a", content=_BIG)]) for number in range(10)]

    assert _sizes(records) == [3, 3, 3, 1]


def test_many_batches_go_in_one_by_one(database: Database) -> None:
    count = 2 * batches_module.MAX_CONVERSATIONS + 1
    records = [conversation(str(number), [message("a")]) for number in range(count)]

    assert load(database, records, hashed=True).new == count
    assert load(database, records).unchanged == count


_BIG = "x" * (batches_module.MAX_SIZE // 3)


@pytest.mark.parametrize(
    "fields",
    [
        *({name: _BIG} for name in fields_of("messages", TEXT)),
        *({name: {"page": _BIG}} for name in fields_of("messages", JSON, OBJECT)),
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_every_text_of_a_message_counts_towards_the_size_of_a_batch(fields: Any) -> None:
    records = [conversation(str(number), [message("a", **fields)]) for number in range(4)]

    assert _sizes(records) == [3, 1]


def test_metadata_counts_towards_the_size_of_a_batch() -> None:
    records = [conversation(str(number), metadata={"page": _BIG}) for number in range(4)]

    assert _sizes(records) == [3, 1]


def _sizes(records: list[Conversation]) -> list[int]:

    batches = Batches(map(Arrival, records))
    sizes = []
    while batch := batches.next_batch():
        sizes.append(len(batch))
    return sizes


def test_the_next_batch_is_read_while_the_database_works() -> None:
    read: list[int] = []

    def stream() -> Iterator[Arrival]:
        for number in range(5):
            read.append(number)
            yield Arrival(conversation(str(number)))

    batches = Batches(stream())
    with batches.ahead():
        deadline = time.monotonic() + 20
        while len(read) < 5 and time.monotonic() < deadline:
            time.sleep(0.001)

    assert len(read) == 5
    assert len(batches.next_batch()) == 5
    assert batches.next_batch() == []


def test_a_stream_that_stalls_does_not_hold_up_the_database() -> None:
    goes_on = threading.Event()

    def stream() -> Iterator[Arrival]:
        yield Arrival(conversation("one"))
        assert goes_on.wait(20)
        yield Arrival(conversation("two"))

    batches = Batches(stream())
    with batches.ahead():
        pass
    goes_on.set()

    assert len(batches.next_batch()) == 2


def test_what_a_stream_raises_ahead_comes_after_what_it_gave() -> None:
    def stream() -> Iterator[Arrival]:
        yield Arrival(conversation("one"))
        raise ValueError("no more")

    batches = Batches(stream())
    with batches.ahead():
        time.sleep(0.05)

    assert len(batches.next_batch()) == 1
    with pytest.raises(ValueError, match="no more"):
        batches.next_batch()


def test_an_organization_that_is_removed_meanwhile_gets_no_orphans(database: Database) -> None:
    def stream() -> Iterator[Arrival]:
        for number in range(batches_module.MAX_CONVERSATIONS):
            yield Arrival(conversation(str(number)))
        with database.transaction(write=True) as connection:
            organizations = schema.organizations
            connection.execute(sa.delete(organizations).where(organizations.c.key == "gone"))
        yield Arrival(conversation("late", [message("a")]))

    with (
        pytest.raises(ChatdbError, match="organization"),
        ImportRun(database, "gone", subject="test") as run,
    ):
        run.load(stream())
