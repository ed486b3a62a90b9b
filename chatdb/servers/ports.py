"""TCP ports of this machine: which are free, and who listens on the others."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from chatdb.errors import EngineUnavailableError, PortTakenError
from chatdb.servers.base import HOST
from chatdb.servers.processes import program_name, working_folder

_LISTENING = "0A"
_TRIED_IN_A_ROW = 100
_LAST_PORT = 65_535
_POLL_SECONDS = 0.02


def is_free(port: int) -> bool:
    """Tell whether a server could listen on it; raises EngineUnavailableError below 1024."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except PermissionError as error:
            raise EngineUnavailableError(
                f"port {port} is reserved for system services",
                reason="no_permission",
                hint="use one above 1023: --port 5433",
            ) from error
        except OSError:
            return False
    return True


def first_free(start: int) -> int:
    """Return the first free port from `start` on, or any if the next hundred are in use."""
    for port in range(start, min(start + _TRIED_IN_A_ROW, _LAST_PORT + 1)):
        if is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def require_free(port: int, *, seconds: float = 0.0) -> None:
    """Raise PortTakenError, naming the program, unless the port is free within `seconds`."""
    deadline = time.monotonic() + seconds
    while not is_free(port):
        if time.monotonic() >= deadline:
            raise port_taken(port)
        time.sleep(_POLL_SECONDS)


def port_taken(port: int) -> PortTakenError:
    """Return the error for a port in use; it names the program and pid if known."""
    owner = listener(port) or "another program"
    return PortTakenError(
        f"port {port} of this machine is in use by {owner}",
        hint="use another one: --port auto picks a free one, --port 5433 sets one",
    )


def listener(port: int) -> str | None:
    """Name the program that listens on the port: `postgres (pid 812)`, or its user."""
    pid = _holder(port)
    if pid is not None:
        return _described(pid)
    owner = next(_owners(port), None)
    return None if owner is None else f"a program of the user {_user_name(owner)}"


def _holder(port: int) -> int | None:
    """Return the process that listens; only root may ask macOS about those of all users at once."""
    import psutil

    def is_meant(socket: Any) -> bool:
        return bool(socket.status == psutil.CONN_LISTEN and socket.laddr.port == port)

    try:
        return next((each.pid for each in psutil.net_connections("tcp") if is_meant(each)), None)
    except psutil.AccessDenied:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if any(map(is_meant, process.net_connections("tcp"))):
                    return int(process.pid)
    return None


def _owners(port: int) -> Iterator[int]:
    """Yield the user of each listening socket, which psutil lacks; none without /proc."""
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path("/proc/net", table).read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    yield int(fields[7])


def _described(pid: int) -> str:
    """Name a process; for PostgreSQL also the folder of its data."""
    name = program_name(pid) or "a program"
    folder = working_folder(pid) if name.startswith("postgres") else None
    return f"{name} (pid {pid})" + (f" in {folder}" if folder is not None else "")


def _user_name(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def parse_port(text: str) -> int | None:
    """Read a port; None for `auto`. Raises ValueError."""
    if text.strip().lower() == "auto":
        return None
    port = int(text)
    if not 0 < port <= _LAST_PORT:
        raise ValueError(f"invalid port {port}")
    return port
