"""Other processes: which one a pid means, when it started, and stopping exactly that one.

A pid alone is not enough: after a while another process gets it. Together with the start time it is
unique.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chatdb.primitives.boot import boot_id

if TYPE_CHECKING:
    import psutil

_POLL_SECONDS = 0.01
_SECONDS_TO_END = 5.0
_TICKS = 100
"""The kernel's clock ticks a second, which a start is counted in on every Linux (USER_HZ)."""


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its pid and a text for its start that no other process with the pid has."""

    pid: int
    start: str

    def is_alive(self) -> bool:
        """Tell whether this process still exists."""
        return find_process(self.pid) == self

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to this process, never to a later one with the same pid.

        False if it has ended. Raises PermissionError.
        """
        import psutil

        found = _running(self.pid)
        if found is None or _start(found) != self.start:
            return False
        try:
            found.send_signal(number)
        except psutil.NoSuchProcess:
            return False
        except psutil.AccessDenied as error:
            raise PermissionError(str(error)) from error
        return True

    def wait_for_end(self, seconds: float) -> bool:
        """Return whether it ended within `seconds` seconds."""
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True


def end_session(process: "subprocess.Popen[Any]") -> None:
    """Kill a program that leads its own session, with what it started, if it still runs."""
    if process.poll() is None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                # The group: pg_dump and pg_restore with jobs have children.
                os.killpg(process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS_TO_END)
                break


def find_process(pid: int) -> Process | None:
    """Return the process with this pid; None if there is none or it has ended."""
    found = _running(pid)
    return None if found is None else Process(pid, _start(found))


def started_at(pid: int) -> datetime | None:
    """Return when a process started, accurate to about a second."""
    found = _running(pid)
    return None if found is None else datetime.fromtimestamp(found.create_time(), UTC)


def program_name(pid: int) -> str | None:
    """Return the name of a process's program."""
    import psutil

    with suppress(psutil.Error):
        return psutil.Process(pid).name()
    return None


def working_folder(pid: int) -> Path | None:
    """Return the working directory of a process, if we may know it."""
    import psutil

    with suppress(psutil.Error):
        return Path(psutil.Process(pid).cwd())
    return None


def _running(pid: int) -> "psutil.Process | None":
    """Return a process that has not ended, its start read: one that only waits to be reaped has."""
    import psutil

    if pid <= 0:
        return None
    # AccessDenied: /proc may hide the processes of others (hidepid).
    with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        found = psutil.Process(pid)
        found.create_time()
        return None if found.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD) else found
    return None


def _start(process: "psutil.Process") -> str:
    import psutil

    if not psutil.LINUX:
        return str(process.create_time())
    # Counted from the boot, so that setting the clock does not change it.
    return f"{boot_id()} {round((process.create_time() - psutil.boot_time()) * _TICKS)}"
