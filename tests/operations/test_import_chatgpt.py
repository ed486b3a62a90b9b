"""ChatGPT's whole exports in the database: names of files, group chats, canvases, reports."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.operations.importing.report import ImportReport
from chatdb.records import Conversation
from tests.formats.chatgpt_samples import message, one_message
from tests.formats.test_left_out_files import written
from tests.operations.importing import stored, the_one
from tests.operations.test_import_again import run

PICTURE = {"content_type": "image_asset_pointer", "asset_pointer": "sediment://file_00ab"}
CONTENT = {"content_type": "multimodal_text", "parts": ["see", PICTURE]}
TALK = json.dumps([one_message(message(text=CONTENT))]).encode()
WHOLE = {
    "conversations-000.json": TALK,
    "library_files.json": b'[{"file_id": "file_00ab", "file_name": "till.png"}]',
}


def imported(database: Database, path: Path, members: dict[str, bytes]) -> ImportReport:
    return run(database, written(path, members))


def changes(report: ImportReport) -> int:
    return report.counts.new + report.counts.updated


def file_name(database: Database) -> str | None:
    (entry,) = the_one(database).messages[0].attachments
    assert entry["id"] == "file_00ab"
    return None if entry.get("name") is None else str(entry["name"])


def test_names_that_come_later_are_added_and_stay(database: Database, tmp_path: Path) -> None:
    alone = {"conversations-000.json": TALK}

    imported(database, tmp_path / "alone.zip", alone)
    assert file_name(database) is None
    assert changes(imported(database, tmp_path / "whole.zip", WHOLE)) == 1
    assert file_name(database) == "till.png"
    for path, members in (("alone.zip", alone), ("whole.zip", WHOLE), ("whole.zip", WHOLE)):
        assert changes(imported(database, tmp_path / path, members)) == 0
        assert file_name(database) == "till.png"


def test_a_name_that_changed_is_taken_though_the_bytes_are_the_same(
    database: Database, tmp_path: Path
) -> None:
    imported(database, tmp_path / "one.zip", WHOLE)

    other = WHOLE | {"library_files.json": WHOLE["library_files.json"].replace(b"till", b"desk")}
    assert changes(imported(database, tmp_path / "two.zip", other)) == 1

    assert file_name(database) == "desk.png"


def test_other_names_in_a_newer_export_leave_a_conversation_unread(
    database: Database, tmp_path: Path
) -> None:
    imported(database, tmp_path / "one.zip", WHOLE)
    before = the_one(database).source_hash

    more = (
        b'[{"file_id": "file_00ab", "file_name": "till.png"}, {"file_id": "f", "file_name": "x"}]'
    )
    report = imported(database, tmp_path / "two.zip", WHOLE | {"library_files.json": more})

    assert (report.counts.unchanged, the_one(database).source_hash) == (1, before)


def canvas(text: str, day: int) -> bytes:
    fields: dict[str, Any] = {"id": "d", "title": f"Note {day}", "content": text}
    return json.dumps(fields | {"updated_at": f"2026-01-{day:02}T00:00:00Z"}).encode()


VERSIONS = {1: canvas("first", 1), 2: canvas("second", 2), 3: canvas("third", 3)}


def active(record: Conversation) -> str:
    return next(each.content for each in record.messages if each.id == record.current_message_id)


@pytest.mark.large
@pytest.mark.parametrize("order", list(itertools.permutations(VERSIONS)), ids=str)
def test_versions_of_a_canvas_come_together_and_the_newest_is_active(
    database: Database, tmp_path: Path, order: tuple[int, ...]
) -> None:
    for day in order:
        imported(database, tmp_path / f"{day}.zip", {"textdocs/d.json": VERSIONS[day]})

    for day in (*order, *reversed(order)):
        report = run(database, tmp_path / f"{day}.zip")
        assert (report.counts.updated, report.counts.messages_new) == (0, 0)
        record = the_one(database)
        assert (record.kind, record.title, active(record)) == ("canvas", "Note 3", "third")
        assert {each.content for each in record.messages} == {"first", "second", "third"}


def test_of_a_canvas_without_times_the_version_that_was_not_here_is_the_newest(
    database: Database, tmp_path: Path
) -> None:
    for text in ("first", "second", "first"):
        note = json.dumps({"id": "d", "title": "Note", "content": text}).encode()
        imported(database, tmp_path / "export.zip", {"textdocs/d.json": note})

    record = the_one(database)
    assert {each.content for each in record.messages} == {"first", "second"}
    assert active(record) == "second"


def test_authors_of_a_group_chat_and_attached_texts_are_stored(
    database: Database, tmp_path: Path
) -> None:
    said = [{"user_id": "ann", "text": "Rome?"}, {"user_id": "bob", "text": "Oslo!"}]
    state = {"report_message": {"content": {"parts": ["The lanternfish migrates."]}}}
    found = message("tool", "", metadata={"chatgpt_sdk": {"widget_state": json.dumps(state)}})
    imported(
        database,
        tmp_path / "export.zip",
        {
            "group_chats.json": json.dumps({"chats": [{"id": "g", "messages": said}]}).encode(),
            "conversations.json": json.dumps([one_message(found)]).encode(),
        },
    )

    records = {each.source: each for each in stored(database)}
    assert [each.user_id for each in records["chatgpt-group"].messages] == ["ann", "bob"]
    assert [each.attached_text for each in records["chatgpt"].messages] == [
        "The lanternfish migrates."
    ]
