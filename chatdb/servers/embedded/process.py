"""The process of an embedded server: started detached from chatdb, found again, stopped reliably.

Its pid and start time are in `server.json`. If chatdb was killed before it wrote them, the server
is recognised by its own `postmaster.pid`, provided it works in this data directory.
"""

import fcntl
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from chatdb.errors import ChatdbError, ServerFailedError
from chatdb.primitives.atomic_write import atomic_write
from chatdb.servers.base import HOST, DevServer, Note
from chatdb.servers.embedded.cluster import CLEAN_ENVIRONMENT, failed
from chatdb.servers.embedded.home import Home
from chatdb.servers.embedded.log import lines_from, size_of
from chatdb.servers.ports import is_free, port_taken
from chatdb.servers.processes import Process, find_process, program_name, working_folder

LOCK = "server.lock"
_STOP_SECONDS = 60.0
_SAY_AFTER_SECONDS = 1.0
_LEFTOVERS_SECONDS = 5.0
_POLL_SECONDS = 0.02
_READY, _STOPPING = "ready", "stopping"
_PORT_LINE, _STATUS_LINE = 3, 7
"""Lines of postmaster.pid (src/include/utils/pidfile.h of PostgreSQL), from 0."""

_IN_USE = "already in use"
# The shell ends at once and leaves the server to the system; its log is opened in append mode.
_APART = 'log=$1; shift; umask 077; (exec "$@" >>"$log" 2>&1 </dev/null) & echo $!'


def launch(server: DevServer, home: Home, programs: Path, settings: Mapping[str, str]) -> Process:
    """Start the server detached from this process and record its pid.

    The server and all its processes hold a lock on a file beside the data, so that a server we
    cannot see, in another container, is not joined by a second one. Raises ServerFailedError and
    PortTakenError.
    """
    with only_user(home) as lock:
        _clear_stale_pid(home)
        return _launch(server, home, programs, settings, lock)


@contextmanager
def only_user(home: Home) -> Iterator[int]:
    """Hold the data's lock, which a running server holds; yield its descriptor.

    Waits for the remains of a killed server. Raises ServerFailedError if the lock is not released.
    """
    descriptor = os.open(home.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + _LEFTOVERS_SECONDS
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                raise ServerFailedError(
                    f"a server that cannot be seen from here uses {home.data}: perhaps in another "
                    "container",
                    hint="stop it there, then run again: chatdb dev-db up",
                )
            time.sleep(_POLL_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _launch(
    server: DevServer, home: Home, programs: Path, settings: Mapping[str, str], lock: int
) -> Process:
    home.log.touch(mode=0o600)
    home.account.own(home.log)
    position = size_of(home.log)
    all_settings = {
        "listen_addresses": HOST,
        "port": str(server.port),
        "unix_socket_directories": "",
        "cluster_name": "chatdb",
        "timezone": "UTC",
        # From 15 on each checkpoint is logged: an idle server would fill its log.
        "log_checkpoints": "off",
        "log_line_prefix": "%m [%p] %q%a ",
        **settings,
    }
    options = [word for name, value in all_settings.items() for word in ("-c", f"{name}={value}")]
    words = [*CLEAN_ENVIRONMENT, str(programs / "postgres"), "-D", str(home.data), *options]
    done = subprocess.run(
        ["/bin/sh", "-c", _APART, "sh", str(home.log), *words],
        cwd=home.data,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        start_new_session=True,
        pass_fds=[lock],
        **home.account.identity(),
    )
    process = find_process(int(done.stdout))
    if process is None:
        # It has ended already: a port that was taken since it was looked at is found at once.
        raise ended_at_start(server, list(lines_from(home.log, position)))
    _write_record(home, process, position)
    return process


def ended_at_start(server: DevServer, lines: Sequence[str]) -> ChatdbError:
    """Return the error of a server that stopped, by what it wrote: a port in use, or its words."""
    cannot_bind = any("could not bind" in line for line in lines)
    if cannot_bind and (_IN_USE in "\n".join(lines) or not is_free(server.port)):
        return port_taken(server.port)
    return failed("the server stopped at startup", lines)


def find(home: Home) -> Process | None:
    """Return the process that serves this data, if there is one."""
    record = _read_record(home)
    if record is not None and record[0].is_alive() and _is_postgres(record[0]):
        return record[0]
    lines = _pid_file(home)
    if not lines or not lines[0].strip().isdecimal():
        return None
    process = find_process(int(lines[0]))
    return process if process is not None and _serves(home, process) else None


def left_its_pid(home: Home) -> bool:
    """Tell whether the last server of this data was killed: it did not clean up."""
    return bool(_pid_file(home))


def is_ready(home: Home, process: Process) -> bool:
    """Tell whether the server reports that it accepts connections."""
    return _says(home, process, _READY)


def is_stopping(home: Home, process: Process) -> bool:
    """Tell whether the server reports that it is shutting down."""
    return _says(home, process, _STOPPING)


def _says(home: Home, process: Process, status: str) -> bool:
    lines = _pid_file(home)
    return (
        len(lines) > _STATUS_LINE
        and lines[0].strip() == str(process.pid)
        and lines[_STATUS_LINE].strip() == status
        and process.is_alive()
    )


def port(home: Home) -> int | None:
    """Return the port that the server reports."""
    lines = _pid_file(home)
    text = lines[_PORT_LINE].strip() if len(lines) > _PORT_LINE else ""
    return int(text) if text.isdecimal() else None


def stop(process: Process, *, note: Note) -> None:
    """End the server's sessions and the server; raises ServerFailedError if it does not end."""
    # SIGINT is PostgreSQL's fast stop; SIGTERM would wait for every client to leave.
    if not process.send(signal.SIGINT) or process.wait_for_end(_SAY_AFTER_SECONDS):
        return
    note(f"waiting for the server (pid {process.pid}) to write its buffers and stop")
    if not process.wait_for_end(_STOP_SECONDS):
        raise ServerFailedError(
            f"the server (pid {process.pid}) did not stop within {_STOP_SECONDS:g} s",
            hint="to see what it does: chatdb dev-db logs",
        )


def log_since_start(home: Home) -> list[str]:
    """Return what the server wrote since chatdb started it."""
    record = _read_record(home)
    return lines_from(home.log, record[1] if record is not None else 0)


def _serves(home: Home, process: Process) -> bool:
    return _is_postgres(process) and working_folder(process.pid) == home.data.resolve()


def _is_postgres(process: Process) -> bool:
    return (program_name(process.pid) or "").startswith("postgres")


def _clear_stale_pid(home: Home) -> None:
    """Remove the pid file of a killed server.

    PostgreSQL would not start while any process of its user has the old pid, which is likely in a
    container. If the process may be the server, PostgreSQL decides by itself.
    """
    lines = _pid_file(home)
    if not lines or not lines[0].strip().isdecimal():
        return
    process = find_process(int(lines[0]))
    if process is not None and _is_postgres(process):
        folder = working_folder(process.pid)
        if folder is None or folder == home.data.resolve():
            return
    (home.data / "postmaster.pid").unlink(missing_ok=True)


def _pid_file(home: Home) -> list[str]:
    try:
        return (home.data / "postmaster.pid").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return []


def _record_path(home: Home) -> Path:
    return home.folder / "server.json"


def _write_record(home: Home, process: Process, position: int) -> None:
    record = {
        "pid": process.pid,
        "start": process.start,
        "data": str(home.data.resolve()),
        "log_position": position,
    }
    with atomic_write(_record_path(home), mode=0o644) as stream:
        stream.write(f"{json.dumps(record)}\n".encode())


def _read_record(home: Home) -> tuple[Process, int] | None:
    with suppress(OSError, ValueError, KeyError, TypeError):
        record = json.loads(_record_path(home).read_text())
        if record["data"] != str(home.data.resolve()):
            return None  # The project was copied or moved: its server is found another way.
        return Process(int(record["pid"]), str(record["start"])), int(record["log_position"])
    return None
