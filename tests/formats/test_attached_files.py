"""Which file of an export an entry of a message's attachments means."""

import io
from typing import Any

import pytest

from chatdb.formats.attached_files import FileIndex, files_of, missing_files
from chatdb.formats.files.source_files import RawFile

UUID = "0195f0aa-1111-7222-8333-444455556666"
NAMES = (
    "export.zip:file-AbC123-cat photo.png",
    "export.zip:dir/file_00ab-sanitized.png",
    "export.zip:inner.zip:file-Data77.dat",
    "folder/file-Sound88.wav",
    f"folder/{UUID}.pdf",
    f"folder/{UUID[:-1]}7/scan.jpg",
    "folder/notes.txt",
    "folder/a/twice.txt",
    "folder/b/twice.txt",
)


def raw(name: str, size: int = 7, *, is_json: bool = False) -> RawFile:
    return RawFile(name, size, is_json, lambda: io.BytesIO(b""))


INDEX = FileIndex([*map(raw, NAMES), raw("folder/users.json", is_json=True)])


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ({"id": "file-AbC123", "name": "cat.png"}, 0),
        ({"asset_pointer": "file-service://file-AbC123"}, 0),
        ({"asset_pointer": "sediment://file_00ab"}, 1),
        ({"asset_pointer": "sediment://file_00ab#page?x=1"}, 1),
        ({"id": "file-Data77"}, 2),
        ({"audio_asset_pointer": {"asset_pointer": "sediment://file-Sound88"}}, 3),
        ({"frames": [{"id": "x"}, {"asset_pointer": "sediment://file-Sound88"}]}, 3),
        ({"kind": "file", "file_uuid": UUID, "file_name": "a.pdf"}, 4),
        ({"file_name": "notes.txt"}, 6),
        ({"file_name": "notes.txt", "file_size": 7}, 6),
        ({"id": "file-Unknown0", "name": "notes.txt"}, 6),
    ],
)
def test_an_entry_finds_its_file(entry: dict[str, Any], place: int) -> None:
    (found,) = files_of([entry], INDEX)

    assert found.file.name == NAMES[place]


@pytest.mark.parametrize(
    "entry",
    [
        {"id": "file-AbC12"},
        {"id": "file-abc123"},
        {"id": "file"},
        {"file_name": "twice.txt"},
        {"file_name": "notes.txt", "file_size": 8},
        {"file_name": "users.json"},
        {"file_name": "../notes.txt"},
        {"id": 7, "name": None},
        "notes.txt",
        None,
        [],
        7,
    ],
)
def test_what_an_entry_does_not_clearly_mean_is_not_taken(entry: Any) -> None:
    assert files_of([entry], INDEX) == []
    assert files_of(entry, INDEX) == []


def test_a_file_that_two_entries_mean_is_one_with_the_name_that_is_told() -> None:
    entries = [
        {"asset_pointer": "file-service://file-AbC123"},
        {"id": "file-Data77"},
        {"id": "file-AbC123", "name": "Cat.png"},
        {"id": "file-AbC123", "name": "again.png"},
    ]

    found = files_of(entries, INDEX)

    assert [(each.position, each.name) for each in found] == [
        (1, "file-Data77.dat"),
        (2, "Cat.png"),
    ]


def test_a_file_without_a_told_name_has_its_own_without_the_id() -> None:
    entries = [{"id": "file-AbC123"}, {"id": "file_00ab"}, {"id": "file-Sound88"}]

    names = [each.name for each in files_of(entries, INDEX)]

    assert names == ["cat photo.png", "sanitized.png", "file-Sound88.wav"]


def test_entries_whose_file_is_not_in_the_export_are_counted() -> None:
    entries = [{"id": "file-Gone999"}, {"id": "file-AbC123"}, {"name": "no id.txt"}, "text"]

    assert missing_files(entries, INDEX) == 1
    assert missing_files(None, INDEX) == 0


def test_an_entry_nested_without_end_takes_no_time() -> None:
    entry: Any = {"id": "file-AbC123"}
    for _ in range(2_000):
        entry = {"inner": [entry, entry]}

    assert files_of([entry], INDEX) == []
