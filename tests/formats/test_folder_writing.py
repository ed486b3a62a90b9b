"""A folder with a file for each conversation: gone on with, never torn, nothing left behind."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from chatdb.errors import RefusedError, StorageError
from chatdb.formats.files.folder_writing import write_folder
from chatdb.formats.files.writing import Written
from chatdb.formats.registry import writer
from chatdb.primitives.folder_lock import lock_folder
from chatdb.records import Conversation, Message

FORMATS = ("markdown", "json", "jsonl")
COUNT = 6


def records(count: int = COUNT) -> list[Conversation]:
    at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    return [
        Conversation(
            id=UUID(int=number),
            title=f"Talk {number}",
            created_at=at,
            updated_at=at,
            messages=[Message(id=UUID(int=1), role="user", content="hello\n", created_at=at)],
        )
        for number in range(1, count + 1)
    ]


def write(
    folder: Path, name: str, wanted: Iterable[Conversation], *, force: bool = False
) -> tuple[Written, list[str]]:
    written, kept = Written(), list[str]()
    write_folder(folder, writer(name), wanted, written, force=force, on_kept=kept.append)
    return written, kept


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files without a native header's time."""
    return {
        path.name: b"".join(
            line for line in path.read_bytes().splitlines(keepends=True) if b'"created"' not in line
        )
        for path in folder.iterdir()
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "notes"
    made.mkdir()
    return made


_KILLED = """
import os, sys
from pathlib import Path
from tests.formats.test_folder_writing import records, write

def some():
    yield from records()[:3]
    os.kill(os.getpid(), 9)

write(Path(sys.argv[1]), sys.argv[2], some())
"""


@pytest.mark.parametrize("name", FORMATS)
def test_a_killed_run_gone_on_with_gives_the_folder_of_an_undisturbed_one(
    tmp_path: Path, name: str
) -> None:
    write(tmp_path / "whole", name, records())
    folder = tmp_path / "killed"

    process = subprocess.run([sys.executable, "-c", _KILLED, folder, name], check=False)
    assert process.returncode == -9
    (folder / (max(contents(tmp_path / "whole")) + ".partial")).write_bytes(b"torn")
    written, kept = write(folder, name, records())

    assert (written.unchanged, written.files, kept) == (3, COUNT - 3, [])
    assert contents(folder) == contents(tmp_path / "whole")


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("name", FORMATS)
def test_a_file_with_the_same_content_counts_as_done(folder: Path, name: str, force: bool) -> None:
    write(folder, name, records())
    before = {path: path.stat() for path in folder.iterdir()}

    written, kept = write(folder, name, records(), force=force)

    assert (written.unchanged, written.files, written.conversations) == (COUNT, 0, 0)
    assert kept == []
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == {
        path: found.st_mtime_ns for path, found in before.items()
    }


@pytest.mark.parametrize("name", FORMATS)
def test_other_content_is_kept_and_named_unless_forced(folder: Path, name: str) -> None:
    write(folder, name, records())
    first = min(folder.iterdir())
    right = contents(folder)
    first.write_bytes(first.read_bytes() + b"mine\n")

    written, kept = write(folder, name, records())

    assert (written.unchanged, written.kept, kept) == (COUNT - 1, 1, [str(first)])
    assert first.read_bytes().endswith(b"mine\n")
    written, kept = write(folder, name, records(), force=True)
    assert (written.unchanged, written.files, kept) == (COUNT - 1, 1, [])
    assert contents(folder) == right


def test_what_a_power_cut_left_empty_is_written_again(folder: Path) -> None:
    write(folder, "markdown", records())
    whole = contents(folder)
    min(folder.iterdir()).write_bytes(b"")

    written, kept = write(folder, "markdown", records())

    assert (written.files, kept) == (1, [])
    assert contents(folder) == whole


def test_unfinished_files_of_killed_runs_are_removed_but_no_others(folder: Path) -> None:
    stale = folder / "2020-01-01_gone_0123456789ab.md.partial"
    mine = folder / "notes.md.partial"
    held = folder / "2020-01-01_busy_0123456789ab.md.partial"
    for path in (stale, mine, held):
        path.write_bytes(b"x")

    with held.open("rb+") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        write(folder, "markdown", records(1))

    names = {path.name for path in folder.glob("*.partial")}
    assert names == {mine.name, held.name}


def test_links_are_followed_and_other_things_left_alone(folder: Path) -> None:
    write(folder, "markdown", records(2))
    first, second = sorted(folder.iterdir())
    target = folder / "elsewhere"
    target.write_bytes(b"old")
    first.unlink()
    first.symlink_to(target)
    second.unlink()
    second.mkdir()

    assert write(folder, "markdown", records(2))[1] == [str(first), str(second)]
    with pytest.raises(StorageError, match=second.name):
        write(folder, "markdown", records(2), force=True)
    assert target.read_bytes().startswith(b"---\n")
    assert first.is_symlink()


def test_files_are_for_their_owner_only(folder: Path) -> None:
    umask = os.umask(0)
    try:
        write(folder, "markdown", records(1))
    finally:
        os.umask(umask)

    assert {path.stat().st_mode & 0o777 for path in (folder).iterdir()} == {0o600}


def test_a_folder_that_another_process_writes_into_is_refused(folder: Path) -> None:
    descriptor = lock_folder(folder)
    assert descriptor is not None
    try:
        with pytest.raises(RefusedError, match="another process writes into"):
            write(folder, "markdown", records())
    finally:
        os.close(descriptor)

    assert list(folder.iterdir()) == []
    assert write(folder, "markdown", records())[0].files == COUNT
