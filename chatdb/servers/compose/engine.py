"""The compose engine: a development server in a container, by Docker Compose or Podman's.

Compose creates and starts the container from the compose file; everything else concerns single
objects that carry chatdb's labels. The state the engine reports counts, never an exit code.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from chatdb.db.postgresql.unreachable import Diagnosis, Reason
from chatdb.db.reachable import wait_until_reachable
from chatdb.errors import (
    ChatdbError,
    DatabaseUnreachableError,
    EngineUnavailableError,
    NotFoundError,
    PortTakenError,
    ServerFailedError,
    UsageError,
)
from chatdb.servers import ports
from chatdb.servers.base import HOST, DevServer, Note, ServerLook, ServerState
from chatdb.servers.compose import failures as compose_failures
from chatdb.servers.compose.file import DATA_FOLDER, SERVICE, VOLUME, compose_file_of, variables_of
from chatdb.servers.compose.objects import Belongings, Container, Objects, major_of
from chatdb.servers.compose.programs import ANSWER_SECONDS, Programs, Runner, end, find_programs
from chatdb.servers.lock import only_one
from chatdb.servers.target_database import make_database, tls_missing

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]*")
# A large image over a slow line is no hanging daemon.
_DOWNLOAD_SECONDS = 1800.0
_START_ANSWERS = 4
"""Compose queries its daemon many times to create and start a container."""

_GRACE_SECONDS = 60
_LOG_LINES = 40


class ComposeEngine:
    """Runs servers in containers; `environment` is passed to the programs.

    `answer_seconds` is how long a program may take to answer a query.
    """

    name = "compose"

    def __init__(
        self, *, environment: Mapping[str, str], answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self._runner = Runner(environment, seconds=answer_seconds)
        self._found: Programs | None = None

    def describe(self) -> str:
        """Return the programs that would run it: `docker compose 2.22.0 with docker 20.10.24`.

        Raises EngineUnavailableError: not_installed, not_running, no_permission, or failed for a
        daemon on another machine or one that does not answer.
        """
        return self._programs().describe()

    def look(self, server: DevServer) -> ServerLook:
        """Return the state of this server; objects that chatdb did not create are ignored."""
        project, objects = _project(server), self._objects()
        seen = objects.of_project(project)
        container = seen.container
        if container is None:
            state = ServerState.STOPPED if seen.volume else ServerState.ABSENT
            return ServerLook(state=state, data=seen.volume)
        return ServerLook(
            state=_state(objects, container),
            process=container.id[:12],
            started_at=container.started_at if container.is_up else None,
            data=seen.volume,
            major=container.major,
            port=container.port,
        )

    def start(self, server: DevServer, *, seconds: float, note: Note) -> None:
        """Create what is missing and start it; return when the target database answers.

        A running server on the right port is left alone. A missing image is downloaded first, which
        does not count towards `seconds`. Raises EngineUnavailableError, PortTakenError,
        StorageError for a full disk, else ServerFailedError.
        """
        project, objects = _project(server), self._objects()
        with only_one(_lock_file(server), note) as lock:
            seen = objects.of_project(project)
            if seen.strangers:
                raise compose_failures.stranger(objects.program, project, seen.strangers)
            container = seen.container
            if container is None or container.status != "running" or container.port != server.port:
                container = self._bring_up(server, seen, lock, note)
            elif container.image != server.image:
                note(
                    f"it is already running with the image {container.image}; to change the "
                    "image, stop it first"
                )
        self._wait(server, container, seconds, note)

    def stop(self, server: DevServer, *, note: Note) -> bool:
        """Stop the container and keep it; tell whether it was running."""
        project, objects = _project(server), self._objects()
        with only_one(_lock_file(server), note):
            running = [item for item in objects.of_project(project).containers if item.is_up]
            for container in running:
                note(f"stopping the container {container.name}")
                _stop(objects, container)
        return bool(running)

    def remove(self, server: DevServer, *, data: bool, note: Note) -> None:
        """Remove containers and network; with `data` also the volume.

        Objects without chatdb's labels are kept. Raises ServerFailedError for what the engine does
        not remove.
        """
        project, objects = _project(server), self._objects()
        with only_one(_lock_file(server), note):
            seen = objects.of_project(project)
            for container in seen.containers:
                note(f"removing the container {container.name}")
                if container.is_up:
                    _stop(objects, container)
                # --volumes removes anonymous ones only: the data are in a named volume.
                _must(objects, "container", "rm", "--volumes", container.id)
            for network in objects.networks(project):
                answer = objects.call("network", "rm", network)
                if answer.code != 0:
                    note(f"the network is kept because others use it: {answer.said}")
            if data and seen.volume:
                note(f"removing the volume {seen.volume}")
                _must(objects, "volume", "rm", seen.volume)

    def logs(self, server: DevServer, *, lines: int, follow: bool) -> Iterator[str]:
        """Yield the newest lines of the log, then, with `follow`, new ones.

        Raises NotFoundError if there is no container.
        """
        project, objects = _project(server), self._objects()
        container = objects.of_project(project).container
        if container is None:
            raise NotFoundError(
                "there is no container, so there is no log", hint="to create it: chatdb dev-db up"
            )
        if not follow:
            yield from objects.log(container.id, lines)
            return
        process = objects.follow_log(container.id, lines)
        try:
            for line in process.stdout or ():
                yield line.rstrip("\n")
        finally:
            end(process)

    def _programs(self) -> Programs:
        if self._found is None:
            self._found = find_programs(self._runner)
        return self._found

    def _objects(self) -> Objects:
        return Objects(self._runner, self._programs())

    def _bring_up(self, server: DevServer, seen: Belongings, lock: int, note: Note) -> Container:
        """Let Compose create and start the container; return it running."""
        objects, container = self._objects(), seen.container
        if container is None or container.port != server.port or not container.is_up:
            self._require_free(server.port)
        self._have_image(server.image, note)
        if seen.volume and (container is None or not container.is_up):
            self._require_same_major(server, seen.volume)
        # Compose's `up` leaves a paused container as it is.
        if container is not None and container.status == "paused":
            objects.call("unpause", container.id)
        made_of = f"creating a container from the image {server.image}"
        note(made_of if container is None else f"starting the container {container.name}")
        said = self._compose_up(server, lock)
        # What exists now counts: Compose also exits 0 when it has started nothing.
        made = objects.of_project(server.project).container
        if made is not None and made.status != "created":
            return made
        if (
            made is not None
        ):  # A container that could not be started is useless, but keeps its claim on the port.
            objects.call("container", "rm", "--volumes", made.id)
        if compose_failures.PORT.search(said):
            raise self._port_taken(server.port)
        raise compose_failures.not_started(objects.program, said)

    def _compose_up(self, server: DevServer, lock: int) -> str:
        """Run `up` with options that every Compose version knows; return its output."""
        programs = self._programs()
        # A `.env` beside the file belongs to the application, and may contain what Compose cannot
        # read.
        nothing = server.folder / "compose.env"
        nothing.write_text("# Compose reads this instead of the application's .env.\n")
        file = compose_file_of(server)
        words = ("-p", server.project, "--env-file", str(nothing), "-f", str(file), "up", "-d")
        answer = self._runner.run(
            (*programs.compose, *words, SERVICE),
            seconds=_START_ANSWERS * self._runner.seconds,
            additions={
                **variables_of(server),
                **({"DOCKER_HOST": programs.host} if programs.host else {}),
            },
            handed_on=(lock,),
        )
        return answer.said

    def _have_image(self, image: str, note: Note) -> None:
        objects = self._objects()
        # An image that is there is never pulled: it may be a local
        # build, and there may be no network.
        if objects.call("image", "inspect", image).code == 0:
            return
        note(f"downloading the image {image}; this happens once and may take some minutes")
        answer = objects.call("pull", "--quiet", image, seconds=_DOWNLOAD_SECONDS)
        if objects.call("image", "inspect", image).code != 0:
            raise compose_failures.not_downloaded(objects.program, image, answer.said)

    def _require_same_major(self, server: DevServer, volume: str) -> None:
        """Check the volume's version first: a server that cannot read it may restart forever."""
        objects = self._objects()
        shown = ("--format", "{{range .Config.Env}}{{println .}}{{end}}")
        runs = major_of(objects.call("image", "inspect", *shown, server.image).out.splitlines())
        wrote = objects.call(
            *("run", "--rm", "--network", "none", "--entrypoint", "cat"),
            *("--volume", f"{volume}:/look:ro", server.image, f"/look/{DATA_FOLDER}/PG_VERSION"),
        ).out.strip()
        if runs is not None and wrote.isdecimal() and int(wrote) != runs:
            raise compose_failures.other_major(volume, server.image, wrote=int(wrote), runs=runs)

    def _require_free(self, port: int) -> None:
        with suppress(EngineUnavailableError):  # A port that only the daemon may use.
            if not ports.is_free(port):
                raise self._port_taken(port)

    def _port_taken(self, port: int) -> PortTakenError:
        error = ports.port_taken(port)
        holder = self._objects().who_publishes(port)
        if holder is None:
            return error
        return PortTakenError(
            f"port {port} of this machine is in use by the container {holder}", hint=error.hint
        )

    def _wait(self, server: DevServer, container: Container, seconds: float, note: Note) -> None:
        """Wait for a login over the published port, as long as the container runs."""
        objects = self._objects()

        def give_up(found: Diagnosis) -> None:
            volume = f"{server.project}_{VOLUME}"
            now = objects.container(container.id)
            if now is None or now.status == "exited" or now.has_failed:
                raise self._ended(server, now, volume)
            # Only the finished server listens on TCP, so these errors will not go away.
            if found.reason in (Reason.WRONG_PASSWORD, Reason.NO_ROLE):
                raise compose_failures.login_refused(
                    objects.program, server, container.name, volume
                )
            if found.reason in (Reason.TLS_DEMANDED, Reason.NOT_ALLOWED):
                raise compose_failures.half_made(server, volume)
            if found.reason is Reason.TLS_MISSING:
                raise tls_missing(found)
            if found.reason is Reason.NO_DATABASE:
                _make_database(server, note)

        try:
            wait_until_reachable(server.url, seconds, lambda _: None, give_up=give_up)
        except DatabaseUnreachableError as error:
            raise self._late(container, error) from error

    def _ended(self, server: DevServer, now: Container | None, volume: str) -> ChatdbError:
        if now is None:
            return ServerFailedError(
                "the container was removed while it was starting",
                hint="try again: chatdb dev-db up",
            )
        objects = self._objects()
        return compose_failures.died(
            objects.program,
            server,
            volume,
            objects.log(now.id, _LOG_LINES),
            exit_code=now.exit_code,
            out_of_memory=now.out_of_memory,
        )

    def _late(self, container: Container, error: DatabaseUnreachableError) -> ServerFailedError:
        now = self._objects().container(container.id)
        if now is not None and now.health == "healthy":
            return ServerFailedError(
                f"the container {container.name} is healthy, but {error.text}",
                hint="the engine may run in a virtual machine or beside this container, where "
                f"{HOST} is a different address; to do without it: chatdb dev-db up --engine "
                "embedded",
            )
        log = self._objects().log(container.id, _LOG_LINES)
        return ServerFailedError(
            f"{error.text}; the end of its log:\n{compose_failures.shown(log)}",
            hint="to wait longer: chatdb dev-db up --wait 300; to follow the log: chatdb dev-db "
            "logs -f",
        )


def _lock_file(server: DevServer) -> Path:
    return server.folder / "compose.lock"


def _project(server: DevServer) -> str:
    if not _PROJECT.fullmatch(server.project):
        raise UsageError(
            f"{server.project!r} is not a valid Compose project name",
            hint="use lower-case letters, digits, - and _",
        )
    return server.project


def _state(objects: Objects, container: Container) -> ServerState:
    if container.has_failed:
        return ServerState.FAILED
    if container.status != "running":
        return ServerState.STOPPED
    # The engine runs its check only at intervals, and Podman never without systemd: ask directly.
    if container.is_healthy or objects.takes_connections(container):
        return ServerState.RUNNING
    return ServerState.FAILED if container.health == "unhealthy" else ServerState.STARTING


def _stop(objects: Objects, container: Container) -> None:
    if container.status == "paused":
        objects.call("unpause", container.id)
    limit = _GRACE_SECONDS + ANSWER_SECONDS
    objects.call("stop", "-t", str(_GRACE_SECONDS), container.id, seconds=limit)
    now = objects.container(container.id)
    if now is not None and now.is_up:
        raise ServerFailedError(
            f"the container {container.name} did not stop within {_GRACE_SECONDS} s",
            hint=f"to kill it: {objects.program} kill {container.name}",
        )


def _make_database(server: DevServer, note: Note) -> None:
    import psycopg

    try:
        make_database(server, note)
    except psycopg.Error as error:
        raise ServerFailedError(
            f"the server is running, but its database {server.database} cannot be created: {error}",
            hint="to see why: chatdb dev-db logs; or use an existing one: CHATDB_DEV_DATABASE",
        ) from error


def _must(objects: Objects, kind: str, *words: str) -> None:
    """Remove an object; if it still exists afterwards, raise the engine's reason."""
    answer = objects.call(kind, *words)
    name = words[-1]
    if answer.code != 0 and objects.call(kind, "inspect", name).code == 0:
        raise ServerFailedError(
            f"the {kind} {name} could not be removed: {answer.said}",
            hint=f"to see what uses it: {objects.program} ps -a --filter {kind}={name}",
        )
