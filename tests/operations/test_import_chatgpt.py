"""ChatGPT's whole exports in the database."""

import json
from pathlib import Path

from chatdb.db.database import Database
from chatdb.operations.importing.report import ImportReport
from tests.formats.chatgpt_samples import message, one_message
from tests.formats.test_left_out_files import written
from tests.operations.importing import the_one
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
