"""Listing, naming, reading and deleting conversations, on both databases."""

from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from chatdb.db.database import Database
from chatdb.db.schema import conversations, log, messages, snapshots, tombstones
from chatdb.errors import NotFoundError, StorageError, UsageError
from chatdb.formats.branches import active_path, tree
from chatdb.formats.native import NativeReader
from chatdb.operations.conversations.delete import delete_conversations, find_deletable
from chatdb.operations.conversations.lists import ConversationSummary, list_page, read_conversation
from chatdb.operations.kept.files import default_keep_path
from chatdb.operations.searching.search import SearchOptions, search
from chatdb.records import Conversation, Message, organization_id_of
from chatdb.store.naming import resolve_conversation
from chatdb.store.selecting import ConversationFilter
from tests.operations.conversation_rows import (
    START,
    add_conversation,
    add_organization,
    message_id,
)

DEFAULT = organization_id_of("default")


def resolve(database: Database, text: str, *, organization: UUID = DEFAULT) -> UUID:
    with database.transaction() as connection:
        return resolve_conversation(connection, organization, text)


def count(database: Database, table: sa.Table) -> int:
    with database.transaction() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_pages_hold_every_conversation_once_newest_first(database: Database) -> None:
    ids = [
        add_conversation(database, ["x"] * (number % 3), number=number, updated_at=START)
        for number in range(1, 8)
    ]

    found: list[ConversationSummary] = []
    cursor: str | None = None
    while True:
        page = list_page(database, organization_key="default", limit=3, after=cursor)
        found += page.items
        cursor = page.next_cursor
        if cursor is None:
            break

    assert [item.id for item in found] == ids[::-1]
    assert [item.message_count for item in found] == [1, 0, 2, 1, 0, 2, 1]


def test_lists_are_narrowed_by_user_archive_and_organization(database: Database) -> None:
    ann = add_conversation(database, [], number=1, user_id="ann")
    old = add_conversation(database, [], number=2, archived_at=START)
    add_organization(database, "acme")
    other = add_conversation(database, [], number=3, organization="acme")

    def ids(organization: str = "default", **options: object) -> list[UUID]:
        after = options.pop("after", None)
        wanted = ConversationFilter(**{"flags": {"archived": False}, **options})  # type: ignore[arg-type]
        page = list_page(
            database,
            organization_key=organization,
            wanted=wanted,
            after=after,  # type: ignore[arg-type]
        )
        return [item.id for item in page.items]

    assert ids() == [ann]
    assert ids(flags={"archived": True}) == [old]
    assert ids(flags={}) == [old, ann]
    assert ids(user_id="ann") == [ann]
    assert ids(organization="acme") == [other]
    with pytest.raises(NotFoundError, match="nobody"):
        ids(organization="nobody")
    with pytest.raises(UsageError, match="not a cursor"):
        ids(after="nonsense")


def test_a_conversation_is_named_by_either_end_of_its_id(database: Database) -> None:
    first = add_conversation(database, [], id=UUID("01890000-0000-7000-8000-0000abcd1234"))
    second = add_conversation(
        database, [], number=2, id=UUID("01890000-0000-7000-8000-0000abcd9876")
    )

    assert resolve(database, str(first)) == first
    assert resolve(database, first.hex.upper()) == first
    assert resolve(database, "1234") == first
    assert resolve(database, "00abcd9876") == second
    assert resolve(database, "d1234") == first
    assert resolve(database, "000-0000abcd9876") == second
    assert resolve(database, "00-0000abcd9876") == second
    assert resolve(database, "8000-0000abcd9876") == second
    assert resolve(database, "last") == second
    with pytest.raises(UsageError, match=r"several: .*1234, .*9876"):
        resolve(database, "01890000-0000")
    with pytest.raises(UsageError, match="too short"):
        resolve(database, "123")
    for unknown in ("ffff", "nonsense", "", "%%%%", "_____", "1" * 33, str(UUID(int=9))):
        with pytest.raises(NotFoundError):
            resolve(database, unknown)


def test_conversations_of_others_are_not_found(database: Database) -> None:
    acme = add_organization(database, "acme")
    theirs = add_conversation(database, [], organization="acme")

    assert resolve(database, "last", organization=acme) == theirs
    for text in (str(theirs), "last", theirs.hex[:6]):
        with pytest.raises(NotFoundError):
            resolve(database, text)


def test_a_conversation_is_read_whole(database: Database) -> None:
    identifier = add_conversation(database, ["one", "two"], user_id="ann", source="chatgpt")

    record = read_conversation(database, "last", organization_key="default")

    assert record.id == identifier
    assert (record.user_id, record.source) == ("ann", "chatgpt")
    assert [message.content for message in record.messages] == ["one", "two"]
    assert record.messages[1].parent_id == message_id(1, 0)


def test_deleting_keeps_a_file_and_leaves_a_tombstone_and_a_log(
    database: Database, tmp_path: Path
) -> None:
    gone = add_conversation(database, ["one", "two"], title="Gone")
    stays = add_conversation(database, ["stays"], number=2)
    with database.transaction(write=True) as connection:
        connection.execute(
            sa.insert(snapshots).values(
                organization_id=DEFAULT,
                conversation_id=gone,
                id=UUID(int=5),
                state={"a": 1},
                created_at=START,
            )
        )
    before = read_conversation(database, str(gone), organization_key="default")
    path = tmp_path / "kept" / "deleted.jsonl"

    report = delete_conversations(database, [gone], organization_key="default", keep_to=path)

    assert (report.messages, report.snapshots, report.kept) == (2, 1, path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert kept_records(path) == [before]
    assert [item.id for item in list_page(database, organization_key="default").items] == [stays]
    assert (count(database, messages), count(database, snapshots)) == (1, 0)
    with database.transaction() as connection:
        stone = connection.execute(sa.select(tombstones)).one()
        entry = connection.execute(sa.select(log).where(log.c.kind == "deletion")).one()
    assert (stone.conversation_id, stone.message_id) == (gone, UUID(int=0))
    assert entry.outcome == "succeeded"
    assert entry.details["conversations"] == [str(gone)]
    assert entry.details["kept"] == str(path)


def test_nothing_is_deleted_when_it_cannot_be_kept(database: Database, tmp_path: Path) -> None:
    identifier = add_conversation(database, ["one"])
    existing = tmp_path / "there.jsonl"
    existing.write_text("mine")

    for path in (existing, existing / "below" / "x.jsonl"):
        with pytest.raises(StorageError):
            delete_conversations(database, [identifier], organization_key="default", keep_to=path)

    assert existing.read_text() == "mine"
    assert count(database, conversations) == 1
    assert count(database, tombstones) == 0


def test_deleting_what_is_gone_deletes_nothing(database: Database, tmp_path: Path) -> None:
    identifier = add_conversation(database, ["one"])

    with pytest.raises(NotFoundError, match="deleted by someone else"):
        delete_conversations(
            database,
            [identifier, UUID(int=7)],
            organization_key="default",
            keep_to=tmp_path / "x.jsonl",
        )

    assert count(database, conversations) == 1
    assert not (tmp_path / "x.jsonl").exists()


def test_deletable_conversations_are_named_once(database: Database) -> None:
    identifier = add_conversation(database, ["one", "two"], title="T")

    found = find_deletable(database, ["last", str(identifier)], organization_key="default")

    assert [(each.id, each.title, each.messages) for each in found] == [(identifier, "T", 2)]


def test_the_default_file_lies_beside_a_sqlite_file_and_is_new_each_time(
    database: Database,
) -> None:
    first = default_keep_path(database, now=START)
    second = default_keep_path(database, now=START + timedelta(microseconds=1))

    assert first != second
    folder = database.url.path.parent if database.url.path is not None else Path("data")
    assert first.parent == folder / "chatdb-deleted"


def kept_records(path: Path) -> list[object]:
    from chatdb.formats.base import Tally
    from chatdb.formats.files.sources import open_source

    with open_source(path) as source:
        return list(NativeReader().read(source, Tally()))


def chain(*links: tuple[int, int | None], current: int | None = None) -> Conversation:
    return Conversation(
        id=UUID(int=1),
        created_at=START,
        updated_at=START,
        current_message_id=None if current is None else UUID(int=current),
        messages=[
            Message(
                id=UUID(int=number),
                parent_id=None if parent is None else UUID(int=parent),
                role="user",
                created_at=START + timedelta(minutes=number),
            )
            for number, parent in links
        ],
    )


def numbers(found: list[Message]) -> list[int]:
    return [message.id.int for message in found]


def test_the_active_path_leads_to_the_current_message() -> None:
    forked = [(10, None), (11, 10), (12, 10), (13, 12)]

    assert numbers(active_path(chain(*forked, current=11))) == [10, 11]
    assert numbers(active_path(chain(*forked))) == [10, 12, 13]
    assert numbers(active_path(chain(*forked, current=99))) == [10, 12, 13]


def test_messages_without_parents_are_one_after_another() -> None:
    assert numbers(active_path(chain((10, None), (11, None), (12, 99), current=12))) == [10, 11, 12]


def test_circles_end() -> None:
    circle = chain((10, 11), (11, 10), (12, 12), current=10)

    assert numbers(active_path(circle)) == [11, 10]
    assert sorted(node.message.id.int for node in tree(circle)) == [10, 11, 12]


def test_the_tree_has_every_message_with_its_depth() -> None:
    nodes = list(tree(chain((10, None), (11, 10), (12, 10), (13, 12), (14, 12), current=11)))

    assert [(node.message.id.int, node.depth, node.is_active) for node in nodes] == [
        (10, 0, True),
        (11, 1, True),
        (12, 1, False),
        (13, 2, False),
        (14, 2, False),
    ]


@pytest.mark.large
def test_deep_chains_do_not_recurse() -> None:
    deep = chain(*((number, number - 1 or None) for number in range(1, 100_001)))

    assert len(active_path(deep)) == 100_000
    assert sum(1 for _ in tree(deep)) == 100_000


def test_what_was_deleted_is_no_longer_found(database: Database) -> None:
    gone = add_conversation(database, ["needle one", "needle two"])
    add_conversation(database, ["needle three"], number=2)

    delete_conversations(database, [gone], organization_key="default", keep_to=None)

    hits = search(database, "needle", organization_key="default", options=SearchOptions()).hits
    assert [hit.message_id for hit in hits] == [message_id(2, 0)]
    if database.dialect.name == "sqlite":
        with database.transaction(write=True) as connection:
            check = (
                "INSERT INTO messages_search(messages_search, rank) VALUES('integrity-check', 1)"
            )
            connection.exec_driver_sql(check)
