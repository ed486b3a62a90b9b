"""Files appear whole or not at all, private, and the same bytes for the same content."""

import gzip
import os
import stat
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard

from chatdb.errors import StorageError
from chatdb.formats.outputs import open_output


def write(path: Path, data: bytes = b"data") -> Path:
    with open_output(path) as stream:
        stream.write(data)
    return path


def _fail(stream: BinaryIO, error: type[BaseException]) -> None:
    stream.write(b"half")
    raise error


def test_a_file_is_private_and_complete(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl")

    assert path.read_bytes() == b"data"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.glob("a*")) == [path]


def test_the_name_decides_the_compression(tmp_path: Path) -> None:
    assert gzip.decompress(write(tmp_path / "a.jsonl.gz").read_bytes()) == b"data"
    unpacked = zstandard.ZstdDecompressor().decompressobj()
    assert unpacked.decompress(write(tmp_path / "a.jsonl.zst").read_bytes()) == b"data"


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
def test_the_same_content_gives_the_same_bytes(ending: str, tmp_path: Path) -> None:
    one = write(tmp_path / f"one{ending}").read_bytes()

    assert one == write(tmp_path / f"two{ending}").read_bytes()


@pytest.mark.parametrize("ending", ["", ".gz", ".zst"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_the_older_file_and_nothing_else(
    ending: str, error: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"older")

    with pytest.raises(error), open_output(path) as stream:
        _fail(stream, error)

    assert path.read_bytes() == b"older"
    assert list(tmp_path.glob("a*")) == [path]


def test_a_folder_that_does_not_exist_is_a_storage_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        write(tmp_path / "none" / "a")


@pytest.mark.skipif(os.getuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_a_storage_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(StorageError, match="cannot be written"):
        write(tmp_path / "a")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("size", [10, 10_000_000])
def test_a_full_disk_is_a_storage_error_with_advice(size: int) -> None:
    with pytest.raises(StorageError, match="No space left") as caught:
        write(Path("/dev/full"), b"x" * size)

    assert "space" in str(caught.value.hint)


def test_a_link_is_followed(tmp_path: Path) -> None:
    target = write(tmp_path / "target")
    link = tmp_path / "link"
    link.symlink_to(target)

    write(link, b"new")

    assert target.read_bytes() == b"new"
    assert link.is_symlink()
