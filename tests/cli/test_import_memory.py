"""A hostile archive is refused before it takes memory, whatever it unpacks to."""

import gzip
import io
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from tests.cli.conftest import process_environment

MB = 1 << 20
MOST = 256 * MB
TALK = b'[{"uuid":"x","chat_messages":[{"uuid":"m","sender":"human","text":"hi"}],"name":"'
_MEASURE = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024, done.returncode)
print(done.stderr)
"""


def repeated(piece: bytes, size: int) -> Iterator[bytes]:
    chunk = piece * (MB // len(piece))
    for _ in range(size // MB):
        yield chunk


def a_string(size: int) -> Iterator[bytes]:
    yield TALK
    yield from repeated(b"a", size)
    yield b'"}]'


def a_string_that_hides(size: int, ratio: int) -> Iterator[bytes]:
    """Yield a string that packs as little as a conversation with much in it twice might."""
    yield TALK
    for _ in range(size // MB):
        noise = os.urandom(MB // ratio // 2).hex().encode()
        yield noise + b"a" * (MB - len(noise))
    yield b'"}]'


def a_wide_string(size: int) -> Iterator[bytes]:
    yield TALK + "\U0001f600".encode()
    yield from repeated(b"a", size)
    yield b'"}]'


def many_lists(size: int) -> Iterator[bytes]:
    yield TALK + b'","settings":['
    yield from repeated(b"[],", size)
    yield b"1]}]"


def one_line(size: int) -> Iterator[bytes]:
    yield b'{"format":"chatdb","version":1}\n'
    yield from repeated(b" ", size)


def as_zip(path: Path, pieces: Iterator[bytes], method: int = zipfile.ZIP_DEFLATED) -> None:
    with (
        zipfile.ZipFile(path, "w", method) as archive,
        archive.open("conversations.json", "w") as member,
    ):
        for piece in pieces:
            member.write(piece)


def as_gzip(path: Path, pieces: Iterator[bytes]) -> None:
    with gzip.open(path, "wb") as stream:
        for piece in pieces:
            stream.write(piece)


def as_zstandard(path: Path, pieces: Iterator[bytes]) -> None:
    with path.open("wb") as raw, zstandard.ZstdCompressor().stream_writer(raw) as stream:
        for piece in pieces:
            stream.write(piece)


def as_zip_in_zip(path: Path, pieces: Iterator[bytes]) -> None:
    inner = path.with_suffix(".inner")
    as_zip(inner, pieces, zipfile.ZIP_STORED)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(inner, "inner.zip")


Packer = Callable[[Path, Iterator[bytes]], None]


@pytest.mark.large
@pytest.mark.parametrize(
    ("pack", "pieces"),
    [
        (as_zip, a_string(90 * MB)),
        (as_gzip, a_string(90 * MB)),
        (as_zstandard, a_string(90 * MB)),
        (as_zip, a_string_that_hides(120 * MB, 100)),
        (as_gzip, a_string_that_hides(120 * MB, 100)),
        (as_zip, a_wide_string(50 * MB)),
        (as_zip_in_zip, a_wide_string(50 * MB)),
        (as_zip, many_lists(12 * MB)),
        (as_gzip, one_line(90 * MB)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_hostile_archive_is_refused_within_256_megabytes(
    pack: Packer, pieces: Iterator[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "export"
    pack(path, pieces)
    command = [sys.executable, "-m", "chatdb", "import", str(path)]

    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *command],
        env=process_environment({"DATABASE_URL": f"sqlite:///{tmp_path / 'chats.db'}"}),
        capture_output=True,
        text=True,
        check=True,
    )

    measured, told = done.stdout.split("\n", 1)
    peak, code = map(int, measured.split())
    assert code == 1, told
    assert "decompression bomb" in told
    assert peak < MOST


def test_a_list_of_members_that_fills_the_memory_is_not_read(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a", b"")
    entry_start = inner.getvalue().index(b"PK\x01\x02")
    entry_end = inner.getvalue().index(b"PK\x05\x06")
    entries = inner.getvalue()[entry_start:entry_end] * 300_000
    end = bytearray(inner.getvalue()[entry_end:])
    end[8:12] = (60_000).to_bytes(2, "little") * 2
    end[12:16] = len(entries).to_bytes(4, "little")
    path = tmp_path / "export.zip"
    path.write_bytes(inner.getvalue()[:entry_start] + entries + end)

    done = subprocess.run(
        [sys.executable, "-m", "chatdb", "import", str(path)],
        env=process_environment({"DATABASE_URL": f"sqlite:///{tmp_path / 'chats.db'}"}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "more members than any chat export" in done.stderr
