"""What goes wrong with containers, in words for people, each with the next command to type.

Docker, Compose and PostgreSQL say it in text only; the patterns are theirs.
"""

import re
import sys
from collections.abc import Sequence

from chatdb.errors import (
    ChatdbError,
    EngineUnavailableError,
    LoginRefusedError,
    ServerFailedError,
    StorageError,
)
from chatdb.servers.base import DevServer

_OTHERWISE = "or do without containers: chatdb dev-db up --engine embedded"
_LINES_SHOWN = 10

PORT = re.compile(
    r"address already in use|port is already allocated|ports are not available"
    r"|Only one usage of each socket address|failed to bind host port"
)
"""What the engines say of a port that is taken."""

_NO_PERMISSION = re.compile(r"permission denied|access is denied", re.IGNORECASE)
_NOT_RUNNING = re.compile(
    r"cannot connect to (?:the docker daemon|podman)|is the docker daemon running"
    r"|error during connect|connection refused|connection reset|connection aborted"
    r"|couldn't connect to docker daemon|cannot find the file specified|no such file or directory"
    r"|unexpected EOF|: EOF\b|broken pipe|failed to connect to the docker API",
    re.IGNORECASE,
)
_OFFLINE = re.compile(
    r"no such host|dial tcp|i/o timeout|Client\.Timeout|TLS handshake timeout|proxyconnect"
    r"|network is unreachable|request canceled|connection refused|server misbehaving",
    re.IGNORECASE,
)
_NO_IMAGE = re.compile(r"manifest unknown|not found|pull access denied|no such image|denied")
_FULL = re.compile(r"no space left on device|disk quota exceeded", re.IGNORECASE)
_OTHER_MAJOR = re.compile(
    r"initialized by PostgreSQL version (\d+),? which is not compatible with this version (\d+)"
)


def nothing_installed(program: str | None) -> EngineUnavailableError:
    """Return the error for programs that are missing; `program` is the one that is there."""
    if program is None:
        text = "neither Docker nor Podman is installed"
        hint = f"install one (https://docs.docker.com/engine/install/), {_OTHERWISE}"
    elif program == "docker":
        text = "docker is here, but neither `docker compose` nor docker-compose works"
        hint = (
            f"install one: sudo apt-get install docker-compose-v2 (or docker-compose), {_OTHERWISE}"
        )
    else:
        text = f"{program} is here, but neither `podman compose` nor podman-compose works"
        hint = f"install one: pip install podman-compose, {_OTHERWISE}"
    return EngineUnavailableError(text, reason="not_installed", hint=hint)


def silent(words: Sequence[str], seconds: float) -> EngineUnavailableError:
    """Return the error for a program that took too long."""
    return EngineUnavailableError(
        f"{words[0]} did not answer within {seconds:g} s ({_in_short(words)}): its daemon hangs",
        reason="failed",
        hint=f"restart it: {_restart(words[0])}, {_OTHERWISE}",
    )


def elsewhere(host: str) -> EngineUnavailableError:
    """Return the error for a daemon on another machine, whose 127.0.0.1 is not ours."""
    return EngineUnavailableError(
        f"docker works on another machine ({_without_password(host)}): a server there would not"
        " answer at 127.0.0.1 here",
        reason="failed",
        hint=f"unset DOCKER_HOST, or: docker context use default; {_OTHERWISE}",
    )


def unavailable(program: str, said: str) -> EngineUnavailableError:
    """Return the error for an engine that does not work, from what its program said."""
    if _NO_PERMISSION.search(said):
        return EngineUnavailableError(
            f"this user may not use {program}: permission denied",
            reason="no_permission",
            hint=f"sudo usermod -aG docker $USER, then log in again; {_OTHERWISE}"
            if program == "docker"
            else f"look at: {program} info; {_OTHERWISE}",
        )
    if _NOT_RUNNING.search(said):
        return EngineUnavailableError(
            f"{program} is installed, but its daemon does not run",
            reason="not_running",
            hint=f"start it: {_start(program)}, {_OTHERWISE}",
        )
    return EngineUnavailableError(
        f"{program} does not work: {_last_line(said) or 'it says nothing'}",
        reason="failed",
        hint=f"look at: {program} info; {_OTHERWISE}",
    )


def is_unavailable(said: str) -> bool:
    """Tell whether a failed call means that the daemon went away or does not let us in."""
    names_daemon = re.search(
        r"docker(?:\.sock| daemon| API)|podman\.sock|to Podman", said, re.IGNORECASE
    )
    return bool(names_daemon and (_NOT_RUNNING.search(said) or _NO_PERMISSION.search(said)))


def not_downloaded(program: str, image: str, said: str) -> ChatdbError:
    """Return the error for an image that is not here and could not be downloaded."""
    if _FULL.search(said):
        return full_disk(program, f"the image {image} could not be downloaded")
    if _OFFLINE.search(said):
        why = "the registry cannot be reached"
        hint = f"go online and try again: {program} pull {image}"
    elif "toomanyrequests" in said:
        why = "the registry allows no more downloads for now"
        hint = f"log in: {program} login"
    elif _NO_IMAGE.search(said):
        why = "the registry has no such image"
        hint = "name another: CHATDB_DEV_IMAGE=pgvector/pgvector:pg17"
    else:
        why, hint = _last_line(said), f"look at: {program} pull {image}"
    return ServerFailedError(
        f"the image {image} is not here and could not be downloaded: {why}",
        hint=f"{hint}; {_OTHERWISE}",
    )


def full_disk(program: str, what: str) -> StorageError:
    """Return the error for a disk that is full; `what` failed for it."""
    return StorageError(
        f"{what}: the disk of the container engine is full",
        hint=f"see what takes the space: {program} system df; free some: {program} system prune",
    )


def stranger(program: str, project: str, names: Sequence[str]) -> ServerFailedError:
    """Return the error for things with our names that chatdb did not make; they are left alone."""
    return ServerFailedError(
        f"{' and '.join(names)} stand where chatdb would put its own, and chatdb did not make"
        " them: they are left as they are",
        hint=f"look at them: {program} ps -a --filter name={project}; rename them, or remove"
        " them yourself",
    )


def other_major(volume: str, image: str, *, wrote: int, runs: int) -> ServerFailedError:
    """Return the error for data of another major version than the image's."""
    fitting, changed = re.subn(rf"(?<=\D){runs}(?!\d)", str(wrote), image)
    if changed != 1:
        fitting = f"pgvector/pgvector:pg{wrote}"
    return ServerFailedError(
        f"the volume {volume} was written by PostgreSQL {wrote}, and the image {image} is"
        f" PostgreSQL {runs}, which cannot read it",
        hint=f"use the fitting image: CHATDB_DEV_IMAGE={fitting} chatdb dev-db up; or start afresh,"
        " losing the data: chatdb dev-db down --volumes",
    )


def login_refused(
    program: str, server: DevServer, container: str, volume: str
) -> LoginRefusedError:
    """Return the error for an old volume that has another password, or another user."""
    return LoginRefusedError(
        f"the server runs, but refuses the login of {server.user}: the volume {volume} was made"
        " with another user or password, which a new setting does not change",
        hint="set CHATDB_DEV_USER and CHATDB_DEV_PASSWORD to the old ones; or set a new password:"
        f" {program} exec -it {container} psql -U {server.user} -d {server.database} -c"
        f" '\\password'; or start afresh, losing the data: chatdb dev-db down --volumes",
    )


def half_made(server: DevServer, volume: str) -> ServerFailedError:
    """Return the error for a volume whose making was interrupted before logins were let in."""
    return ServerFailedError(
        f"the server runs, but lets user {server.user} not in: the making of the volume {volume}"
        " was interrupted",
        hint="start afresh; nothing was in it yet: chatdb dev-db down --volumes",
    )


def died(
    program: str,
    server: DevServer,
    volume: str,
    log: Sequence[str],
    *,
    exit_code: int,
    out_of_memory: bool,
) -> ChatdbError:
    """Return the error for a server that ended at its start, with the end of its log."""
    text = "\n".join(log)
    major = _OTHER_MAJOR.search(text)
    if major is not None:
        return other_major(volume, server.image, wrote=int(major[1]), runs=int(major[2]))
    if _FULL.search(text):
        return full_disk(program, "the server ended at its start")
    if out_of_memory:
        return ServerFailedError(
            "the server ended: the container's memory was used up",
            hint="give it more: CHATDB_DEV_MEMORY=4g chatdb dev-db up",
        )
    return ServerFailedError(
        f"the server ended at its start (exit code {exit_code}); the end of its log:\n"
        + shown(log),
        hint="see all of it: chatdb dev-db logs; or start afresh, losing the data: chatdb dev-db"
        " down --volumes",
    )


def not_started(program: str, said: str) -> ChatdbError:
    """Return the error for a Compose that made no running container, from what it said."""
    if is_unavailable(said):
        return unavailable(program, said)
    if _FULL.search(said):
        return full_disk(program, "the container could not be started")
    lines = [line for line in said.splitlines() if line.strip()]
    return ServerFailedError(
        "Compose did not start the server; it said:\n" + (shown(lines) or "  (nothing)"),
        hint=f"look at: {program} info; {_OTHERWISE}",
    )


def shown(lines: Sequence[str]) -> str:
    """Return the last lines of a log, indented."""
    return "\n".join(f"  {line}" for line in lines[-_LINES_SHOWN:])


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def _in_short(words: Sequence[str]) -> str:
    return " ".join(word for word in words[:3] if not word.startswith(("-", "/")))


def _start(program: str) -> str:
    if program == "podman":
        return "podman machine start"
    return "open -a Docker" if sys.platform == "darwin" else "sudo systemctl start docker"


def _restart(program: str) -> str:
    if program.startswith("podman"):
        return "podman machine stop && podman machine start"
    return "open -a Docker" if sys.platform == "darwin" else "sudo systemctl restart docker"


def _without_password(host: str) -> str:
    return re.sub(r"//[^/@]*@", "//", host)
