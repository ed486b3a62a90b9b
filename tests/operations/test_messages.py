"""Messages added, listed, edited and deleted, and that later imports keep it, on both databases."""

import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from chatdb.db.database import Database
from chatdb.errors import NotFoundError, StorageError, UsageError
from chatdb.formats.branches import active_path
from chatdb.formats.native import NativeReader
from chatdb.operations.conversations.delete_messages import delete_messages
from chatdb.operations.conversations.lists import read_conversation
from chatdb.operations.conversations.messages import NewMessage, add, edit, list_page
from chatdb.operations.searching.search import SearchOptions, search
from chatdb.records import Conversation
from tests.operations.conversation_rows import (
    START,
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
    the_one,
)

OWN: dict[str, Any] = {"organization_key": "default"}


def path_of(record: Conversation) -> list[str]:
    """Return the texts of the active branch."""
    return [each.content.removeprefix("text of ") for each in active_path(record)]


def delete(database: Database, *names: str, keep_to: Path | None = None) -> None:
    """Delete messages of the imported conversation by their words."""
    delete_messages(
        database,
        identifier("talk"),
        [identifier(name) for name in names],
        keep_to=keep_to,
        **OWN,
    )


def test_messages_are_added_at_the_end_of_the_active_branch(database: Database) -> None:
    talk = add_conversation(database, ["a", "b", "c"], current_message_id=message_id(1, 1))

    added = add(
        database,
        str(talk),
        [NewMessage(content="d"), NewMessage(role="assistant", content="e", model="m")],
        **OWN,
    )

    record = read_conversation(database, str(talk), **OWN)
    assert [each.content for each in record.messages] == ["a", "b", "c", "d", "e"]
    assert record.messages[3].parent_id == message_id(1, 1)
    assert path_of(record) == ["a", "b", "d", "e"]
    assert added.position == 3
    assert record.updated_at == record.messages[4].created_at > START
    assert [hit.snippet for hit in search(database, "e", options=SearchOptions(), **OWN).hits] == [
        "e"
    ]


def test_a_message_may_answer_any_other(database: Database) -> None:
    talk = add_conversation(database, ["a", "b"])

    add(database, str(talk), [NewMessage(content="c", parent=str(message_id(1, 0)))], **OWN)

    assert path_of(read_conversation(database, str(talk), **OWN)) == ["a", "c"]
    with pytest.raises(NotFoundError, match="no message"):
        add(database, str(talk), [NewMessage(content="d", parent="ffff")], **OWN)


def test_messages_that_name_no_parents_stay_one_after_another(database: Database) -> None:
    talk = add_conversation(database, ["a", "b"])
    change_message(database, message_id(1, 1), parent_id=None)

    add(database, str(talk), [NewMessage(content="c"), NewMessage(content="d")], **OWN)
    assert path_of(read_conversation(database, str(talk), **OWN)) == ["a", "b", "c", "d"]

    add(database, str(talk), [NewMessage(content="e", parent=str(message_id(1, 1)))], **OWN)
    assert path_of(read_conversation(database, str(talk), **OWN)) == ["a", "b", "e"]


def test_the_first_user_message_gives_the_title(database: Database) -> None:
    talk = add_conversation(database, [])
    with database.transaction(write=True) as connection:
        connection.exec_driver_sql("UPDATE conversations SET title = NULL")

    first = add(database, str(talk), [NewMessage(role="assistant", content="Hi")], **OWN)
    second = add(database, str(talk), [NewMessage(content="Who?")], **OWN)
    third = add(database, str(talk), [NewMessage(content="Where?")], **OWN)

    assert [first.title, second.title, third.title] == [None, "Who?", "Who?"]


def test_every_field_comes_back(database: Database) -> None:
    talk = add_conversation(database, [])
    new = NewMessage(
        role="tool",
        author="python",
        model="m",
        reasoning="because\x00",
        tool_calls=[{"name": "f", "arguments": {"x": 1.0}}],
        tool_outputs={"ok": True},
        attachments=[{"name": "a.png"}],
        metadata={"k": [None]},
        created_at=START,
        id=UUID(int=77),
    )

    added = add(database, str(talk), [new], **OWN)

    (listed,) = list_page(database, str(talk), **OWN).items
    assert listed.id == UUID(int=77)
    assert (listed.role, listed.author, listed.model) == ("tool", "python", "m")
    assert listed.tool_calls == [{"name": "f", "arguments": {"x": 1}}]
    assert (listed.tool_outputs, listed.attachments) == ({"ok": True}, [{"name": "a.png"}])
    assert listed.reasoning == "because\ufffd"
    assert listed.metadata["k"] == [None]
    assert (listed.created_at, listed.source_id, listed.edited_at) == (START, None, None)
    assert added.replaced_characters == 1


@pytest.mark.parametrize("content", ["", " ", "\n\t "])
def test_an_empty_message_is_refused(database: Database, content: str) -> None:
    talk = add_conversation(database, ["a"])

    with pytest.raises(UsageError, match="empty"):
        add(database, str(talk), [NewMessage(content="b"), NewMessage(content=content)], **OWN)
    with pytest.raises(UsageError, match="empty"):
        edit(database, str(talk), "last", {"content": content}, **OWN)
    add(database, str(talk), [NewMessage(content=content, tool_calls=[{"name": "f"}])], **OWN)

    assert [each.content for each in list_page(database, str(talk), **OWN).items] == ["a", content]


def test_an_id_that_is_taken_is_refused(database: Database) -> None:
    talk = add_conversation(database, ["a"])
    fresh, taken = NewMessage(content="b"), NewMessage(content="c", id=message_id(1, 0))

    for new in ([fresh, taken], [fresh, fresh]):
        with pytest.raises(UsageError, match="already"):
            add(database, str(talk), new, **OWN)

    assert len(list_page(database, str(talk), **OWN).items) == 1


def test_the_same_messages_again_are_the_answer_of_the_first_time(database: Database) -> None:
    """What a client does whose connection broke when it had committed."""
    talk = add_conversation(database, ["a"])
    new = [NewMessage(content="b"), NewMessage(content="c")]

    first = add(database, str(talk), new, **OWN)
    second = add(database, str(talk), new, **OWN)

    assert (first.message_ids, first.position) == (second.message_ids, second.position)
    assert len(list_page(database, str(talk), **OWN).items) == 3


def test_pages_of_messages_run_both_ways(database: Database) -> None:
    talk = add_conversation(database, list("abcde"))

    def pages(**options: Any) -> list[str]:
        found, after = [], None
        while True:
            page = list_page(database, str(talk), limit=2, after=after, **options, **OWN)
            found += [each.content for each in page.items]
            after = page.next_cursor
            if after is None:
                return found

    assert pages() == list("abcde")
    assert pages(newest_first=True) == list("edcba")
    assert pages(roles=["assistant"]) == ["b", "d"]


def test_eight_writers_lose_nothing_and_keep_their_order(database: Database) -> None:
    talk = add_conversation(database, ["first"])
    failures: list[BaseException] = []

    def write(writer: int) -> None:
        try:
            with Database.open(database.url) as own:
                for number in range(5):
                    add(own, str(talk), [NewMessage(content=f"{writer} {number}")], **OWN)
        except BaseException as error:  # noqa: BLE001 - shown by the test
            failures.append(error)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    listed = list_page(database, str(talk), limit=100, **OWN).items
    assert [each.position for each in listed] == list(range(41))
    assert [each.parent_id for each in listed[1:]] == [each.id for each in listed[:-1]]
    times = [each.created_at for each in listed]
    assert times == sorted(times)
    for writer in range(8):
        own = [each.content for each in listed if each.content.startswith(f"{writer} ")]
        assert own == [f"{writer} {number}" for number in range(5)]


def test_an_edited_message_is_found_by_its_new_words_and_kept_by_imports(
    database: Database,
) -> None:
    load(database, [conversation(messages=[message("a"), message("b", "a")])])

    edited = edit(
        database, "last", str(identifier("a")), {"content": "walrus", "model": "m"}, **OWN
    )
    unchanged = edit(database, "last", str(identifier("b")), {"content": "text of b"}, **OWN)

    assert (edited.content, edited.model) == ("walrus", "m")
    assert edited.edited_at == the_one(database).updated_at
    assert unchanged.edited_at is None
    check_search(database, "walrus", 1)
    for minutes in (0, 10_000_000):
        newer = [message("a", content="theirs"), message("b", "a"), message("c", "b")]
        load(database, [conversation(messages=newer, minutes=minutes)])
        assert contents(the_one(database)) == ["walrus", "b", "c"]


def test_messages_added_here_stay_and_stay_active(database: Database) -> None:
    source = [message("a"), message("b", "a")]
    load(database, [conversation(messages=source)])
    add(database, "last", [NewMessage(content="mine")], **OWN)

    load(database, [conversation(messages=source, minutes=10_000_000, title="newer")])
    assert path_of(the_one(database)) == ["a", "b", "mine"]

    grown = [*source, message("c", "b")]
    load(database, [conversation(messages=grown, minutes=20_000_000)])
    record = the_one(database)
    assert sorted(contents(record)) == ["a", "b", "c", "mine"]
    assert path_of(record) == ["a", "b", "c"]


def test_answers_of_a_deleted_message_move_up_and_imports_agree(database: Database) -> None:
    source = [message("a"), message("b", "a"), message("c", "b"), message("d", "c")]
    load(database, [conversation(messages=source)])

    delete(database, "b", "c")

    assert path_of(the_one(database)) == ["a", "d"]
    before = the_one(database)
    load(database, [conversation(messages=source)])
    assert the_one(database) == before
    grown = [*source, message("e", "c"), message("f", "d")]
    load(database, [conversation(messages=grown, minutes=10_000_000)])
    record = the_one(database)
    assert sorted(contents(record)) == ["a", "d", "e", "f"]
    assert path_of(record) == ["a", "d", "f"]
    parents = {each.source_id: each.parent_id for each in record.messages}
    assert parents["e"] == identifier("a")


def test_the_kept_file_brings_a_deleted_message_back_where_it_was(
    database: Database, tmp_path: Path
) -> None:
    source = [message("a"), message("b", "a"), message("c", "b"), message("x", "a")]
    load(database, [conversation(messages=source, current_message_id=identifier("c"))])
    before = the_one(database)
    path = tmp_path / "kept.jsonl"

    delete(database, "b", "c", keep_to=path)
    assert path_of(the_one(database)) == ["a", "x"]
    load(database, kept(path), restore_deleted=True)

    after = the_one(database)
    assert {each.id: each.parent_id for each in after.messages} == {
        each.id: each.parent_id for each in before.messages
    }
    assert path.stat().st_mode & 0o777 == 0o600


def kept(path: Path) -> list[Any]:
    """Return the records of a native file."""
    from chatdb.formats.base import Tally
    from chatdb.formats.files.sources import open_source

    with open_source(path) as source:
        return list(NativeReader().read(source, Tally()))


def test_deleting_all_messages_leaves_an_empty_conversation(database: Database) -> None:
    load(database, [conversation(messages=[message("a"), message("b", "a")])])

    delete(database, "a", "b")

    record = the_one(database)
    assert (record.messages, record.current_message_id) == ([], None)
    add(database, "last", [NewMessage(content="again")], **OWN)
    assert path_of(the_one(database)) == ["again"]


def test_nothing_is_deleted_that_cannot_be_kept_or_is_gone(
    database: Database, tmp_path: Path
) -> None:
    load(database, [conversation(messages=[message("a"), message("b", "a")])])
    there = tmp_path / "there"
    there.write_text("mine")

    with pytest.raises(StorageError):
        delete(database, "a", keep_to=there)
    with pytest.raises(NotFoundError, match="deleted by someone else"):
        delete(database, "a", "c", keep_to=tmp_path / "new")

    assert contents(the_one(database)) == ["a", "b"]
    assert (there.read_text(), (tmp_path / "new").exists()) == ("mine", False)


def test_messages_of_others_are_neither_seen_nor_changed(database: Database) -> None:
    add_organization(database, "acme")
    add_conversation(database, ["theirs"], number=1, organization="acme", user_id="ann")
    bobs = add_conversation(database, ["bob's"], number=2, user_id="bob")
    mine = add_conversation(database, ["mine"], number=3, user_id="ann")
    ann = {**OWN, "user_id": "ann"}
    cursor = list_page(database, str(bobs), limit=1, **OWN).next_cursor

    for name in (str(UUID(int=(0x70 << 120) + 1)), str(bobs), bobs.hex[-6:], bobs.hex[:4] + "9"):
        for work in (
            lambda name=name: list_page(database, name, after=cursor, **ann),
            lambda name=name: add(database, name, [NewMessage(content="x")], **ann),
            lambda name=name: edit(database, name, "last", {"content": "x"}, **ann),
        ):
            with pytest.raises(NotFoundError):
                work()
    for other in (message_id(1, 0), message_id(2, 0)):
        with pytest.raises(NotFoundError):
            edit(database, str(mine), str(other), {"content": "x"}, **ann)
        with pytest.raises(NotFoundError):
            add(database, str(mine), [NewMessage(content="x", parent=str(other))], **ann)
    assert [each.content for each in list_page(database, str(bobs), **OWN).items] == ["bob's"]
