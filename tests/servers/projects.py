"""Projects with an embedded server of their own, in folders that every user may enter."""

import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from chatdb.db.connect import connect_postgresql
from chatdb.errors import ChatdbError
from chatdb.servers.base import DevServer
from chatdb.servers.embedded.engine import EmbeddedEngine
from chatdb.servers.embedded.home import find_home
from tests.postgres_server import PASSWORD

_ROOM = 2_000_000_000


@contextmanager
def open_folder(name: str = "project") -> Iterator[Path]:
    """Yield a folder that every user may enter, unlike pytest's own.

    It is in memory where there is room: 40 MB a server are seconds on a disk with other work.
    """
    memory = Path("/dev/shm")  # noqa: S108 - a folder of a new name in it
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > _ROOM
    with tempfile.TemporaryDirectory(prefix="chatdb-dev-", dir=memory if roomy else None) as above:
        Path(above).chmod(0o755)
        folder = Path(above) / name
        folder.mkdir(parents=True)
        yield folder


def server_at(folder: Path, port: int = 0, *, password: str = PASSWORD) -> DevServer:
    """Return the server of a project, on a free port unless one is given."""
    return DevServer(
        project=f"chatdb-test-{folder.parent.name}",
        folder=folder / ".chatdb",
        port=port or free_port(),
        user="ada",
        password=password,
        database="chat",
        image="not used",
    )


def start(server: DevServer, engine: EmbeddedEngine | None = None) -> list[str]:
    """Start a server; return what was said meanwhile."""
    said: list[str] = []
    (engine or EmbeddedEngine()).start(server, seconds=60, note=said.append)
    return said


@contextmanager
def removed_at_the_end(server: DevServer) -> Iterator[DevServer]:
    """Yield the server; whatever runs and lies there is gone afterwards."""
    try:
        yield server
    finally:
        with suppress(ChatdbError):
            EmbeddedEngine().stop(server, note=lambda _: None)
        home = find_home(server)
        shutil.rmtree(home.folder.parent if home.is_away else home.folder, ignore_errors=True)


def query(server: DevServer, *statements: str) -> Any:
    """Run statements, one transaction each; return the rows of the last."""
    with closing(connect_postgresql(server.url, autocommit=True)) as connection:
        for statement in statements:
            cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else None


def pid_of(server: DevServer) -> int:
    """Return the pid of the server's process."""
    process = EmbeddedEngine().look(server).process
    assert process is not None
    return int(process)


def is_alive(pid: int) -> bool:
    """Tell whether a process is there and no mere entry in a table."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state not in "ZX"


def copy_of(source: Path, target: Path) -> None:
    """Copy a folder with owners and rights."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", source, target], check=True)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def listening() -> Iterator[int]:
    """Yield a port that this process listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])
