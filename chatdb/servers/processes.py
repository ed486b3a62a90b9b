"""Other processes: which one a pid means, when it started, and stopping exactly that one.

A pid alone is not enough: after a while another process gets it. Together with the start time it is
unique. On Linux both are read from /proc, elsewhere from `ps` and `lsof`.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_PROC = Path("/proc")
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its pid and a text for its start that no other process with the pid has."""

    pid: int
    start: str

    def is_alive(self) -> bool:
        """Tell whether this process still exists."""
        found = find_process(self.pid)
        return found is not None and found.start == self.start

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to this process, never to a later one with the same pid.

        False if it has ended. Raises PermissionError.
        """
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        except (AttributeError, OSError):  # Not Linux, or an old one.
            if not self.is_alive():
                return False
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)
            return True
        try:
            if not self.is_alive():
                return False
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)
        finally:
            os.close(handle)
        return True

    def wait_for_end(self, seconds: float) -> bool:
        """Return whether it ended within `seconds` seconds."""
        deadline = time.monotonic() + seconds
        while self.is_alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True


def find_process(pid: int) -> Process | None:
    """Return the process with this pid; None if there is none or it has ended."""
    if pid <= 0:
        return None
    if not _has_proc():
        stamp = _output("ps", "-o", "state=,lstart=", "-p", str(pid))
        state, _, start = stamp.partition(" ")
        return None if not start or state.startswith("Z") else Process(pid, " ".join(start.split()))
    fields = _stat(pid)
    if fields is None or fields[0] in ("Z", "X"):
        return None
    return Process(pid, f"{_boot_id()} {fields[19]}")


def started_at(pid: int) -> datetime | None:
    """Return when a process started, accurate to about a second."""
    if not _has_proc():
        lasts = _output("ps", "-o", "etime=", "-p", str(pid))
        return None if not lasts else datetime.now(UTC) - _elapsed(lasts)
    fields = _stat(pid)
    if fields is None:
        return None
    uptime = float((_PROC / "uptime").read_text().split()[0])
    age = uptime - int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return datetime.now(UTC) - timedelta(seconds=age)


def program_name(pid: int) -> str | None:
    """Return the name of a process's program."""
    if not _has_proc():
        return Path(_output("ps", "-o", "comm=", "-p", str(pid))).name or None
    try:
        return (_PROC / str(pid) / "comm").read_text(errors="replace").strip()
    except OSError:
        return None


def working_folder(pid: int) -> Path | None:
    """Return the working directory of a process, if we may know it."""
    if _has_proc():
        try:
            return (_PROC / str(pid) / "cwd").readlink()
        except OSError:
            return None
    lines = _output("lsof", "-a", "-p", str(pid), "-d", "cwd", "-Fn").splitlines()
    return next((Path(line[1:]) for line in lines if line.startswith("n")), None)


def _has_proc() -> bool:
    return (_PROC / "self" / "stat").exists()


def _boot_id() -> str:
    # Start times count from the boot, so that setting the clock does not change them.
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "boot"


def _stat(pid: int) -> list[str] | None:
    """Return the fields of /proc/PID/stat from the state on; the name may contain anything."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except OSError:
        return None
    return text[text.rindex(")") + 2 :].split()


def _elapsed(text: str) -> timedelta:
    """Read ps's [[days-]hours:]minutes:seconds."""
    days, _, clock = text.strip().rpartition("-")
    seconds = 0
    for part in clock.split(":"):
        seconds = seconds * 60 + int(part)
    return timedelta(days=int(days or 0), seconds=seconds)


def _output(*words: str) -> str:
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, errors="replace", timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()
