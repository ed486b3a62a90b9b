"""A throw-away server: private while it is there, and gone afterwards, whatever ended the work."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.servers.postgres_tools import find_servers
from chatdb.servers.processes import working_folder
from chatdb.servers.scratch_server import scratch_server, sweep
from tests.cli.conftest import process_environment
from tests.postgres_server import wait_until
from tests.servers.projects import open_folder

WORK = """
import sys, time
from chatdb.servers.postgres_tools import find_servers
from chatdb.servers.scratch_server import scratch_server
with scratch_server(find_servers()[0], lambda _: None):
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder in which servers are made."""
    with open_folder() as folder:
        monkeypatch.setenv("TMPDIR", str(folder))
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield folder


def servers_below(folder: Path) -> list[int]:
    """Return the processes that work in a folder below this one."""
    pids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    places = [(pid, working_folder(pid)) for pid in pids]
    return [pid for pid, place in places if place is not None and place.is_relative_to(folder)]


def shells_about(folder: Path) -> list[int]:
    """Return the shells that wait to remove a folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_bytes().startswith(b"/bin/sh\0-c\0\nread") and bytes(folder) in (
                path.read_bytes()
            ):
                found.append(int(path.parent.name))
    return found


def working() -> "subprocess.Popen[str]":
    """Start a process that has a server for a minute."""
    return subprocess.Popen(
        [sys.executable, "-c", WORK],
        env=process_environment(),
        stdout=subprocess.PIPE,
        text=True,
    )


def in_initdb(parent: Path, _: "subprocess.Popen[str]") -> None:
    """Wait until initdb is at work."""
    wait_until(lambda: any(parent.glob("*/postgresql/data.partial-*/base/1")))


def at_work(_: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until the server is used."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def test_a_server_is_private_not_swept_while_in_use_and_gone_afterwards(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "require")
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")

    with scratch_server(find_servers()[0], lambda _: None) as url:
        sweep(parent, lambda _: None)

        (folder,) = parent.iterdir()
        assert (folder / "postgresql/data").stat().st_mode & 0o077 == 0
        assert servers_below(folder) != []
        with connect_postgresql(url) as connection:
            listens = connection.execute("SHOW listen_addresses").fetchone()
            sockets = connection.execute("SHOW unix_socket_directories").fetchone()
        assert (listens, sockets) == (("127.0.0.1",), ("",))
        assert len(url.password) > 30

    assert list(parent.iterdir()) == []
    assert servers_below(folder) == []
    assert shells_about(folder) == []


@pytest.mark.parametrize("moment", [in_initdb, at_work])
def test_a_killed_run_leaves_nothing(
    parent: Path, moment: Callable[[Path, "subprocess.Popen[str]"], None]
) -> None:
    with working() as process:
        moment(parent, process)
        process.send_signal(signal.SIGKILL)

    wait_until(lambda: list(parent.iterdir()) == [] and servers_below(parent) == [])


@pytest.mark.parametrize("moment", [in_initdb, at_work])
def test_what_is_left_all_the_same_is_stopped_and_removed_by_the_next(
    parent: Path, moment: Callable[[Path, "subprocess.Popen[str]"], None]
) -> None:
    with working() as process:
        moment(parent, process)
        (folder,) = parent.iterdir()
        for pid in shells_about(folder):
            os.kill(pid, signal.SIGKILL)
        process.send_signal(signal.SIGKILL)
    said: list[str] = []

    def is_gone() -> bool:
        sweep(parent, said.append)
        return list(parent.iterdir()) == [] and servers_below(parent) == []

    wait_until(is_gone)
    assert f"removing {folder}, left by an interrupted chatdb" in said
