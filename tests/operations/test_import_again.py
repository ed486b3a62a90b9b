"""Importing again what is there: unread where nothing changed, with the outcome of reading it."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.formats.base import Tally
from chatdb.formats.files.sources import open_source
from chatdb.formats.registry import detect
from chatdb.formats.unread import Unread, bytes_digest, is_same_source
from chatdb.operations.importing.files import import_files, preview_files
from chatdb.operations.importing.imports import ImportOptions
from chatdb.operations.importing.inputs import find_inputs
from chatdb.operations.importing.report import ImportReport
from chatdb.operations.importing.unread import PAUSE, Deferral, UnreadSorter
from chatdb.records import Embedding, Snapshot
from chatdb.store.batches import Arrival
from chatdb.store.lines import native_lines
from chatdb.store.selecting import ConversationFilter
from tests.formats.chatgpt_samples import conversation as chatgpt
from tests.formats.chatgpt_samples import message as chatgpt_message
from tests.formats.chatgpt_samples import node
from tests.operations.importing import (
    ORGANIZATION,
    at,
    conversation,
    identifier,
    load,
    message,
    stored,
    tombstone,
)

FORMATS = ("chatgpt", "claude", "native")
TALKS = 3


def talk_id(number: int) -> str:
    return str(UUID(int=number + 1, version=4))


def chatgpt_talk(number: int, text: str = "hello", **fields: Any) -> dict[str, Any]:
    item = {"id": str(UUID(int=100 + number, version=4))} | chatgpt_message(text=text)
    identifiers = {"conversation_id": talk_id(number), "id": talk_id(number)}
    return chatgpt(node("root", None, None), node("only", "root", item), **identifiers | fields)


def claude_talk(number: int, text: str = "hello", **fields: Any) -> dict[str, Any]:
    created = {"created_at": "2026-01-31T12:00:00Z"}
    said = {"uuid": str(UUID(int=200 + number, version=4)), "sender": "human", "text": text}
    return {
        "uuid": talk_id(number),
        "name": f"talk {number}",
        "account": {"uuid": "ann"},
        "updated_at": "2026-01-31T12:05:00Z",
        "chat_messages": [said | created],
        **created,
    } | fields


def native_file(path: Path, database: Database) -> Path:
    """Export what was imported, one of it with everything that a record may have."""
    rich = conversation(
        "rich",
        [message("a"), message("b", "a", reasoning=["why"], edited_at=at(1))],
        user_id="ann",
        snapshots=[Snapshot(id=identifier("s"), state={"x": [1]}, created_at=at(1))],
        embeddings=[Embedding(message_id=identifier("a"), model="m", vector=[0.5, 1.0])],
    )
    others = [conversation(f"talk{n}", [message(f"m{n}")]) for n in range(TALKS - 1)]
    load(database, [rich, *others])
    everything = native_lines(database, ConversationFilter(), organization_key="default")
    path.write_bytes(b'{"format":"chatdb","version":1}\n' + b"".join(everything))
    return path


@pytest.fixture(params=FORMATS)
def source(request: pytest.FixtureRequest, tmp_path: Path, database: Database) -> Path:
    """A file of talks that are in the database already."""
    if request.param == "native":
        return native_file(tmp_path / "talks.jsonl", database)
    make = {"chatgpt": chatgpt_talk, "claude": claude_talk}[request.param]
    path = tmp_path / "talks.json"
    path.write_text(json.dumps([make(number) for number in range(TALKS)]))
    assert run(database, path).counts.new == TALKS
    return path


def run(database: Database, path: Path, **options: Any) -> ImportReport:
    name = options.pop("source_name", None)
    inputs = find_inputs([str(path)], source_name=name)
    return import_files(database, "default", inputs, options=ImportOptions(**options))


def as_read(database: Database, path: Path, **options: Any) -> ImportReport:
    """Return the report of a preview, which reads everything and writes nothing."""
    name = options.pop("source_name", None)
    inputs = find_inputs([str(path)], source_name=name)
    return preview_files(database, "default", inputs, options=ImportOptions(**options))


def told(report: ImportReport) -> tuple[Any, ...]:
    files = [asdict(each) for each in report.files]
    return asdict(report.counts), report.messages, report.replaced_characters, files


def check(database: Database, path: Path, **options: Any) -> ImportReport:
    """Import; hold that the report is that of reading everything, and that all of it is in."""
    expected = told(as_read(database, path, **options))
    report = run(database, path, **options)
    assert told(report) == expected
    after = as_read(database, path, **options).counts
    assert (after.new, after.updated) == (0, 0)
    return report


def sorter(database: Database, path: Path, user_id: str | None = None) -> tuple[int, int]:
    """Return how many conversations of a file need no reading, and how many arrivals remain."""
    tally = Tally()
    with open_source(path) as opened:
        reader: Any = detect(opened)
        items = list(reader.read_unread(opened, tally, defers=lambda: True))
    known, rest = UnreadSorter(database, ORGANIZATION, user_id).sort(
        [Arrival(item, tally=tally) for item in items], database
    )
    return len(known), len(rest)


def test_what_did_not_change_is_not_read(database: Database, source: Path) -> None:
    before = stored(database)

    assert sorter(database, source) == (TALKS, 0)
    assert check(database, source).counts.unchanged == TALKS
    assert stored(database) == before


def _edit_title(database: Database) -> None:
    with database.transaction(write=True) as connection:
        table = schema.conversations
        connection.execute(sa.update(table).values(title="mine", edited_at=at(9)))


def _delete_message(database: Database) -> None:
    record = stored(database)[0]
    with database.transaction(write=True) as connection:
        table = schema.messages
        gone = record.messages[0].id
        connection.execute(sa.delete(table).where(table.c.id == gone))
    tombstone(database, record.id, gone)


def _delete_row_only(database: Database) -> None:
    gone = stored(database)[0].messages[0].id
    with database.transaction(write=True) as connection:
        table = schema.messages
        connection.execute(sa.delete(table).where(table.c.id == gone))


def _delete_conversation(database: Database) -> None:
    gone = stored(database)[0].id
    with database.transaction(write=True) as connection:
        table = schema.conversations
        connection.execute(sa.delete(table).where(table.c.id == gone))
    tombstone(database, gone)


def _give_to_bob(database: Database) -> None:
    with database.transaction(write=True) as connection:
        connection.execute(sa.update(schema.conversations).values(user_id="bob"))


def _forget_the_bytes(database: Database) -> None:
    """Make hashes what an earlier chatdb wrote."""
    with database.transaction(write=True) as connection:
        table = schema.conversations
        connection.execute(
            sa.update(table).values(source_hash=sa.func.substr(table.c.source_hash, 1, 32))
        )


@pytest.mark.large
@pytest.mark.parametrize(
    "change",
    [
        _edit_title,
        _delete_message,
        _delete_row_only,
        _delete_conversation,
        _give_to_bob,
        _forget_the_bytes,
    ],
)
@pytest.mark.parametrize("options", [{}, {"restore_deleted": True}], ids=["", "restore"])
def test_what_was_changed_here_comes_out_as_if_it_were_read(
    database: Database, source: Path, change: Callable[[Database], None], options: dict[str, Any]
) -> None:
    change(database)

    check(database, source, **options)
    check(database, source, **options)


@pytest.mark.large
@pytest.mark.parametrize(
    "options",
    [{"user_id": "ann"}, {"user_id": "eve"}, {"source_name": "other"}, {"search_index": False}],
    ids=str,
)
def test_other_options_come_out_as_if_it_were_read(
    database: Database, source: Path, options: dict[str, Any]
) -> None:
    check(database, source, **options)
    check(database, source, **options)


def test_a_user_who_is_another_one_has_it_read(database: Database, source: Path) -> None:
    _give_to_bob(database)

    assert sorter(database, source, "eve")[0] == 0


def _write(path: Path, values: list[Any], **options: Any) -> Path:
    path.write_text(json.dumps(values, **options))
    return path


@pytest.mark.parametrize("make", [chatgpt_talk, claude_talk])
def test_changed_and_new_ones_among_unchanged_ones_go_in(
    database: Database, tmp_path: Path, make: Callable[..., Any]
) -> None:
    path = _write(tmp_path / "talks.json", [make(number) for number in range(TALKS)])
    run(database, path)
    _write(path, [make(0), make(1, "other"), make(2), make(3), "no talk"])

    assert sorter(database, path) == (2, 3)
    counts = check(database, path).counts

    assert (counts.unchanged, counts.updated, counts.new, counts.skipped) == (2, 1, 1, 1)
    assert sorter(database, path) == (4, 1)


@pytest.mark.parametrize("make", [chatgpt_talk, claude_talk])
def test_one_that_comes_twice_is_read(
    database: Database, tmp_path: Path, make: Callable[..., Any]
) -> None:
    path = _write(tmp_path / "talks.json", [make(0), make(1)])
    run(database, path)
    newer = {"update_time": 1_900_000_000.0, "updated_at": "2030-01-31T12:05:00Z"}
    shape = make(0)
    _write(path, [make(0, "other", **{k: v for k, v in newer.items() if k in shape}), make(0)])

    assert sorter(database, path) == (0, 2)
    check(database, path)


@pytest.mark.parametrize("make", [chatgpt_talk, claude_talk])
def test_other_bytes_of_the_same_are_read_once(
    database: Database, tmp_path: Path, make: Callable[..., Any]
) -> None:
    path = _write(tmp_path / "talks.json", [make(number) for number in range(TALKS)])
    run(database, path)
    before = stored(database)
    _write(path, [make(number) for number in range(TALKS)], indent=2)

    assert sorter(database, path) == (0, TALKS)
    assert check(database, path).counts.unchanged == TALKS
    assert sorter(database, path) == (TALKS, 0)
    after = stored(database)
    for one, other in zip(before, after, strict=True):
        assert one.source_hash != other.source_hash
        assert is_same_source(one.source_hash, other.source_hash)
        assert one.updated_at == other.updated_at


def test_what_the_reader_met_is_counted_as_if_it_were_read(
    database: Database, tmp_path: Path
) -> None:
    odd = chatgpt_talk(0, "a\x00b", brand_new=1, current_node="nowhere")
    broken = chatgpt_talk(1)
    broken["mapping"]["bad"] = "no node"
    path = _write(tmp_path / "talks.json", [odd, broken, chatgpt_talk(2)])
    run(database, path)

    assert sorter(database, path) == (2, 2)
    report = check(database, path)

    assert report.replaced_characters == 1
    assert report.files[0].unknown_fields == {"brand_new": 1}
    assert report.files[0].lossy
    assert len(report.files[0].skipped) == 1


@pytest.mark.parametrize("other", ["acme", " "], ids=["same id", "no key"])
def test_lines_whose_organization_is_refused_are_counted_as_if_they_were_read(
    database: Database, tmp_path: Path, other: str
) -> None:
    talk = conversation("one", [message("a"), message("b", "a")])
    load(database, [talk, conversation("two", [message("c")])])
    lines = native_lines(database, ConversationFilter(), organization_key="default", labelled=True)
    mine = b"".join(lines).splitlines(keepends=True)
    theirs = json.loads(mine[0]) | {"organization": other, "new_field": 1}
    path = tmp_path / "talks.jsonl"
    head = b'{"format":"chatdb","version":1}\n'
    path.write_bytes(head + b"".join(mine) + json.dumps(theirs).encode() + b"\n")

    report = check(database, path)

    assert (report.counts.unchanged, report.counts.skipped) == (2, 1)


def test_lines_that_cannot_be_read_are_not_counted_for_their_organization(
    database: Database, tmp_path: Path
) -> None:
    load(database, [conversation("one", [message("a")])])
    lines = native_lines(database, ConversationFilter(), organization_key="default", labelled=True)
    line = b"".join(lines)
    broken = json.dumps(json.loads(line) | {"created_at": "x"}).encode() + b"\n"
    path = tmp_path / "talks.jsonl"
    path.write_bytes(b'{"format":"chatdb","version":1}\n' + line + broken)

    assert check(database, path).files[0].organizations == {"default": 1}


def test_long_counts_are_not_kept(database: Database, tmp_path: Path) -> None:
    unknown: dict[str, Any] = {f"a_field_that_nobody_has_seen_{n}": n for n in range(50)}
    path = _write(tmp_path / "talks.json", [chatgpt_talk(0, **unknown)])
    run(database, path)

    (record,) = stored(database)
    assert record.source_hash is not None
    assert ":" not in record.source_hash
    assert sorter(database, path) == (0, 1)
    check(database, path)


def test_the_digest_is_of_the_bytes_and_of_the_reader() -> None:
    digests = {bytes_digest("a", 1, b"x"), bytes_digest("a", 2, b"x"), bytes_digest("b", 1, b"x")}

    assert len({*digests, bytes_digest("a", 1, b"y")}) == 4
    assert bytes_digest("a", 1, b"x") in digests


def test_readers_decode_where_the_database_knows_little(database: Database) -> None:
    deferral = Deferral()
    with database.transaction() as connection:
        deferral.begin(connection, ORGANIZATION)
    assert not deferral()

    load(database, [conversation("talk", [message("a")])])
    with database.transaction() as connection:
        deferral.begin(connection, ORGANIZATION)
    assert deferral()
    deferral.learn(10, 1)
    for _ in range(PAUSE):
        assert not deferral()
        deferral.learn(0, 0)
    assert deferral()
    deferral.learn(10, 9)
    assert deferral()


def test_an_unread_conversation_is_read_once_and_counted_once() -> None:
    made = conversation("talk", [message("a")])

    def read(tally: Tally) -> list[Any]:
        tally.conversations += 1
        return [made]

    unread = Unread(made.id, None, b"", None, read)
    tally = Tally()
    assert unread.items(tally) == unread.items(tally) == [made]
    assert tally.conversations == 1
