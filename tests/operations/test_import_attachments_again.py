"""A later export changes a message's attachments: each kept file stays at the entry it is of."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatdb.db.database import Database
from chatdb.db.url import DatabaseUrl
from chatdb.operations.importing.merge import merge
from chatdb.records import Conversation, MessageFile
from tests.chatgpt_files import OTHER_PNG, PDF, PNG, export_bytes, pointer, talk
from tests.operations.importing import conversation, message, the_one
from tests.operations.test_import_attachments import files_in

Run = Callable[..., Any]
Own = tuple[object, ...]
A, B, PAPER = "file_00000000aaa1", "file_00000000bbb1", "file-Paper99999"
FILES = {f"{A}-image.png": PNG, f"{B}-image.png": OTHER_PNG, f"{PAPER}.dat": PDF}
BYTES = {A: PNG, B: OTHER_PNG, PAPER: PDF}


@pytest.fixture
def own(database_url: DatabaseUrl, tmp_path: Path) -> Own:
    """The options that name the database and the folder of attachments."""
    return ("-d", database_url.exposed(), "--attachments-dir", tmp_path / "kept")


def named(identifier: str, name: str | None) -> dict[str, Any]:
    told = {} if name is None else {"name": name}
    return {"id": identifier, "mime_type": "image/png", **told}


def keep(
    run: Run, own: Own, path: Path, entries: list[dict[str, Any]], *, minutes: int = 0
) -> list[str]:
    """Import an export of one message with these entries; return what is said."""
    one = talk(1, pointer("sediment://file_00000000gone"), entries)
    one["update_time"] += 60 * minutes
    path.write_bytes(export_bytes(FILES, [one]))
    done = run("import", path, "--attachments", *own)
    assert done.exit_code == 0, done.stderr
    return [line for line in done.stderr.splitlines() if "attachment" in line]


def entries_and_bytes(database_url: DatabaseUrl, tmp_path: Path) -> list[tuple[str | None, bytes]]:
    """Return the id of the entry that each kept file is at, None behind the last, and its bytes."""
    with Database.open(database_url) as database:
        record = the_one(database)
    attachments: dict[Any, Any] = {each.id: each.attachments for each in record.messages}
    kept = files_in(tmp_path / "kept")
    found: list[tuple[str | None, bytes]] = []
    for file in record.files:
        entries = attachments[file.message_id]
        place = file.position
        found.append((entries[place]["id"] if place < len(entries) else None, kept[file.digest]))
    return found


@pytest.mark.parametrize("name", [None, "picture.png"])
def test_a_file_follows_its_entry_and_the_new_one_is_kept(
    run: Run, own: Own, database_url: DatabaseUrl, tmp_path: Path, name: str | None
) -> None:
    a, b = named(A, name), named(B, name)
    keep(run, own, tmp_path / "export.zip", [a])

    keep(run, own, tmp_path / "newer.zip", [b, a], minutes=1)

    found = entries_and_bytes(database_url, tmp_path)
    assert sorted(found, key=str) == sorted([(A, PNG), (B, OTHER_PNG)], key=str)
    again = keep(run, own, tmp_path / "newer.zip", [b, a], minutes=1)
    assert "0 attachments kept (0 B), 2 already here" in again[0]


def test_files_follow_their_entries_without_the_export_s_files(
    run: Run, own: Own, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    a, b, paper = named(A, None), named(B, "b.png"), named(PAPER, "paper.pdf")
    keep(run, own, tmp_path / "export.zip", [a, b, paper])
    one = talk(1, pointer("sediment://file_00000000gone"), [paper, a])
    one["update_time"] += 60
    (tmp_path / "newer.zip").write_bytes(export_bytes({}, [one]))

    done = run("import", tmp_path / "newer.zip", *own)

    assert done.exit_code == 0, done.stderr
    found = entries_and_bytes(database_url, tmp_path)
    assert sorted(found, key=str) == sorted([(PAPER, PDF), (A, PNG), (None, OTHER_PNG)], key=str)
    assert run("attachments", "check", "--read", *own).exit_code == 0


def test_a_file_is_never_taken_for_that_of_another_id_with_its_name(
    run: Run, own: Own, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    a, b, c = (named(each, "image.png") for each in (A, B, "file_00000000ccc1"))
    keep(run, own, tmp_path / "export.zip", [a])
    one = talk(1, pointer("sediment://file_00000000gone"), [b])
    one["update_time"] += 60
    (tmp_path / "newer.zip").write_bytes(export_bytes({}, [one]))

    assert run("import", tmp_path / "newer.zip", *own).exit_code == 0

    assert entries_and_bytes(database_url, tmp_path) == [(None, PNG)]
    for minutes, entries in enumerate(([b], [b, c]), 2):
        keep(run, own, tmp_path / "newest.zip", entries, minutes=minutes)
        assert entries_and_bytes(database_url, tmp_path) == [(B, OTHER_PNG), (None, PNG)]


def test_a_file_without_an_id_takes_no_entry_that_another_file_has_by_its_id() -> None:
    plain, b = {"name": "image.png"}, named(B, "image.png")
    before = message("question", attachments=[plain, b])
    files = [
        MessageFile(message_id=before.id, position=place, digest=letter * 64)
        for place, letter in enumerate("ab")
    ]
    after = message("question", attachments=[b, plain])

    merged = merge(conversation("talk", [before], files=files), conversation("talk", [after], 1))

    assert [each.digest[0] for each in merged.files] == ["b", "a"]


@pytest.mark.parametrize("minutes", [-1, 1])
def test_files_behind_the_last_entry_of_both_sides_of_a_merge_are_there_once(minutes: int) -> None:
    asked = message("question", attachments=[{"id": A}])

    def having(when: int, *letters: str) -> Conversation:
        files = [
            MessageFile(message_id=asked.id, position=place, digest=letter * 64, name=letter)
            for place, letter in enumerate(letters)
        ]
        return conversation("talk", [asked], when, files=files)

    merged = merge(having(0, "a", "b", "b", "c"), having(minutes, "a", "d", "c", "e", "b"))

    assert [each.name for each in merged.files] == ["a", "b", "b", "c", "d", "e"]
    assert [each.position for each in merged.files] == list(range(6))
    assert merge(merged, having(minutes, "a", "d", "c", "e", "b")) == merged


def test_a_file_at_another_entry_is_told_by_its_bytes_where_no_name_is_known(
    run: Run, own: Own, database_url: DatabaseUrl, tmp_path: Path
) -> None:
    keep(run, own, tmp_path / "export.zip", [named(A, None)])
    files = {**FILES, f"{A}-image.png": OTHER_PNG}
    one = talk(1, pointer("sediment://file_00000000gone"), [named(A, None)])
    (tmp_path / "other.zip").write_bytes(export_bytes(files, [one]))

    done = run("import", tmp_path / "other.zip", "--attachments", *own)

    assert "1 attachment kept" in done.stderr
    assert entries_and_bytes(database_url, tmp_path) == [(A, OTHER_PNG)]
