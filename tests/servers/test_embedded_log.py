"""The log of an embedded server: read from its end, followed, and kept from growing for ever."""

import threading
from pathlib import Path

import pytest

from chatdb.servers.embedded.log import LARGEST_BYTES, bound, follow_log, last_lines, lines_from


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A log of three lines."""
    path = tmp_path / "server.log"
    path.write_bytes(b"one\ntwo\nthr\xffee\n")
    return path


def test_the_last_lines_are_read_whatever_is_in_them(log: Path, tmp_path: Path) -> None:
    assert last_lines(log, 2) == ["two", "thr\ufffdee"]
    assert last_lines(log, 10) == ["one", "two", "thr\ufffdee"]
    assert lines_from(log, 4) == ["two", "thr\ufffdee"]
    assert last_lines(tmp_path / "none", 2) == []


def test_the_end_of_a_large_log_is_read_without_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)  # a terabyte of nothing
        stream.seek(1 << 40)
        stream.write(b"\nlast\n")

    assert last_lines(path, 1) == ["last"]


def test_a_large_log_is_moved_aside_and_the_server_goes_on_writing(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    with path.open("ab") as server:
        server.write(b"old\n" * LARGEST_BYTES)
        server.flush()

        bound(path)
        server.write(b"new\n")
        server.flush()

    assert path.read_bytes() == b"new\n"
    kept = path.with_name("server.log.1")
    assert kept.stat().st_size == LARGEST_BYTES
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_small_log_stays(log: Path) -> None:
    bound(log)

    assert last_lines(log, 1) == ["thr\ufffdee"]
    assert not log.with_name("server.log.1").exists()


def test_following_yields_what_comes_even_after_the_log_was_cut(log: Path) -> None:
    following = follow_log(log)

    def write(data: bytes) -> None:
        with log.open("ab") as stream:
            stream.write(data)

    # A generator begins when it is asked, and what is to come must come after that.
    later = threading.Timer(0.1, write, [b"four\nfi"])
    later.start()
    lines = [next(following)]
    later.join()
    write(b"ve\n")
    lines.append(next(following))
    log.write_bytes(b"anew\n")

    assert [*lines, next(following)] == ["four", "five", "anew"]
