"""Fork, split and merge, and what later imports make of them, on both databases."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import log, tombstones
from chatdb.errors import NotFoundError, RefusedError, UsageError
from chatdb.formats.branches import active_path
from chatdb.operations.conversations import branches, snapshots
from chatdb.operations.conversations.lists import list_page, read_conversation
from chatdb.operations.conversations.messages import NewMessage, add
from chatdb.records import Conversation
from tests.operations.conversation_rows import (
    add_conversation,
    add_organization,
    change_message,
    message_id,
)
from tests.operations.importing import (
    check_search,
    contents,
    conversation,
    identifier,
    load,
    message,
    stored,
)
from tests.operations.test_messages import kept, path_of

OWN: dict[str, Any] = {"organization_key": "default"}
TALK = [message("a"), message("b", "a"), message("c", "b"), message("d", "c"), message("x", "b")]
LATER = 10_000_000


def load_talk(database: Database) -> None:
    """Import a conversation of two branches, a-b-c-d and a-b-x, the first one active."""
    load(database, [conversation(messages=TALK, current_message_id=identifier("d"))])


def read(database: Database, conversation_id: UUID) -> Conversation:
    return read_conversation(database, str(conversation_id), **OWN)


def test_a_fork_copies_the_way_to_a_message(database: Database) -> None:
    load_talk(database)
    before = read(database, identifier("talk"))

    made = branches.fork(database, "last", str(identifier("c")), **OWN)

    copy = read(database, made.id)
    assert path_of(copy) == contents(copy) == ["a", "b", "c"]
    assert copy.title == "title of talk (fork)"
    assert (copy.source, copy.source_id) == (None, None)
    assert {each.source_id for each in copy.messages} == {None}
    assert {each.id for each in copy.messages}.isdisjoint({each.id for each in before.messages})
    assert [each.created_at for each in copy.messages] == [TALK[0].created_at] * 3
    assert copy.metadata["chatdb"]["forked_from"] == {
        "conversation": str(before.id),
        "message": str(identifier("c")),
    }
    assert read(database, before.id) == before
    load(database, [conversation(messages=[*TALK, message("e", "d")], minutes=LATER)])
    assert read(database, made.id) == copy
    check_search(database, "text", 9)


def test_a_split_moves_what_follows_and_imports_leave_it_there(database: Database) -> None:
    load_talk(database)

    made = branches.split(database, "last", str(identifier("c")), title=" Rye ", **OWN)

    moved, left = read(database, made.id), read(database, identifier("talk"))
    assert (path_of(moved), contents(moved), moved.title) == (["c", "d"], ["c", "d"], "Rye")
    assert (path_of(left), contents(left)) == (["a", "b", "x"], ["a", "b", "x"])
    assert moved.messages[0].parent_id is None
    assert [each.source_id for each in moved.messages] == ["c", "d"]
    for minutes in (0, LATER):
        load(database, [conversation(messages=TALK, minutes=minutes)])
        assert contents(read(database, left.id)) == ["a", "b", "x"]
        assert read(database, made.id) == moved
    grown = [*TALK, message("e", "d")]
    load(database, [conversation(messages=grown, minutes=2 * LATER)])
    again = read(database, left.id)
    assert sorted(contents(again)) == ["a", "b", "e", "x"]
    assert path_of(again) == ["a", "b", "e"]
    check_search(database, "text", 6)


def test_a_merge_undoes_a_split(database: Database) -> None:
    load_talk(database)
    made = branches.split(database, "last", str(identifier("c")), **OWN)

    branches.merge(database, identifier("talk"), made.id, keep_to=None, **OWN)

    (record,) = stored(database)
    assert sorted(contents(record)) == ["a", "b", "c", "d", "x"]
    assert path_of(record)[-2:] == ["c", "d"]
    load(database, [conversation(messages=[*TALK, message("e", "d")], minutes=LATER)])
    (record,) = stored(database)
    assert sorted(contents(record)) == ["a", "b", "c", "d", "e", "x"]
    assert path_of(record)[-3:] == ["c", "d", "e"]
    with database.transaction() as connection:
        stones = connection.execute(sa.select(tombstones.c.conversation_id)).scalars().all()
    assert stones == [made.id]


def test_a_merge_moves_everything_and_imports_of_both_change_nothing(
    database: Database, tmp_path: Path
) -> None:
    one = conversation("one", [message("a"), message("b", "a")], metadata={"k": 1})
    two = conversation("two", [message("c"), message("b", "c")], metadata={"k": 2}, user_id="ann")
    load(database, [one, two])
    snapshots.save(database, str(two.id), {"s": 1}, **OWN)
    before = stored(database)
    path = tmp_path / "kept.jsonl"

    report = branches.merge(database, one.id, two.id, keep_to=path, **OWN)

    (record,) = stored(database)
    assert contents(record) == path_of(record) == ["a", "b", "c", "b"]
    assert len({each.id for each in record.messages}) == 4
    assert (record.user_id, record.title, record.source_id) == ("ann", "title of one", "one")
    assert [each.state for each in record.snapshots] == [{"s": 1}]
    (merged,) = record.metadata["chatdb"]["merged"]
    assert (merged["source_id"], merged["metadata"]) == ("two", {"k": 2})
    assert (report.messages, report.snapshots) == (2, 1)
    for each in before:
        each.organization, each.organization_name = "default", "Default organization"
    assert sorted(kept(path), key=lambda each: each.id) == before
    for minutes in (0, LATER):
        for name, parent in (("one", "a"), ("two", "c")):
            again = conversation(name, [message(parent), message("b", parent)], minutes)
            load(database, [again])
        (after,) = stored(database)
        assert after.messages == record.messages
        assert after.metadata == record.metadata
    with database.transaction() as connection:
        entry = connection.execute(sa.select(log).where(log.c.kind == "deletion")).one()
    assert entry.details["kept"] == str(path)
    load(database, kept(path), restore_deleted=True)
    assert {each.id for each in stored(database)} == {one.id, two.id}


def test_lists_without_parents_are_forked_split_and_merged(database: Database) -> None:
    for number in (1, 2):
        add_conversation(database, [f"{number}{letter}" for letter in "abc"], number=number)
        for position in (1, 2):
            change_message(database, message_id(number, position), parent_id=None)
    one, two = (item.id for item in list_page(database, **OWN).items[::-1])

    fork = branches.fork(database, str(one), str(message_id(1, 1)), **OWN)
    split = branches.split(database, str(one), str(message_id(1, 1)), **OWN)
    assert path_of(read(database, fork.id)) == ["1a", "1b"]
    assert path_of(read(database, split.id)) == ["1b", "1c"]
    branches.merge(database, one, split.id, keep_to=None, **OWN)
    branches.merge(database, two, one, keep_to=None, **OWN)
    assert path_of(read(database, two)) == ["2a", "2b", "2c", "1a", "1b", "1c"]

    tree = add_conversation(database, ["3a", "3b"], number=3)
    branches.merge(database, tree, two, keep_to=None, **OWN)
    whole = ["3a", "3b", "2a", "2b", "2c", "1a", "1b", "1c"]
    assert path_of(read(database, tree)) == whole


def test_what_cannot_be_is_refused_and_changes_nothing(database: Database) -> None:
    one = add_conversation(database, ["a", "b"], number=1, user_id="ann")
    two = add_conversation(database, ["c"], number=2, user_id="bob")
    before = stored(database)

    with pytest.raises(UsageError, match="none would stay"):
        branches.split(database, str(one), str(message_id(1, 0)), **OWN)
    with pytest.raises(UsageError, match="title"):
        branches.fork(database, str(one), "last", title="", **OWN)
    with pytest.raises(NotFoundError, match="no message"):
        branches.fork(database, str(one), str(message_id(2, 0)), **OWN)
    with pytest.raises(UsageError, match="both"):
        branches.find_mergeable(database, str(one), str(one), **OWN)
    with pytest.raises(RefusedError, match="two users"):
        branches.merge(database, one, two, keep_to=None, **OWN)
    with pytest.raises(NotFoundError, match="deleted by someone else"):
        branches.merge(database, one, UUID(int=9), keep_to=None, **OWN)
    add_organization(database, "acme")
    theirs = add_conversation(database, ["x"], number=3, organization="acme", user_id="ann")
    for name in (str(theirs), str(two), two.hex[-6:]):
        for work in (
            lambda name=name: branches.fork(database, name, "last", **OWN, user_id="ann"),
            lambda name=name: branches.split(database, name, "last", **OWN, user_id="ann"),
            lambda name=name: branches.find_mergeable(
                database, str(one), name, **OWN, user_id="ann"
            ),
            lambda name=name: branches.find_mergeable(
                database, name, str(one), **OWN, user_id="ann"
            ),
        ):
            with pytest.raises(NotFoundError):
                work()
    assert stored(database) == before


def test_empty_conversations_merge(database: Database) -> None:
    empty = add_conversation(database, [], number=1)
    other = add_conversation(database, [], number=2)
    full = add_conversation(database, ["a", "b"], number=3)

    branches.merge(database, empty, other, keep_to=None, **OWN)
    branches.merge(database, empty, full, keep_to=None, **OWN)

    assert path_of(read(database, empty)) == ["a", "b"]
    add(database, str(empty), [NewMessage(content="c")], **OWN)
    assert path_of(read(database, empty)) == ["a", "b", "c"]


def test_snapshots_are_saved_listed_and_read(database: Database) -> None:
    talk = add_conversation(database, ["a"], user_id="ann")
    before = read(database, talk)
    states: list[Any] = [{"todo": ["x\x00"]}, None, [1.0, "ü"], "text"]
    saved = [snapshots.save(database, str(talk), state, **OWN) for state in states]

    pages, after = [], None
    while True:
        page = snapshots.list_page(database, str(talk), limit=3, after=after, **OWN)
        pages += [item.id for item in page.items]
        after = page.next_cursor
        if after is None:
            break
    assert pages == [each.id for each in saved[::-1]]
    found = [snapshots.read(database, str(talk), str(each.id), **OWN).state for each in saved]
    assert found == [{"todo": ["x\ufffd"]}, None, [1, "ü"], "text"]
    assert snapshots.read(database, str(talk), "last", **OWN).state == "text"
    assert [each.replaced_characters for each in saved] == [1, 0, 0, 0]
    assert read(database, talk).updated_at > before.updated_at
    with pytest.raises(NotFoundError, match="no snapshot"):
        snapshots.read(database, str(talk), "ffffffff", **OWN)
    for name in (str(talk), "last", talk.hex[-6:]):
        with pytest.raises(NotFoundError):
            snapshots.read(database, name, "last", **OWN, user_id="bob")
        with pytest.raises(NotFoundError):
            snapshots.list_page(database, name, **OWN, user_id="bob")
        with pytest.raises(NotFoundError):
            snapshots.save(database, name, 1, **OWN, user_id="bob")


def test_snapshots_saved_here_stay_when_the_source_comes_again(database: Database) -> None:
    load_talk(database)
    snapshots.save(database, "last", {"mine": True}, **OWN)

    load(database, [conversation(messages=[*TALK, message("e", "d")], minutes=LATER)])

    (record,) = stored(database)
    assert [each.state for each in record.snapshots] == [{"mine": True}]
    assert [each.content for each in active_path(record)][-1] == "text of e"
