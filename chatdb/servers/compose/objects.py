"""Containers, volumes and networks as the engine reports them, and which are chatdb's."""

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from chatdb.servers.compose import failures as compose_failures
from chatdb.servers.compose.file import LABEL, LABEL_VALUE, SERVICE, VOLUME
from chatdb.servers.compose.programs import Answer, Programs, Runner

if TYPE_CHECKING:
    import subprocess

PROJECT_LABEL = "com.docker.compose.project"
_ONE_OFF_LABEL = "com.docker.compose.oneoff"
_PORT = "5432/tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container: `status` is a word of Docker's (created, running, paused, restarting, exited,
    dead), `health` one of starting, healthy, unhealthy, or empty if there is no check.
    """

    id: str
    name: str
    image: str
    status: str
    health: str = ""
    exit_code: int = 0
    out_of_memory: bool = False
    restarts: int = 0
    started_at: datetime | None = None
    port: int | None = None
    major: int | None = None

    @property
    def is_up(self) -> bool:
        """Tell whether its processes exist, paused or not."""
        return self.status in ("running", "restarting", "paused")

    @property
    def has_failed(self) -> bool:
        """Tell whether the server stopped by itself, or keeps restarting."""
        ended = self.status == "dead" or (self.status == "exited" and self.exit_code != 0)
        return ended or self.status == "restarting" or (self.restarts > 1 and not self.is_healthy)

    @property
    def is_healthy(self) -> bool:
        """Tell whether it is running and passes its health check, if it has one."""
        return self.status == "running" and self.health in ("healthy", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Belongings:
    """The objects of one project: chatdb's containers (running ones first) and its volume.

    `strangers` are objects with our names that chatdb did not create.
    """

    containers: tuple[Container, ...] = ()
    volume: str | None = None
    strangers: tuple[str, ...] = ()

    @property
    def container(self) -> Container | None:
        """The container to use: a running one if there is one."""
        return self.containers[0] if self.containers else None


class Objects:
    """Queries the engine about a project; raises EngineUnavailableError.

    `program` is docker or podman.
    """

    def __init__(self, runner: Runner, programs: Programs) -> None:
        self._runner = runner
        self.program = programs.container
        self._additions = {"DOCKER_HOST": programs.host} if programs.host else {}

    def call(self, *words: str, seconds: float | None = None) -> Answer:
        """Run the container program; raise an error if its output means a lost daemon."""
        answer = self._runner.run(
            (self.program, *words), seconds=seconds, additions=self._additions
        )
        if answer.code != 0 and compose_failures.is_unavailable(answer.err):
            raise compose_failures.unavailable(self.program, answer.err)
        return answer

    def of_project(self, project: str) -> Belongings:
        """Return the objects of a project."""
        volume = f"{project}_{VOLUME}"
        asked = ("ps", "--all", "--quiet", "--no-trunc", "--filter")
        ids = self.call(*asked, f"label={PROJECT_LABEL}={project}").out.split()
        # Compose 2 joins the parts of a name by `-`, docker-compose 1 by `_`.
        names = [f"{project}{mark}{SERVICE}{mark}1" for mark in "-_"]
        seen = {str(item["Id"]): item for item in self._inspect("container", [*ids, *names])}
        volumes = self._inspect("volume", [volume])
        ours = [item for item in seen.values() if is_ours(_labels(item), project)]
        strangers = [
            f"the container {_name(item)}"
            for item in seen.values()
            if item not in ours and _name(item) in names
        ]
        has_volume = any(is_ours(item.get("Labels") or {}, project) for item in volumes)
        if volumes and not has_volume:
            strangers.append(f"the volume {volume}")
        containers = [read_container(item) for item in ours if not _is_one_off(item)]
        return Belongings(
            containers=tuple(sorted(containers, key=lambda item: not item.is_up)),
            volume=volume if has_volume else None,
            strangers=tuple(strangers),
        )

    def container(self, identifier: str) -> Container | None:
        """Return the current state of one container; None if it is gone."""
        found = self._inspect("container", [identifier])
        return read_container(found[0]) if found else None

    def takes_connections(self, container: Container) -> bool:
        """Query the server in a running container over TCP, which a temporary one does not use."""
        return self.call("exec", container.id, "pg_isready", "-q", "-h", "127.0.0.1").code == 0

    def networks(self, project: str) -> list[str]:
        """Return the ids of the networks that chatdb created for a project."""
        filters = (f"label={PROJECT_LABEL}={project}", f"label={LABEL}={LABEL_VALUE}")
        asked = (word for text in filters for word in ("--filter", text))
        return self.call("network", "ls", "--quiet", "--no-trunc", *asked).out.split()

    def log(self, identifier: str, lines: int) -> list[str]:
        """Return the end of a container's log, both of its streams."""
        words = (self.program, "logs", "--tail", str(lines), identifier)
        return self._runner.run(words, additions=self._additions, merged=True).out.splitlines()

    def follow_log(self, identifier: str, lines: int) -> "subprocess.Popen[str]":
        """Start the program that prints the end of a log and everything added to it."""
        words = (self.program, "logs", "--tail", str(lines), "--follow", identifier)
        return self._runner.start(words, additions=self._additions, merged=True)

    def who_publishes(self, port: int) -> str | None:
        """Name the running container that publishes a port of this machine."""
        answer = self.call("ps", "--filter", f"publish={port}", "--format", "{{.Names}}")
        return next(iter(answer.out.split()), None)

    def _inspect(self, kind: str, names: Sequence[str]) -> list[dict[str, Any]]:
        """Return the details of existing objects; the program reports missing ones as errors."""
        answer = self.call(kind, "inspect", *names)
        with suppress(ValueError):
            found = json.loads(answer.out or "[]")
            return [item for item in found or [] if isinstance(item, dict)]
        raise compose_failures.unavailable(self.program, answer.said)


def is_ours(labels: Mapping[str, str], project: str) -> bool:
    """Tell whether chatdb created it for this project."""
    return labels.get(LABEL) == LABEL_VALUE and labels.get(PROJECT_LABEL) == project


def read_container(item: Mapping[str, Any]) -> Container:
    """Return a container from the output of `docker container inspect` or Podman's."""
    state = item.get("State") or {}
    health = state.get("Health") or state.get("Healthcheck") or {}
    config = item.get("Config") or {}
    return Container(
        id=str(item["Id"]),
        name=_name(item),
        image=str(config.get("Image") or ""),
        status=str(state.get("Status") or "").lower(),
        health=str(health.get("Status") or "").lower().replace("none", ""),
        exit_code=int(state.get("ExitCode") or 0),
        out_of_memory=bool(state.get("OOMKilled")),
        restarts=int(item.get("RestartCount") or 0),
        started_at=_time(str(state.get("StartedAt") or "")),
        port=_published_port(item),
        major=major_of(config.get("Env") or []),
    )


def major_of(environment: Iterable[str]) -> int | None:
    """Return the version that an image of PostgreSQL sets in its environment."""
    for line in environment:
        name, _, value = line.partition("=")
        if name == "PG_MAJOR" and value.isdecimal():
            return int(value)
    return None


def _published_port(item: Mapping[str, Any]) -> int | None:
    places = (
        (item.get("NetworkSettings") or {}).get("Ports"),
        # A stopped container has no network, but still the port that it will ask for.
        (item.get("HostConfig") or {}).get("PortBindings"),
    )
    for ports in places:
        for binding in (ports or {}).get(_PORT) or []:
            if str(binding.get("HostPort") or "").isdecimal():
                return int(binding["HostPort"])
    return None


def _time(text: str) -> datetime | None:
    """Read the engine's time; a container that was never started has one in the year 1."""
    with suppress(ValueError):
        found = datetime.fromisoformat(text)
        return found if found.year > 1 else None
    return None


def _labels(item: Mapping[str, Any]) -> Mapping[str, str]:
    return (item.get("Config") or {}).get("Labels") or {}


def _name(item: Mapping[str, Any]) -> str:
    return str(item.get("Name") or "").lstrip("/")


def _is_one_off(item: Mapping[str, Any]) -> bool:
    return str(_labels(item).get(_ONE_OFF_LABEL, "")).lower() == "true"
