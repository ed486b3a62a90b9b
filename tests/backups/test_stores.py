"""The folder of backups: whole files or none, claims, and what killed processes left."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from chatdb.backups.archives import (
    CheckedStream,
    compare,
    sum_up,
    unpacked,
    write_archive,
)
from chatdb.backups.folder_store import FolderStore
from chatdb.backups.manifest import BackupFile
from chatdb.backups.store import Staging
from chatdb.errors import InvalidInputError, NotFoundError, StorageError

NAME = "relay_20261125T193300Z"
DATA = os.urandom(3000) * 1000


def claimed(store: FolderStore) -> Staging:
    staging = store.staging(NAME)
    assert staging is not None
    return staging


def names(store: FolderStore) -> list[str]:
    return [file.name for file in store.files()]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "backups")


def test_a_store_that_is_not_there_holds_nothing(store: FolderStore) -> None:
    assert store.files() == []
    assert store.leftovers() == []


def test_what_is_put_is_there_and_for_the_owner_alone(store: FolderStore) -> None:
    staging = claimed(store)
    with write_archive(staging.folder / "a.dump") as writer:
        writer.write(b"data")
    assert names(store) == []

    store.put(staging.folder / "a.dump", "a.dump")
    store.release(staging)

    assert names(store) == ["a.dump"]
    assert stat.S_IMODE((store.folder / "a.dump").stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    with store.open("a.dump") as stream:
        assert stream.read() == b"data"
    assert list(store.folder.glob("*.partial")) == []


def test_a_name_is_claimed_once(store: FolderStore) -> None:
    staging = claimed(store)

    assert store.staging(NAME) is None
    assert store.leftovers() == []
    store.release(staging)
    assert store.staging(NAME) is not None


def test_a_name_with_files_is_taken(store: FolderStore) -> None:
    store.folder.mkdir()
    (store.folder / f"{NAME}.dump").touch()

    assert store.staging(NAME) is None


def test_what_a_killed_process_left_is_found_and_swept(store: FolderStore) -> None:
    program = (
        "import os, sys; from pathlib import Path\n"
        "from chatdb.backups.folder_store import FolderStore\n"
        f"staging = FolderStore(Path(sys.argv[1])).staging({NAME!r})\n"
        "(staging.folder / 'half').write_bytes(b'x'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, str(store.folder)], check=False)

    assert store.leftovers() == [NAME]
    store.sweep(NAME)

    assert [path.name for path in store.folder.iterdir()] == [".gitignore"]


def test_files_of_a_directory_archive_are_listed_with_their_folder(store: FolderStore) -> None:
    staging = claimed(store)
    (staging.folder / "toc.dat").write_bytes(b"toc")

    store.put(staging.folder / "toc.dat", f"{NAME}.dir/toc.dat")
    assert names(store) == [f"{NAME}.dir/toc.dat"]
    store.delete(f"{NAME}.dir/toc.dat")

    assert not (store.folder / f"{NAME}.dir").exists()


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StorageError, match="not a folder"):
        FolderStore(tmp_path / "file").staging(NAME)


def test_a_missing_file_is_not_found(store: FolderStore) -> None:
    with pytest.raises(NotFoundError):
        store.open("nothing")


@pytest.mark.parametrize("threads", [1, 2])
def test_what_is_packed_is_unpacked_and_summed_up(tmp_path: Path, threads: int) -> None:
    path = tmp_path / "a.dump.zst"
    with write_archive(path, threads=threads) as writer:
        for start in range(0, len(DATA), 70_000):
            writer.write(DATA[start : start + 70_000])

    file = writer.file(path.name)
    with path.open("rb") as raw, CheckedStream(raw, file) as checked:
        stream = unpacked(checked, path.name)
        assert stream.read() == DATA
        checked.verify()
    assert file.bytes == path.stat().st_size < len(DATA)
    assert writer.unpacked_bytes == len(DATA)


@pytest.mark.parametrize("damage", ["cut", "flipped", "longer", "swapped"])
def test_every_damage_is_noticed(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "a.dump.zst"
    with write_archive(path) as writer:
        writer.write(DATA)
    file, data = writer.file(path.name), bytearray(path.read_bytes())
    if damage == "flipped":
        data[len(data) // 2] ^= 4
    path.write_bytes(
        {"cut": data[:-7], "longer": data + b"x", "swapped": data[::-1]}.get(damage, data)
    )

    with path.open("rb") as raw, pytest.raises(InvalidInputError, match=r"a\.dump\.zst is"):
        compare(file, sum_up(raw, path.name))
    if damage in ("cut", "flipped"):
        with path.open("rb") as raw, pytest.raises(InvalidInputError, match="damaged"):
            unpacked(raw, path.name).read()


def test_a_full_disk_is_named() -> None:
    with pytest.raises(StorageError, match="No space left"):
        compare_full_device()


def compare_full_device() -> None:
    from chatdb.primitives.atomic_write import storage_error

    try:
        with Path("/dev/full").open("wb", buffering=0) as raw:
            raw.write(b"x")
    except OSError as error:
        raise storage_error(Path("x"), error) from error


def test_a_file_is_described_by_its_bytes() -> None:
    with pytest.raises(InvalidInputError, match="truncated: 1 bytes, the manifest says 2"):
        compare(BackupFile("f", 2, "a"), BackupFile("f", 1, "b"))
