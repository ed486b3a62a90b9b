"""The store of files: by digest, whole or not at all, each tenant for itself."""

import hashlib
import io
import os
import stat
import tracemalloc
from pathlib import Path
from uuid import UUID

import pytest

from chatdb.errors import StorageError
from chatdb.primitives.digests import CHUNK
from chatdb.primitives.file_store import HEAD, FileStore

ONE, TWO = UUID(int=1), UUID(int=2)


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "attachments")


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def add(store: FileStore, tenant: UUID, *files: bytes) -> list[str]:
    with store.incoming(tenant) as incoming:
        return [incoming.add(io.BytesIO(data)).digest for data in files]


def test_a_file_stands_under_its_digest_for_its_owner_only(store: FileStore) -> None:
    data = b"x" * (2 * CHUNK + 1)

    with store.incoming(ONE) as incoming:
        added = incoming.add(io.BytesIO(data))
        assert store.size_of(ONE, added.digest) is None

    path = store.folder / str(ONE) / digest_of(data)
    assert (added.digest, added.size, added.head) == (path.name, len(data), data[:HEAD])
    assert path.read_bytes() == data
    modes = [stat.S_IMODE(each.stat().st_mode) for each in (path, path.parent, store.folder)]
    assert modes == [0o600, 0o700, 0o700]
    assert list(store.files(ONE)) == [(path.name, len(data))]


def test_an_empty_file_is_a_file(store: FileStore) -> None:
    (digest,) = add(store, ONE, b"")

    assert store.size_of(ONE, digest) == 0


def test_tenants_never_share_a_file(store: FileStore) -> None:
    (digest,) = add(store, ONE, b"same")
    add(store, TWO, b"same", b"same")

    assert store.remove(ONE, digest)
    assert not store.remove(ONE, digest)

    assert store.size_of(ONE, digest) is None
    assert list(store.files(TWO)) == [(digest, 4)]
    assert store.tenants() == [TWO]


def test_nothing_is_there_of_a_block_that_fails_and_nothing_is_left(store: FileStore) -> None:
    class Broken:
        def readinto(self, _: memoryview, /) -> int:
            raise ZeroDivisionError

    def add_both() -> None:
        with store.incoming(ONE) as incoming:
            incoming.add(io.BytesIO(b"first"))
            incoming.add(Broken())

    with pytest.raises(ZeroDivisionError):
        add_both()

    assert list((store.folder / str(ONE)).iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_one_writes_is_not(
    store: FileStore,
) -> None:
    add(store, ONE, b"before")
    left = store.folder / str(ONE) / ".incoming-left"
    left.mkdir()
    (left / "0").write_bytes(b"half")

    with store.incoming(ONE) as incoming:
        incoming.add(io.BytesIO(b"mine"))
        add(store, ONE, b"beside")

    assert not left.exists()
    assert len(list(store.files(ONE))) == 3


def test_memory_stays_flat(store: FileStore) -> None:
    class Large:
        left = 64 * CHUNK

        def readinto(self, buffer: memoryview, /) -> int:
            count = min(len(buffer), self.left)
            self.left -= count
            return count

    tracemalloc.start()
    try:
        with store.incoming(ONE) as incoming:
            added = incoming.add(Large())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert added.size == 64 * CHUNK
    assert peak < 3 * CHUNK


@pytest.mark.parametrize("digest", ["../../etc/passwd", "A" * 64, "a" * 63, ""])
def test_a_digest_that_could_lead_elsewhere_is_none(store: FileStore, digest: str) -> None:
    with pytest.raises(ValueError, match="digest"):
        store.path(ONE, digest)
    assert store.size_of(ONE, digest) is None


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = FileStore(tmp_path / "file" / "attachments")

    with pytest.raises(StorageError, match="attachments"), store.incoming(ONE):
        pass


def test_nothing_is_removed_while_others_add(store: FileStore) -> None:
    with store.held() as mine, store.held() as too, store.held(alone=True) as alone:
        assert (mine, too, alone) == (True, True, False)

    with store.held(alone=True) as alone:
        assert alone


def test_whoever_finds_no_folder_makes_none(store: FileStore) -> None:
    with store.held(alone=True) as alone:
        assert alone
    assert (store.tenants(), list(store.files(ONE))) == ([], [])
    assert not store.remove(ONE, "a" * 64)

    assert not os.path.lexists(store.folder)
