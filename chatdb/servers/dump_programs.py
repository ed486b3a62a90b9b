"""pg_dump, pg_restore and psql for one server: chooses a fitting version and runs it.

The oldest version that is at least as new as the server is chosen; if there is none, the one inside
the container that publishes the server's port. Passwords go through the environment.
"""

import fcntl
import os
import re
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import IO, Literal

from chatdb.db import lock_waits
from chatdb.db.postgresql import program_waits
from chatdb.db.postgresql.conninfo import conninfo, named, secrets
from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
    ChatdbError,
    EngineUnavailableError,
    ProgramMissingError,
    UsageError,
)
from chatdb.servers import postgres_tools
from chatdb.servers.dump_failures import failure_of

ProgramName = Literal["pg_dump", "pg_restore", "psql"]
OnLine = Callable[[str], object]

_LOCAL_HOSTS = ("", "localhost", "127.0.0.1", "::1")
_DEFAULT_PORT = "5432"
_SECONDS_TO_END = 5.0
# A restore with --verbose prints a line for each object; the end of them holds the error.
_KEPT_LINES = 200
_PIPE_BYTES = 1 << 20
_LONGEST_PAUSE_SECONDS = 30.0
_NUMBERS = count(1)
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(?:\.(\d+))?")
_INSTALL = (
    "to install it: apt install postgresql-client-{major} (from apt.postgresql.org), dnf "
    "install postgresql{major}, brew install libpq; or set CHATDB_PG_BINDIR to its folder"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A program to run for one server; `container` holds it if this machine lacks a fitting one.

    `words` run it; `version` is (major, minor).
    """

    name: ProgramName
    version: tuple[int, int]
    words: tuple[str, ...]
    container: str | None = None

    @property
    def version_text(self) -> str:
        """The version as text."""
        return f"{self.version[0]}.{self.version[1]}"

    def describe(self) -> str:
        """Return the program in words: `pg_dump 18.6 in the container relay_db_1`."""
        where = f" in the container {self.container}" if self.container else ""
        return f"{self.name} {self.version_text}{where}"

    def require_here(self, what: str, *, hint: str = "") -> None:
        """Raise UsageError if it would have to read our files from inside a container."""
        if self.container is not None:
            raise UsageError(
                f"{what} needs {self.name} on this machine; only {self.describe()} was found",
                hint=f"{hint}install the package postgresql-client",
            )


@dataclass(frozen=True, slots=True)
class DumpPrograms:
    """Finds and runs the programs; `environment` is passed to them, `bindir` is searched first.

    `server` is the one whose container is searched if no other is given.
    """

    environment: Mapping[str, str]
    bindir: Path | None = None
    server: DatabaseUrl | None = None

    def find(
        self, name: ProgramName, server_major: int, *, url: DatabaseUrl | None = None
    ) -> Client:
        """Return the program to use for a server or archive of this major version.

        The container that publishes the port of the server's `url` is searched last. Raises
        ProgramMissingError that names what was found and what is needed.
        """
        found = postgres_tools.smallest_for(name, server_major, bindir=self.bindir)
        if found is not None:
            return Client(name=name, version=found.version, words=(str(found.path),))
        contained = self._in_container(name, server_major, url or self.server)
        if contained is not None:
            return contained
        newest = postgres_tools.newest(name, bindir=self.bindir)
        if newest is None:
            text = f"{name} is not installed"
        else:
            text = f"{newest.describe()} is older than PostgreSQL {server_major} and cannot be used"
        raise ProgramMissingError(text, hint=_INSTALL.format(major=server_major))

    def newest(self, name: ProgramName) -> Client:
        """Return the newest program, for an archive of unknown version.

        Raises ProgramMissingError.
        """
        found = postgres_tools.newest(name, bindir=self.bindir)
        if found is not None:
            return Client(name=name, version=found.version, words=(str(found.path),))
        contained = self._in_container(name, 0, self.server)
        if contained is None:
            raise ProgramMissingError(f"{name} is not installed", hint=_INSTALL.format(major=""))
        return contained

    @contextmanager
    def running(
        self,
        client: Client,
        words: Sequence[str],
        *,
        url: DatabaseUrl | None = None,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.PIPE,
        handed_on: tuple[int, ...] = (),
        options: Sequence[str] = (),
        on_line: OnLine | None = None,
    ) -> Iterator["Running"]:
        """Start the program, with the address of `url`; kill it if the block ends early.

        `options` are settings of its session (`-c maintenance_work_mem=1GB`), `on_line` receives
        each line of its stderr, in a thread. The caller reads what it needs of `stdout` and calls
        `finish`. Ctrl-C reaches chatdb, not the program, which is ended with it.
        """
        # Its sessions are recognised by this name, even behind a container's network.
        name = f"chatdb {client.name} {next(_NUMBERS)} of {os.getpid()}"
        additions = {} if url is None else secrets(url)
        before = self.environment.get("PGOPTIONS", "")
        address = (
            []
            if url is None
            else [f"--dbname={_address(client, named(url, name), options, before)}"]
        )
        process = subprocess.Popen(
            [*client.words, *words, *address],
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            # LC_ALL=C: the messages are recognised by their English words.
            env={**self.environment, "LC_ALL": "C", **additions},
            start_new_session=True,
            pass_fds=handed_on,
        )
        running = Running(client, process, url, on_line)
        if url is not None:
            running.tell_of_locks(url, name)
        try:
            yield running
        finally:
            running.end()

    def can_compress(self, client: Client, method: str) -> bool:
        """Tell whether this pg_dump was built with a compression method (zstd, lz4)."""
        # --compress=METHOD exists from 16 on; before, the word is an error.
        if client.version[0] < 16:
            return False
        return _can_compress(client.words, method)

    def _in_container(
        self, name: ProgramName, server_major: int, url: DatabaseUrl | None
    ) -> Client | None:
        from chatdb.servers.compose.objects import Objects
        from chatdb.servers.compose.programs import Runner, find_programs

        if url is None or url.path is not None or url.host not in _LOCAL_HOSTS:
            return None
        port = url.port or _DEFAULT_PORT
        if not port.isdigit():
            return None
        with suppress(EngineUnavailableError):
            objects = Objects(runner := Runner(self.environment), find_programs(runner))
            container = objects.who_publishes(int(port))
            if container is None:
                return None
            told = _VERSION.search(objects.call("exec", container, name, "--version").out)
            if told is not None and int(told[1]) >= server_major:
                # The name alone: the value goes through the environment,
                # not the arguments that `ps` shows.
                words = (objects.program, "exec", "--interactive", "--env", "PGPASSWORD")
                return Client(
                    name=name,
                    version=(int(told[1]), int(told[2] or 0)),
                    words=(*words, container, name),
                    container=container,
                )
        return None


class Running:
    """A running program; its stderr is read continuously, its end kept."""

    def __init__(
        self,
        client: Client,
        process: "subprocess.Popen[bytes]",
        url: DatabaseUrl | None,
        on_line: OnLine | None,
    ) -> None:
        self._client = client
        self._process = process
        self._url = url
        self._on_line = on_line
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)
        self._listener = Thread(target=self._listen, daemon=True)
        self._listener.start()
        self._ended = Event()

    def tell_of_locks(self, url: DatabaseUrl, name: str) -> None:
        """Return which sessions its own wait for, found by this application name."""
        Thread(target=self._look_for_locks, args=(url, name), daemon=True).start()

    @property
    def stdout(self) -> IO[bytes]:
        """Its output, if that is a pipe."""
        if self._process.stdout is None:
            raise TypeError("the program's output is not a pipe")
        return self._process.stdout

    @property
    def stdin(self) -> IO[bytes]:
        """Its input, if that is a pipe."""
        if self._process.stdin is None:
            raise TypeError("the program's input is not a pipe")
        return self._process.stdin

    @property
    def said(self) -> list[str]:
        """The last lines of its stderr."""
        return list(self._said)

    @property
    def has_failed(self) -> bool:
        """Whether it has ended with an error."""
        return self._process.poll() not in (None, 0)

    def finish(self) -> list[str]:
        """Wait for its end and return its warnings; raises the error its output means."""
        if self.wait() != 0:
            raise self.failure(self.said)
        return self.said

    def wait(self) -> int:
        """Wait for its end, and for its last lines; return its exit code."""
        code = self._process.wait()
        self._ended.set()
        self._listener.join()
        return code

    def failure(self, said: Sequence[str]) -> ChatdbError:
        """Return the known meaning of its lines, once it has ended."""
        code = self._process.returncode
        return failure_of(self._client.describe(), code, said, self._url)

    def end(self) -> None:
        """Kill it, with what it has started, if it is still running."""
        self._ended.set()
        if self._process.poll() is None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(self._process.pid, number)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(_SECONDS_TO_END)
                    break
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        self._listener.join(_SECONDS_TO_END)

    def _look_for_locks(self, url: DatabaseUrl, name: str) -> None:
        pause = lock_waits.SAY_AFTER_SECONDS
        while not self._ended.wait(pause):
            if program_waits.tell_whom_it_waits_for(url, name):
                return
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def _listen(self) -> None:
        stderr = self._process.stderr
        if stderr is not None:
            with stderr:
                for line in stderr:
                    text = line.decode("utf-8", "replace").rstrip("\n")
                    self._said.append(text)
                    if self._on_line is not None:
                        self._on_line(text)


def widen_pipe(descriptor: int) -> None:
    """Enlarge a pipe's buffer so that both ends work at once; not every system can."""
    with suppress(AttributeError, OSError):
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _address(client: Client, url: DatabaseUrl, options: Sequence[str], before: str) -> str:
    """Return the connection string; inside the container it names the server's own socket."""
    if client.container is None:
        return conninfo(url, options=options, options_before=before)
    # The published port is that of the machine: inside the container nothing listens on it.
    inside = replace(url, password="", host="", port="", parameters=url.parameters[-1:])
    return conninfo(inside, options=options)


@cache
def _can_compress(words: tuple[str, ...], method: str) -> bool:
    """Ask the program itself: it refuses a method it lacks before it connects to anything."""
    nowhere = "--dbname=host='/nonexistent' dbname='nothing'"
    done = subprocess.run(
        [*words, "--format=custom", f"--compress={method}", nowhere],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        timeout=_SECONDS_TO_END * 2,
    )
    return b"connection to server" in done.stderr or b"could not connect" in done.stderr
