"""Docker's or Podman's programs: which are installed, whether they work, running them.

An exit code alone is never trusted: docker-compose 1.29 answers an unknown option with its usage
and 0. Passwords go through the program's environment, never its arguments.
"""

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chatdb.errors import EngineUnavailableError
from chatdb.servers.compose import failures as compose_failures
from chatdb.servers.processes import end_session

ANSWER_SECONDS = 30.0
"""How long a program may take to answer; a hanging daemon never does."""

_CANDIDATES = (
    (("docker", "compose"), "docker"),
    (("docker-compose",), "docker"),
    (("podman", "compose"), "podman"),
    (("podman-compose",), "podman"),
)
_SERVER_VERSION = {
    "docker": ("version", "--format", "{{.Server.Version}}"),
    "podman": ("info", "--format", "{{.Version.Version}}"),
}
_VERSION = re.compile(r"^(?:\S+ version:? )?v?(\d+\.\d+\.\d+\S*)", re.MULTILINE)
_LOCAL_HOSTS = re.compile(
    r"(unix|npipe|fd)://|\w+://([^/@]*@)?(localhost|127\.\d+\.\d+\.\d+|\[::1\])([:/]|$)"
)
# They would select another file, project or set of services.
_NOT_PASSED_ON = (
    *("COMPOSE_FILE", "COMPOSE_PROJECT_NAME", "COMPOSE_PROFILES", "COMPOSE_ENV_FILES"),
    *("COMPOSE_PROJECT_DIRECTORY", "COMPOSE_REMOVE_ORPHANS"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The output of a program and its exit code."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """All of its output, errors last."""
        return "\n".join(part for part in (self.out.strip(), self.err.strip()) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Programs:
    """Two programs that work together: Compose, and the one that manages containers.

    `host` is where the daemon listens if a Docker context sets it.
    """

    compose: tuple[str, ...]
    compose_version: str
    container: str
    container_version: str
    host: str | None = None

    def describe(self) -> str:
        """Return both with versions: `docker compose 2.22.0 with docker 20.10.24`."""
        compose = " ".join(self.compose)
        return f"{compose} {self.compose_version} with {self.container} {self.container_version}"


class Runner:
    """Runs programs with the given environment, each within a time limit in seconds."""

    def __init__(self, environment: Mapping[str, str], *, seconds: float = ANSWER_SECONDS) -> None:
        self.environment = {
            name: value for name, value in environment.items() if name not in _NOT_PASSED_ON
        }
        self.seconds = seconds

    def has(self, program: str) -> bool:
        """Tell whether a program of this name is installed."""
        return shutil.which(program, path=self.environment.get("PATH")) is not None

    def run(
        self,
        words: Sequence[str],
        *,
        seconds: float | None = None,
        additions: Mapping[str, str] | None = None,
        merged: bool = False,
        handed_on: tuple[int, ...] = (),
    ) -> Answer:
        """Run a program to its end, detached from the terminal and its Ctrl-C.

        Raises EngineUnavailableError if it takes longer than `seconds` or cannot be run. In that
        case, and if we are interrupted, it is killed with everything it started. `handed_on` are
        descriptors that it inherits.
        """
        limit = self.seconds if seconds is None else seconds
        process = self.start(words, additions=additions, merged=merged, handed_on=handed_on)
        try:
            out, err = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired as error:
            raise compose_failures.silent(words, limit) from error
        finally:
            end(process)
        return Answer(process.returncode, out, err or "")

    def start(
        self,
        words: Sequence[str],
        *,
        additions: Mapping[str, str] | None = None,
        merged: bool = False,
        handed_on: tuple[int, ...] = (),
    ) -> "subprocess.Popen[str]":
        """Start a program in its own session; `merged`: its errors are part of its output."""
        environment = {**self.environment, **(additions or {})}
        found = shutil.which(words[0], path=environment.get("PATH"))
        if found is None:
            raise compose_failures.nothing_installed(words[0])
        try:
            return subprocess.Popen(
                [found, *words[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if merged else subprocess.PIPE,
                env=environment,
                encoding="utf-8",
                errors="replace",
                start_new_session=True,
                pass_fds=handed_on,
            )
        except OSError as error:
            raise EngineUnavailableError(
                f"{found} cannot be run: {error.strerror}",
                reason="no_permission",
                hint="check its permissions, or do without it: --engine embedded",
            ) from error


def end(process: "subprocess.Popen[str]") -> None:
    """Kill a program of ours, and what it started, if it is still running."""
    end_session(process)
    for stream in (process.stdout, process.stderr):
        if stream is not None:
            stream.close()


def find_programs(runner: Runner) -> Programs:
    """Return the first pair of programs that works.

    Raises EngineUnavailableError for the first installed one, which distinguishes: not installed,
    not running, no permission, on another machine.
    """
    problems: list[EngineUnavailableError] = []
    for compose, container in _CANDIDATES:
        if not (runner.has(container) and runner.has(compose[0])):
            continue
        # A program without the plugin prints its usage here.
        found = _VERSION.search(runner.run((*compose, "version", "--short")).out)
        if found is None:
            continue
        try:
            host = _host_of(runner, container)
            container_version = _server_version(runner, container)
        except EngineUnavailableError as error:
            problems.append(error)
            continue
        return Programs(
            compose=compose,
            compose_version=found[1],
            container=container,
            container_version=container_version,
            host=host,
        )
    if problems:
        raise problems[0]
    here = next((name for name in ("docker", "podman") if runner.has(name)), None)
    raise compose_failures.nothing_installed(here)


def _server_version(runner: Runner, container: str) -> str:
    answer = runner.run((container, *_SERVER_VERSION[container]))
    version = answer.out.strip()
    if answer.code != 0 or not version:
        raise compose_failures.unavailable(container, answer.said)
    return version


def _host_of(runner: Runner, container: str) -> str | None:
    """Return where the daemon of Docker's context listens, None for the usual place.

    docker-compose 1.29 ignores contexts. Raises EngineUnavailableError for another machine.
    """
    if container != "docker":
        return None
    context, host = "", runner.environment.get("DOCKER_HOST", "")
    if not host:
        template = "{{.Name}} {{.Endpoints.docker.Host}}"
        asked = runner.run((container, "context", "inspect", "--format", template))
        context, _, host = asked.out.strip().partition(" ")
    if host and not _LOCAL_HOSTS.match(host):
        raise compose_failures.elsewhere(host)
    return host if context not in ("", "default") else None
