"""Importing into both databases: new, merged, deleted here, refused, with the search index."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.errors import InvalidInputError
from chatdb.formats.base import Skipped
from chatdb.operations.importing.imports import ImportRun
from chatdb.records import Conversation, Message, Snapshot
from chatdb.store.batches import Arrival
from tests.operations.importing import (
    at,
    check_search,
    contents,
    conversation,
    delete_message,
    identifier,
    load,
    message,
    stored,
    the_one,
    tombstone,
)

if TYPE_CHECKING:
    from chatdb.operations.importing.report import Placed

FULL = Message(
    id=identifier("full"),
    parent_id=identifier("nowhere"),
    role="assistant",
    author="search",
    model="m-1",
    content='tab\t "quotes" \\ line\nend 東京 \ud7ff',
    reasoning=[{"text": "thought"}],
    tool_calls=[{"n": 1e300, "big": 2**70}],
    tool_outputs={"a": [None, True, 1.5]},
    attachments=[],
    source_id="full",
    edited_at=at(3),
    metadata={"z": 1, "a": {"é": -0.5}},
    created_at=datetime(1, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
)


def delete_conversation(database: Database, name: str) -> None:
    with database.transaction(write=True) as connection:
        table = schema.conversations
        connection.execute(sa.delete(table).where(table.c.id == identifier(name)))
    tombstone(database, identifier(name))


def test_every_field_comes_back_as_it_was(database: Database) -> None:
    snapshot = Snapshot(id=identifier("s"), state={"scroll": [1, None]}, created_at=at(1))
    record = conversation(
        "talk",
        [message("a"), FULL],
        user_id="ann",
        last_accessed_at=at(1),
        archived_at=at(2),
        starred_at=at(3),
        pinned_at=at(4),
        source_name="home",
        source_hash="00",
        metadata={"k": {"b": 1, "a": "\\u0000 is only text"}},
        snapshots=[snapshot],
    )

    load(database, [record])

    assert the_one(database) == record


def test_importing_again_changes_nothing(database: Database) -> None:
    records = [conversation(name, [message("a"), message("b", "a")]) for name in "abc"]
    first = load(database, records)
    before = stored(database)

    again = load(database, records)

    assert (first.new, first.messages_new) == (3, 6)
    assert (again.new, again.updated, again.unchanged) == (0, 0, 3)
    assert stored(database) == before


def test_equal_hashes_leave_a_conversation_unread(database: Database) -> None:
    load(database, [conversation("talk", [message("a")], source_hash="h")], hashed=True)

    again = load(database, [conversation("talk", [message("b")], source_hash="h")], hashed=True)

    assert again.unchanged == 1
    assert contents(the_one(database)) == ["a"]


def test_a_longer_export_adds_only_what_is_new(database: Database) -> None:
    load(database, [conversation("talk", [message("a"), message("b", "a")], source_hash="1")])

    longer = [message("a"), message("b", "a"), message("c", "b", content="fresh word")]
    counts = load(database, [conversation("talk", longer, 5, source_hash="2")])

    assert (counts.updated, counts.messages_new, counts.messages_changed) == (1, 1, 0)
    record = the_one(database)
    assert [each.source_id for each in record.messages] == ["a", "b", "c"]
    assert (record.source_hash, record.updated_at) == ("2", at(5))
    check_search(database, "fresh", 1)


def test_an_older_export_after_a_newer_one_changes_nothing(database: Database) -> None:
    newer = conversation("talk", [message("a"), message("b", "a")], 5, source_hash="2")
    load(database, [newer])

    counts = load(database, [conversation("talk", [message("a")], 1, source_hash="1", title="old")])

    assert counts.unchanged == 1
    assert the_one(database) == newer


def test_a_message_changed_in_the_source_is_found_by_its_new_words_only(
    database: Database,
) -> None:
    load(database, [conversation("talk", [message("a", content="before"), message("b", "a")])])

    counts = load(
        database, [conversation("talk", [message("a", content="after"), message("b", "a")], 5)]
    )

    assert counts.messages_changed == 1
    check_search(database, "before", 0)
    check_search(database, "after", 1)


def test_a_message_in_the_middle_moves_the_others(database: Database) -> None:
    load(database, [conversation("talk", [message("a"), message("c", "a")])])

    load(database, [conversation("talk", [message("a"), message("b", "a"), message("c", "a")], 5)])

    assert contents(the_one(database)) == ["a", "b", "c"]
    check_search(database, "text", 3)


def test_what_was_edited_and_added_here_stays(database: Database) -> None:
    mine = message("b", "a", content="mine", edited_at=at(1))
    added = message("here", "b", source_id=None)
    load(database, [conversation("talk", [message("a"), mine, added], title="t", edited_at=at(1))])

    load(
        database,
        [conversation("talk", [message("a"), message("b", "a"), message("c", "b")], 5, title="s")],
    )

    record = the_one(database)
    assert contents(record) == ["a", "mine", "here", "c"]
    assert record.title == "t"


def test_a_message_deleted_here_stays_deleted(database: Database) -> None:
    first = conversation("talk", [message("a"), message("b", "a")])
    load(database, [first])
    delete_message(database, "b")

    load(database, [conversation("talk", [*first.messages, message("c", "b")], 5)])

    assert contents(the_one(database)) == ["a", "c"]


def test_a_conversation_deleted_here_stays_deleted_and_is_counted(database: Database) -> None:
    load(database, [conversation("talk", [message("a")])])
    delete_conversation(database, "talk")

    counts = load(database, [conversation("talk", [message("a"), message("b")], 5)])

    assert counts.deleted_here == 1
    assert stored(database) == []


@pytest.mark.parametrize("hashed", [True, False])
def test_restore_deleted_brings_back_conversations_and_messages(
    database: Database, hashed: bool
) -> None:
    records = [
        conversation("talk", [message("a"), message("b", "a")], source_hash="1"),
        conversation("gone", [message("a")], source_hash="2"),
    ]
    load(database, records, hashed=hashed)
    delete_message(database, "b")
    delete_conversation(database, "gone")

    counts = load(database, records, hashed=hashed, restore_deleted=True)

    assert (counts.new, counts.updated) == (1, 1)
    assert sum(len(each.messages) for each in stored(database)) == 3
    assert load(database, records, hashed=hashed).unchanged == 2


def test_a_conflict_is_reported_and_never_overwritten(database: Database) -> None:
    mine = conversation("talk", [message("a")], user_id="ann")
    load(database, [mine])
    placed: list[Placed] = []

    counts = load(
        database,
        [conversation("talk", [message("z")], 9, user_id="bob", created_at=at(3))],
        placed=placed,
    )

    assert counts.skipped == 1
    assert placed[0].item is not None
    assert "another conversation" in placed[0].item.reason
    assert the_one(database) == mine


def test_one_id_twice_in_a_batch_is_merged_in_order(database: Database) -> None:
    short = conversation("talk", [message("a")])
    long = conversation("talk", [message("a"), message("b", "a")], 5)

    counts = load(database, [short, long, short])

    assert (counts.new, counts.updated, counts.unchanged) == (1, 1, 1)
    assert contents(the_one(database)) == ["a", "b"]


def test_a_record_that_cannot_be_stored_is_named_and_the_others_go_in(
    database: Database,
) -> None:
    spoiled = [
        conversation("nul", [message("a", content="x\x00y")]),
        conversation("json", [message("a", metadata={"k": "\x00"})]),
        conversation("twice", [message("a"), message("a")]),
    ]
    good = [conversation(f"good{number}", [message("a")]) for number in range(20)]
    placed: list[Placed] = []

    counts = load(database, [*good[:7], *spoiled, *good[7:]], placed=placed)

    assert (counts.new, counts.skipped) == (20, 3)
    places = {each.item.place for each in placed if each.item is not None}
    assert places == {"conversation nul", "conversation json", "conversation twice"}
    check_search(database, "text", 20)


def test_what_a_reader_skipped_is_counted(database: Database) -> None:
    counts = load(database, [Skipped("line 3", "not JSON"), conversation("talk", [message("a")])])

    assert (counts.new, counts.skipped) == (1, 1)


def test_the_user_is_set_where_the_source_names_none(database: Database) -> None:
    records = [conversation("a"), conversation("b", user_id="bob")]
    load(database, records, hashed=True)

    load(database, records, hashed=True, user_id="ann")

    assert {each.source_id: each.user_id for each in stored(database)} == {"a": "ann", "b": "bob"}


def test_an_unknown_organization_is_made(database: Database) -> None:
    with ImportRun(database, "acme", subject="test") as run:
        run.load([Arrival(conversation("talk", [message("a")]))])

    assert run.made_organization
    assert stored(database) == []


def test_every_run_is_in_the_log_with_its_counts(database: Database) -> None:
    load(database, [conversation("talk", [message("a")])])

    with database.transaction() as connection:
        row = connection.execute(sa.select(schema.log).where(schema.log.c.kind == "import")).one()
    assert (row.subject, row.outcome, row.details["new"]) == ("test", "done", 1)
    assert row.finished_at >= row.started_at


def test_a_run_that_fails_says_so_in_the_log_and_keeps_what_was_in(database: Database) -> None:
    def arrivals() -> object:
        yield Arrival(conversation("talk", [message("a")]))
        raise InvalidInputError("the file ends here")

    with (
        pytest.raises(InvalidInputError),
        ImportRun(database, "default", subject="test") as run,
    ):
        run.load(arrivals())  # type: ignore[arg-type]

    with database.transaction() as connection:
        outcome = connection.scalar(
            sa.select(schema.log.c.outcome).where(schema.log.c.kind == "import")
        )
    assert outcome == "failed"
    assert contents(the_one(database)) == ["a"]


TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(-1e30, 1e30) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def records(draw: st.DrawFn) -> list[Conversation]:
    result = []
    for _ in range(draw(st.integers(1, 4))):
        names = draw(st.lists(st.sampled_from("abcde"), unique=True, max_size=5))
        messages = [
            message(
                name,
                content=draw(TEXTS),
                reasoning=draw(JSON),
                metadata=draw(st.dictionaries(TEXTS, JSON, max_size=2)),
                source_id=draw(st.sampled_from([name, None])),
                edited_at=draw(st.sampled_from([None, at(1), at(2)])),
            )
            for name in names
        ]
        made = conversation(draw(st.sampled_from("pq")), messages, draw(st.integers(0, 3)))
        made.title = draw(st.none() | TEXTS)
        made.edited_at = draw(st.sampled_from([None, None, at(2)]))
        result.append(made)
    return result


@pytest.mark.large
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(chosen=records())
def test_any_list_of_conversations_twice_is_the_same_as_once(
    database: Database, chosen: Sequence[Conversation]
) -> None:
    with database.transaction(write=True) as connection:
        connection.execute(sa.delete(schema.conversations))
    load(database, chosen)
    once = stored(database)

    # An id that comes several times in the list may swing between its versions of equal age.
    last = {each.id: each for each in chosen}
    single = len(last) == len(chosen)
    counts = load(database, chosen if single else [msgspec.structs.replace(each) for each in once])

    assert counts.unchanged == len(chosen if single else once)
    assert stored(database) == once
    check_search(database, "nosuchword", 0)
