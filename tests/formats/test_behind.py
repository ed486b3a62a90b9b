"""Writing in a thread: the same bytes, and every failure told."""

from pathlib import Path
from typing import BinaryIO, cast

import pytest

from chatdb.formats.files import behind
from chatdb.formats.files.behind import WriteBehind


def fill(stream: WriteBehind, pieces: int) -> None:
    for _ in range(pieces):
        stream.write(b"x" * behind.PIECE)


@pytest.fixture
def target(tmp_path: Path) -> BinaryIO:
    return (tmp_path / "file").open("w+b")


def test_what_is_written_arrives_in_order(target: BinaryIO) -> None:
    pieces = [bytes([number % 251]) * (behind.PIECE // 3) for number in range(300)]

    with WriteBehind(target, target.fileno()) as stream:
        for piece in pieces:
            assert stream.write(piece) == len(piece)

    target.seek(0)
    assert target.read() == b"".join(pieces)
    target.close()


def test_a_small_file_needs_no_thread(target: BinaryIO) -> None:
    with WriteBehind(target, target.fileno()) as stream:
        stream.write(b"one ")
        stream.write(b"two")

    target.seek(0)
    assert target.read() == b"one two"
    target.close()


@pytest.mark.parametrize("pieces", [1, 2, 100])
def test_a_full_disk_is_told_to_the_one_who_writes(pieces: int) -> None:
    def write_all() -> None:
        with Path("/dev/full").open("wb", buffering=0) as disk:
            stream = WriteBehind(cast(BinaryIO, disk), disk.fileno())
            with stream:
                fill(stream, pieces)

    with pytest.raises(OSError, match="No space left"):
        write_all()


def test_an_error_of_the_writer_is_not_hidden_and_what_waits_is_dropped(target: BinaryIO) -> None:
    def write_all() -> None:
        with WriteBehind(target, target.fileno()) as stream:
            fill(stream, 3)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_all()
    target.close()
