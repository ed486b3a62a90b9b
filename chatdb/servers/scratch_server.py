"""A temporary private PostgreSQL server: started for one task, removed when that is done.

Its folder is accessible to the user only and locked while in use. If chatdb is killed, a shell
waiting for its end stops the server and removes the folder; if that fails too (a power cut), the
next chatdb removes folders that no process has locked.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, PortTakenError, StorageError
from chatdb.primitives.folder_lock import lock_folder
from chatdb.primitives.roomy_folder import roomy_folder
from chatdb.servers.base import HOST, DevServer, Note
from chatdb.servers.embedded.engine import EmbeddedEngine
from chatdb.servers.embedded.home import find_home
from chatdb.servers.ports import first_free
from chatdb.servers.postgres_tools import Program

_PREFIX = "chatdb-scratch-"
_FIRST_PORT = 25_433
"""Below the range that the system uses for outgoing connections."""

_PORT_TRIES = 20
_START_SECONDS = 60.0
_ADDRESS = (("hostaddr", HOST), ("sslmode", "disable"), ("gssencmode", "disable"))
_SETTINGS = {
    # Nothing in it is kept, so no write is ever waited for.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "autovacuum": "off",
    "work_mem": "64MB",
    "jit": "off",
}
_WILL = """
read -r _
data=$1; shift
pid=$(head -n 1 "$data/postmaster.pid")
if [ -n "$pid" ] && { [ ! -e /proc/self ] || [ "$(readlink "/proc/$pid/cwd")" = "$data" ]; }; then
    kill -INT "$pid"
    tries=600
    while kill -0 "$pid" && [ $((tries -= 1)) -gt 0 ]; do sleep 0.1; done
fi
rm -rf -- "$@"
"""


@contextmanager
def scratch_server(program: Program, note: Note) -> Iterator[DatabaseUrl]:
    """Start a server with the programs beside this `postgres`; yield its superuser's URL.

    It is always stopped and removed at the end; those of killed runs are removed first. Raises
    StorageError, EngineUnavailableError and ServerFailedError.
    """
    parent = roomy_folder()
    sweep(parent, note)
    engine = EmbeddedEngine(bindir=program.path.parent, settings=_SETTINGS)
    with _own_folder(parent) as folder:
        server = _server(folder)
        with _last_will(server):
            try:
                yield _started(engine, server, note).url
            finally:
                engine.remove(server, data=True, note=note)


def sweep(parent: Path, note: Note) -> None:
    """Stop and remove the servers of killed runs below a folder, but not those in use."""
    for folder in sorted(parent.glob(f"{_PREFIX}*")):
        with suppress(OSError):
            # The folder above belongs to everybody: a link of this name could lead anywhere.
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            lock = lock_folder(folder)
            if lock is None:
                continue
            try:
                if any(folder.iterdir()):
                    note(f"removing {folder}, left by an interrupted chatdb")
                    _remove(folder, note)
            finally:
                os.close(lock)


@contextmanager
def _own_folder(parent: Path) -> Iterator[Path]:
    try:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    except OSError as error:
        raise StorageError(
            f"no database can be created in {parent}: {error.strerror or error}",
            hint="set TMPDIR to a folder with enough space",
        ) from error
    lock = lock_folder(folder)
    try:
        # A file in it: an empty folder is taken for one that is just being made, and is not swept.
        (folder / "in-use").touch(0o600)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


@contextmanager
def _last_will(server: DevServer) -> Iterator[None]:
    """Have a shell remove the server's remains when the block, or this process, has ended."""
    home = find_home(server)
    # The file that the next chatdb looks for is removed last.
    folders = [*([home.folder.parent] if home.is_away else []), server.folder]
    shell = subprocess.Popen(
        ["/bin/sh", "-c", _WILL, "sh", home.data.resolve(), *folders],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        # Closes its input, which ends its `read`: it removes what is left.
        shell.communicate()


def _remove(folder: Path, note: Note) -> None:
    try:
        EmbeddedEngine().remove(_server(folder), data=True, note=note)
    except ChatdbError as error:
        note(f"{folder} cannot be removed: {error.text}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


class _ScratchServer(DevServer):
    """A server whose address ignores the user's PG* variables (PGSSLMODE, PGHOSTADDR)."""

    @property
    def url(self) -> DatabaseUrl:
        return replace(super().url, parameters=_ADDRESS)


def _server(folder: Path) -> DevServer:
    """Return the server of a folder; to remove it, only its name and folder matter."""
    return _ScratchServer(
        project=folder.name,
        folder=folder,
        port=_FIRST_PORT,
        user="chatdb",
        # Every user of this machine can reach the port.
        password=secrets.token_urlsafe(24),
        database="postgres",
        image="",
    )


def _started(engine: EmbeddedEngine, server: DevServer, note: Note) -> DevServer:
    """Start it on the next free port; another process may have taken one in the meantime."""
    for left in reversed(range(_PORT_TRIES)):
        server = replace(server, port=first_free(server.port))
        try:
            engine.start(server, seconds=_START_SECONDS, note=note)
        except PortTakenError:
            if not left:
                raise
            server = replace(server, port=server.port + 1)
        else:
            break
    return server
