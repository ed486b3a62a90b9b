"""The backups of a folder: whole, broken off, damaged, and those of other tools."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from chatdb.backups.folder_store import FolderStore
from chatdb.backups.inventory import Backup, find, find_all, remember, remove_incomplete
from chatdb.backups.manifest import BackupFile, Manifest, Verification, encode
from chatdb.backups.names import MANIFEST
from chatdb.errors import NotFoundError
from tests.backups.making import AT, manifest

NAME = "relay_20261125T193300Z"
OLDER = "relay_20261124T193300Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "backups"
    folder.mkdir()
    return folder


def put(folder: Path, name: str, **changes: Any) -> Manifest:
    (folder / f"{name}.dump.zst").write_bytes(b"x" * 100)
    written = manifest(name, **changes)
    (folder / (name + MANIFEST)).write_bytes(encode(written))
    return written


def everything(folder: Path) -> dict[str, Backup]:
    return {backup.name: backup for backup in find_all(FolderStore(folder))}


def test_backups_are_listed_newest_first_with_those_of_other_tools(folder: Path) -> None:
    put(folder, OLDER)
    put(folder, NAME)
    (folder / "relay_dev_20231220_143022.sql").write_text("SELECT 1;")
    (folder / "notes.txt").write_text("no backup")

    found = find_all(FolderStore(folder))

    assert [(backup.name, backup.state) for backup in found] == [
        (NAME, "complete"),
        (OLDER, "complete"),
        ("relay_dev_20231220_143022.sql", "foreign"),
    ]
    assert found[0].file == f"{folder}/{NAME}.dump.zst"
    assert found[0].manifest == manifest(NAME)
    assert found[2].made_at == datetime(2023, 12, 20, 14, 30, 22, tzinfo=UTC)


def test_a_directory_of_another_tool_is_one_backup(folder: Path) -> None:
    directory = folder / "relay_dev_20231220_143022.dir"
    directory.mkdir()
    (directory / "toc.dat").write_bytes(b"PGDMP")
    (directory / "3435.dat.gz").write_bytes(b"")

    (found,) = find_all(FolderStore(folder))

    assert (found.name, found.kind, len(found.files)) == (directory.name, "directory", 2)
    assert found.file == str(directory)


def test_only_one_databases_backups_can_be_asked_for(folder: Path) -> None:
    put(folder, NAME)
    put(folder, "other_20261125T193300Z")

    assert [item.name for item in find_all(FolderStore(folder), database="relay")] == [NAME]


@pytest.mark.parametrize(
    ("damage", "state", "problem"),
    [
        ("no manifest", "incomplete", "it has no manifest: creating it was interrupted"),
        ("no archive", "incomplete", f"{NAME}.dump.zst is missing"),
        ("bit", "damaged", f"{NAME}{MANIFEST} is damaged: its digest does not match"),
        ("another's", "damaged", f"{NAME}{MANIFEST} belongs to {OLDER}"),
    ],
)
def test_what_is_not_whole_says_why(folder: Path, damage: str, state: str, problem: str) -> None:
    put(folder, NAME)
    path = folder / (NAME + MANIFEST)
    if damage == "no manifest":
        path.unlink()
    elif damage == "no archive":
        (folder / f"{NAME}.dump.zst").unlink()
    elif damage == "bit":
        path.write_bytes(path.read_bytes().replace(b'"messages": 5', b'"messages": 6'))
    else:
        path.write_bytes(encode(manifest(OLDER)))

    backup = everything(folder)[NAME]

    assert (backup.state, backup.problem) == (state, problem)


@pytest.mark.parametrize("text", [NAME, f"{NAME}.dump.zst", NAME + MANIFEST, "latest"])
def test_a_backup_is_found_by_whatever_names_it(folder: Path, text: str) -> None:
    put(folder, OLDER)
    put(folder, NAME)

    assert find(text, str(folder)).name == NAME
    if text != "latest":
        assert find(f"{folder}/{text}", "elsewhere").name == NAME


def test_a_newer_backup_of_a_part_does_not_hide_the_latest_full_one(folder: Path) -> None:
    part = f"{NAME}_org-acme"
    put(folder, OLDER)
    put(folder, part, part="organization", organization="acme")

    assert find("latest", str(folder)).name == part
    assert find("latest", str(folder), full_first=True).name == OLDER
    (folder / f"{OLDER}{MANIFEST}").unlink()
    assert find("latest", str(folder), full_first=True).name == part


def test_a_file_of_another_tool_is_found_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "dump of mine").write_text("SELECT 1;")
    os.chdir(tmp_path)

    backup = find("dump of mine", "backups")

    assert (backup.state, backup.kind, backup.database) == ("foreign", None, "dump of mine")


@pytest.mark.parametrize("text", ["nothing", "latest", "/no/where.dump", NAME])
def test_what_is_not_there_is_not_found(folder: Path, text: str) -> None:
    with pytest.raises(NotFoundError, match="there is no"):
        find(text, str(folder))


def test_the_latest_is_a_whole_one(folder: Path) -> None:
    put(folder, OLDER)
    put(folder, NAME)
    (folder / (NAME + MANIFEST)).unlink()

    assert find("latest", str(folder)).name == OLDER


def test_a_verification_is_remembered_beside_the_backup(folder: Path) -> None:
    put(folder, NAME)
    (folder / "old.sql").touch()
    passed = Verification(at=AT, way="files", passed=True, seconds=1.0)

    for name in (NAME, "old.sql"):
        remember(find(name, str(folder)), lambda before: before.adding(passed))

        assert find(name, str(folder)).verifications.last() == passed
    assert set(everything(folder)) == {NAME, "old.sql"}


def test_broken_off_backups_are_removed_and_whole_ones_kept(folder: Path) -> None:
    put(folder, OLDER)
    put(folder, NAME)
    (folder / (NAME + MANIFEST)).unlink()
    for name in (OLDER, NAME):
        (folder / f"{name}.partial").mkdir()
    store = FolderStore(folder)

    removed = remove_incomplete(store, store.leftovers())

    assert removed == [NAME]
    assert set(everything(folder)) == {OLDER}
    assert list(folder.glob("*.partial")) == []


def test_a_directory_archive_is_one_backup(folder: Path) -> None:
    inside = folder / f"{NAME}.dir"
    inside.mkdir()
    (inside / "toc.dat").write_bytes(b"toc")
    written = manifest(
        NAME, kind="directory", files=(BackupFile(f"{NAME}.dir/toc.dat", 3, "0" * 64),)
    )
    (folder / (NAME + MANIFEST)).write_bytes(encode(written))

    backup = everything(folder)[NAME]

    assert (backup.state, backup.kind, backup.file) == ("complete", "directory", f"{inside}")
