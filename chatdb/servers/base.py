"""What a development server is, and what an engine does for it: a small interface.

An engine touches only what chatdb created: containers and volumes with its labels, processes whose
pid and start time are recorded in its own folder. Nothing here imports a database library.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from chatdb.db.url import DatabaseUrl

Note = Callable[[str], None]
"""Receives one line for the user: what is being done, and why."""

HOST = "127.0.0.1"
"""The only address a development server listens on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DevServer:
    """One project's development server, with the requested settings.

    `project` names it (containers, labels), `folder` is the project's `.chatdb` folder, which holds
    everything kept between commands.
    """

    project: str
    folder: Path
    port: int
    user: str
    password: str
    database: str
    image: str

    @property
    def url(self) -> DatabaseUrl:
        return DatabaseUrl(
            dialect_name="postgresql",
            user=self.user,
            password=self.password,
            host=HOST,
            port=str(self.port),
            database=self.database,
        )


class ServerState(StrEnum):
    """`absent`: no data and no process; `stopped`: data without a process that serves it."""

    ABSENT = "absent"
    STOPPED = "stopped"
    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerLook:
    """The state of a server as its engine sees it, without logging in.

    `process` is a pid or a container's id, `data` the folder or volume, `major` the version that
    wrote the data, `port` the one it listens on; each is None if there is none.
    """

    state: ServerState
    process: str | None = None
    started_at: datetime | None = None
    data: str | None = None
    major: int | None = None
    port: int | None = None


class Engine(Protocol):
    """A way to run a server: Docker Compose or Podman's, or PostgreSQL's own programs."""

    name: str

    def describe(self) -> str:
        """Return the programs that would run the server, with versions; starts nothing.

        Raises EngineUnavailableError, which distinguishes not installed, not running, no
        permission.
        """

    def look(self, server: DevServer) -> ServerLook:
        """Return the state of this server."""

    def start(self, server: DevServer, *, seconds: float, note: Note) -> None:
        """Create what is missing and start it; return when the target database answers.

        A running server is left alone. Raises EngineUnavailableError, PortTakenError, or
        ServerFailedError with the last lines of its log.
        """

    def stop(self, server: DevServer, *, note: Note) -> bool:
        """Stop it and keep its data; tell whether it was running."""

    def remove(self, server: DevServer, *, data: bool, note: Note) -> None:
        """Stop it and remove what runs it; with `data` also what it stored."""

    def logs(self, server: DevServer, *, lines: int, follow: bool) -> Iterator[str]:
        """Yield the newest lines of its log, then, with `follow`, new ones."""
