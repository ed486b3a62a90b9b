"""A process is its pid and its start: never the one that has got the pid since."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chatdb.errors import PortTakenError
from chatdb.servers import ports, processes
from chatdb.servers.processes import Process, find_process
from tests.servers.projects import listening


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that waits to be ended."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        yield process
        process.kill()


def test_a_process_is_found_stopped_and_gone(sleeper: "subprocess.Popen[bytes]") -> None:
    found = find_process(sleeper.pid)

    assert found is not None
    assert found.is_alive()
    assert found.send(signal.SIGTERM)
    assert found.wait_for_end(10)
    assert sleeper.wait() == -signal.SIGTERM
    assert not found.send(signal.SIGTERM)
    assert find_process(sleeper.pid) is None


def test_the_same_pid_with_another_start_is_another_process(
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    other = Process(sleeper.pid, "some other time")

    assert not other.is_alive()
    assert not other.send(signal.SIGKILL)
    assert sleeper.poll() is None


def test_a_process_that_only_waits_to_be_reaped_has_ended() -> None:
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

        assert find_process(process.pid) is None


def test_start_program_and_folder_are_known(sleeper: "subprocess.Popen[bytes]") -> None:
    started = processes.started_at(sleeper.pid)

    assert started is not None
    assert abs(datetime.now(UTC) - started) < timedelta(seconds=10)
    assert (processes.program_name(sleeper.pid) or "").startswith("python")
    assert processes.working_folder(sleeper.pid) == Path.cwd()


@pytest.mark.parametrize("pid", [0, -1, 99_999_999])
def test_no_process_is_none(pid: int) -> None:
    assert find_process(pid) is None
    assert processes.started_at(99_999_999) is None


def test_the_start_of_a_process_is_written_as_every_chatdb_wrote_it(
    sleeper: "subprocess.Popen[bytes]",
) -> None:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    ticks = Path(f"/proc/{sleeper.pid}/stat").read_text().rpartition(") ")[2].split()[19]

    assert find_process(sleeper.pid) == Process(sleeper.pid, f"{boot} {ticks}")


def test_a_process_of_another_user_is_never_taken_for_ended() -> None:
    found = find_process(1)

    assert found is not None
    assert found.is_alive()
    assert found.start.split()


def test_a_port_is_free_or_names_who_has_it() -> None:
    with listening() as port:
        assert not ports.is_free(port)
        assert ports.listener(port) is not None
        assert f"(pid {os.getpid()})" in str(ports.listener(port))
        assert ports.first_free(port) > port
        with pytest.raises(PortTakenError, match=f"port {port} of this machine is in use by"):
            ports.require_free(port)
    assert ports.is_free(port)
    assert ports.listener(port) is None


@pytest.mark.parametrize(("text", "port"), [("auto", None), (" AUTO ", None), ("5432", 5432)])
def test_ports_are_read(text: str, port: int | None) -> None:
    assert ports.parse_port(text) == port


@pytest.mark.parametrize("text", ["0", "65536", "-1", "", "5432x"])
def test_what_is_no_port_is_an_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - int() words it
        ports.parse_port(text)
