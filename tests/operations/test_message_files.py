"""Rows of kept files belong to messages: imported, merged, copied, moved and deleted with them."""

from typing import Any

import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.formats.native import conversation_line
from chatdb.operations.conversations import branches
from chatdb.operations.conversations.delete_messages import delete_messages
from chatdb.operations.copying.copy_database import copy_database
from chatdb.records import Conversation, MessageFile
from chatdb.store.lines import native_lines
from chatdb.store.selecting import ConversationFilter
from tests.operations.copying import Make, Watch
from tests.operations.importing import (
    ORGANIZATION,
    conversation,
    identifier,
    load,
    message,
    stored,
    the_one,
)

ENTRIES = [{"name": f"{number}.pdf"} for number in range(4)]
TALK = [
    message("a", attachments=ENTRIES),
    message("b", "a", attachments=ENTRIES),
    message("c", "b", attachments=ENTRIES),
]
OWN: dict[str, Any] = {"organization_key": "default"}
PDF = "a" * 64
PICTURE = "b" * 64


def file(
    name: str,
    digest: str = PDF,
    *,
    position: int = 0,
    called: str | None = "paper.pdf",
    size: int | None = 7,
    media_type: str | None = None,
) -> MessageFile:
    return MessageFile(
        message_id=identifier(name),
        position=position,
        digest=digest,
        name=called,
        size=size,
        media_type=media_type,
    )


def talk(*files: MessageFile, minutes: float = 0) -> Conversation:
    return conversation(messages=TALK, minutes=minutes, files=list(files))


def places(record: Conversation) -> dict[tuple[object, int], str]:
    return {(each.message_id, each.position): each.digest for each in record.files}


def rows(database: Database) -> list[tuple[str, int, str | None]]:
    table = schema.files.c
    statement = sa.select(table.digest, table.size, table.media_type).order_by(table.digest)
    with database.transaction() as connection:
        return [tuple(row) for row in connection.execute(statement)]


def test_what_is_stored_is_exported_in_order_and_read_back_the_same(database: Database) -> None:
    second, first = sorted((identifier("a"), identifier("b")), reverse=True)
    names = {identifier(name): name for name in ("a", "b")}
    wanted = [
        file(names[first], PICTURE, called='a "b"\\ 日本', media_type="image/png"),
        file(names[first], position=1, called=None),
        file(names[second]),
    ]
    record = talk(*wanted)
    load(database, [record])

    assert the_one(database).files == wanted
    exported = b"".join(native_lines(database, ConversationFilter(), **OWN))
    assert exported.count(b'"position"') == 3
    assert rows(database) == [(PDF, 7, None), (PICTURE, 7, "image/png")]


def test_an_import_adds_and_replaces_and_takes_nothing_away(database: Database) -> None:
    load(database, [talk(file("a"), file("b", PICTURE))])
    again = load(database, [talk(file("b", PICTURE))])
    newer = load(database, [talk(file("b", "c" * 64), file("c"), minutes=1)])
    older = load(database, [talk(file("b", "d" * 64), file("c", "d" * 64, position=3))])

    assert (again.unchanged, newer.updated, older.updated) == (1, 1, 1)
    assert places(the_one(database)) == {
        (identifier("a"), 0): PDF,
        (identifier("b"), 0): "c" * 64,
        (identifier("c"), 0): PDF,
        (identifier("c"), 3): "d" * 64,
    }


def test_one_digest_has_one_row_and_what_is_known_of_its_bytes_stays(database: Database) -> None:
    load(database, [talk(file("a"), file("b", size=None), file("c", PICTURE, size=None))])
    typed = load(database, [talk(file("a", media_type="text/csv"))])
    load(database, [talk(file("a", size=8, media_type="text/plain"), minutes=1)])
    again = load(database, [talk(file("b", size=8, media_type="text/plain"), minutes=1)])

    assert rows(database) == [(PDF, 7, "text/csv")]
    assert (typed.updated, again.unchanged) == (1, 1)
    sizes = {each.message_id: each.size for each in the_one(database).files}
    assert sizes == {identifier("a"): 7, identifier("b"): 7, identifier("c"): None}


def test_a_message_takes_its_files_with_it_and_no_import_brings_them_back(
    database: Database,
) -> None:
    load(database, [talk(file("a"), file("b"))])

    delete_messages(database, identifier("talk"), [identifier("b")], **OWN, keep_to=None)
    load(database, [talk(file("a"), file("b"), minutes=1)])

    assert list(places(the_one(database))) == [(identifier("a"), 0)]
    load(database, [talk(file("b"), minutes=3)], restore_deleted=True)
    assert len(places(the_one(database))) == 2


def test_forks_copy_splits_and_merges_move(database: Database) -> None:
    load(database, [talk(file("a"), file("b", PICTURE, position=1), file("c"))])

    forked = branches.fork(database, str(identifier("talk")), str(identifier("b")), **OWN)
    moved = branches.split(database, str(identifier("talk")), str(identifier("c")), **OWN)

    found = {record.id: record for record in stored(database)}
    copy = found[forked.id]
    assert {each.message_id for each in copy.files} == {each.id for each in copy.messages}
    assert sorted(each.digest for each in copy.files) == [PDF, PICTURE]
    assert places(found[moved.id]) == {(identifier("c"), 0): PDF}
    assert len(found[identifier("talk")].files) == 2

    branches.merge(database, identifier("talk"), moved.id, **OWN, keep_to=None)

    found = {record.id: record for record in stored(database)}
    assert len(places(found[identifier("talk")])) == 3


def test_merged_messages_that_get_other_ids_keep_their_files(database: Database) -> None:
    other = conversation("other", TALK[:1], files=[file("a", PICTURE)])
    load(database, [talk(file("a")), other])

    branches.merge(database, identifier("talk"), other.id, **OWN, keep_to=None)

    record = the_one(database)
    (moved,) = {each.id for each in record.messages} - {each.id for each in TALK}
    assert places(record) == {(identifier("a"), 0): PDF, (moved, 0): PICTURE}


def test_a_copy_takes_along_files_that_no_message_has(make: Make) -> None:
    source, target = make("sqlite"), make("postgresql")
    load(source, [talk(file("a"), file("c", PICTURE, size=None))])
    with source.transaction(write=True) as connection:
        connection.execute(
            sa.insert(schema.files).values(
                organization_id=ORGANIZATION, digest="c" * 64, size=1 << 40
            )
        )

    report = copy_database(source, target, Watch())

    assert (report.outcome, report.files, report.message_files) == ("done", 2, 2)
    assert rows(target) == rows(source)
    assert stored(target) == stored(source)


def test_the_usual_kind_is_not_written_by_any_export(database: Database) -> None:
    load(database, [talk(), conversation("paper", kind="document")])

    exported = b"".join(native_lines(database, ConversationFilter(), **OWN)).splitlines(True)

    assert sorted(exported) == sorted(map(conversation_line, stored(database)))
    assert sorted(b'"kind"' in line for line in exported) == [False, True]
