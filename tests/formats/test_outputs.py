"""Files appear whole or not at all, private, and the same bytes for the same content."""

import gzip
import stat
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest
import zstandard

from chatdb.errors import StorageError
from chatdb.formats.files.outputs import open_output
from tests.formats.rights import error_without_rights, unprivileged_folder


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


_WRITE = """
from chatdb.formats.files.outputs import open_output
with open_output(Path(sys.argv[1])) as stream:
    stream.write(b"data")
"""


def test_a_read_only_folder_is_a_storage_error() -> None:
    with unprivileged_folder() as folder:
        folder.chmod(0o555)

        assert "cannot be written" in error_without_rights(_WRITE, folder / "a")
        assert list(folder.iterdir()) == []


def test_two_writers_of_one_file_never_mix_and_the_second_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a"

    with open_output(path) as first:
        first.write(b"first")
        with pytest.raises(StorageError, match="another process"):
            write(path, b"second")

    assert path.read_bytes() == b"first"
    assert list(tmp_path.glob("a*")) == [path]
    assert write(path, b"third").read_bytes() == b"third"


def test_a_killed_writer_leaves_a_partial_file_that_the_next_one_replaces(tmp_path: Path) -> None:
    path = tmp_path / "a"
    killed = "import os, sys\nfrom pathlib import Path" + _WRITE.replace(
        'b"data")', 'b"longer than data")\n    stream.flush()\n    os.kill(os.getpid(), 9)'
    )

    process = subprocess.run([sys.executable, "-c", killed, path], check=False)

    assert process.returncode == -9
    assert [item.name for item in tmp_path.glob("a*")] == ["a.partial"]
    assert write(path).read_bytes() == b"data"
    assert list(tmp_path.glob("a*")) == [path]


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
