"""A file is written whole or not at all, whatever happens and whenever."""

import signal
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from chatdb.atomic_write import atomic_write
from chatdb.db.url import parse_url
from chatdb.errors import StorageError
from chatdb.workflows.env_file import put_database_url


@pytest.fixture
def alarm() -> Iterator[None]:
    """SIGALRM interrupts as Ctrl-C does."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.usefixtures("alarm")
def test_an_interrupt_at_any_moment_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "a"

    for attempt in range(600):
        with suppress(KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, (attempt % 60 + 1) * 2e-6)
            with atomic_write(path) as stream:
                while True:
                    stream.write(b"data")

        assert list(tmp_path.glob("a*")) == []


def test_the_mode_is_that_asked_for(tmp_path: Path) -> None:
    for mode in (0o600, 0o644):
        with atomic_write(tmp_path / "a", mode=mode) as stream:
            stream.write(b"data")

        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == mode


def test_two_at_once_do_not_write_one_env_file(tmp_path: Path) -> None:
    path = tmp_path / ".env"

    with atomic_write(path) as stream:
        stream.write(b"A=1\n")
        with pytest.raises(StorageError, match="another process"):
            put_database_url(path, parse_url("sqlite:///other.db"))

    assert path.read_bytes() == b"A=1\n"
