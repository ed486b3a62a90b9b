"""Errors of containers, in plain words, each with the next command to type.

Docker, Compose and PostgreSQL report them as text only, which the patterns match.
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
"""What the engines print if a port is in use."""

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
    """Return the error for missing programs; `program` is the one that is installed."""
    if program is None:
        text = "neither Docker nor Podman is installed"
        hint = f"install one (https://docs.docker.com/engine/install/), {_OTHERWISE}"
    elif program == "docker":
        text = "docker is installed, but neither `docker compose` nor docker-compose works"
        hint = (
            f"install one: sudo apt-get install docker-compose-v2 (or docker-compose), {_OTHERWISE}"
        )
    else:
        text = f"{program} is installed, but neither `podman compose` nor podman-compose works"
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
        f"docker runs on another machine ({_without_password(host)}): a server there would not "
        "answer at 127.0.0.1 here",
        reason="failed",
        hint=f"unset DOCKER_HOST, or: docker context use default; {_OTHERWISE}",
    )


def unavailable(program: str, said: str) -> EngineUnavailableError:
    """Return the error for an engine that does not work, from its program's output."""
    if _NO_PERMISSION.search(said):
        return EngineUnavailableError(
            f"this user is not allowed to use {program}: permission denied",
            reason="no_permission",
            hint=f"sudo usermod -aG docker $USER, then log in again; {_OTHERWISE}"
            if program == "docker"
            else f"see: {program} info; {_OTHERWISE}",
        )
    if _NOT_RUNNING.search(said):
        return EngineUnavailableError(
            f"{program} is installed, but its daemon is not running",
            reason="not_running",
            hint=f"to start it: {_start(program)}, {_OTHERWISE}",
        )
    return EngineUnavailableError(
        f"{program} does not work: {_last_line(said) or 'it says nothing'}",
        reason="failed",
        hint=f"see: {program} info; {_OTHERWISE}",
    )


def is_unavailable(said: str) -> bool:
    """Tell whether a failed call means that the daemon stopped or denies access."""
    names_daemon = re.search(
        r"docker(?:\.sock| daemon| API)|podman\.sock|to Podman", said, re.IGNORECASE
    )
    return bool(names_daemon and (_NOT_RUNNING.search(said) or _NO_PERMISSION.search(said)))


def not_downloaded(program: str, image: str, said: str) -> ChatdbError:
    """Return the error for a missing image that could not be downloaded."""
    if _FULL.search(said):
        return full_disk(program, f"the image {image} could not be downloaded")
    if _OFFLINE.search(said):
        why = "the registry cannot be reached"
        hint = f"connect to the network and try again: {program} pull {image}"
    elif "toomanyrequests" in said:
        why = "the registry refuses further downloads for now"
        hint = f"log in: {program} login"
    elif _NO_IMAGE.search(said):
        why = "the registry has no such image"
        hint = "choose another: CHATDB_DEV_IMAGE=pgvector/pgvector:pg17"
    else:
        why, hint = _last_line(said), f"see: {program} pull {image}"
    return ServerFailedError(
        f"the image {image} is not on this machine and could not be downloaded: {why}",
        hint=f"{hint}; {_OTHERWISE}",
    )


def full_disk(program: str, what: str) -> StorageError:
    """Return the error for a full disk; `what` failed because of it."""
    return StorageError(
        f"{what}: the container engine's disk is full",
        hint=f"to see what uses the space: {program} system df; to free some: {program} system "
        "prune",
    )


def stranger(program: str, project: str, names: Sequence[str]) -> ServerFailedError:
    """Return the error for objects with our names that chatdb did not create."""
    return ServerFailedError(
        f"chatdb did not create {' and '.join(names)}, which have the names it needs: they are "
        "left unchanged",
        hint=f"to see them: {program} ps -a --filter name={project}; rename them, or remove them "
        "yourself",
    )


def other_major(volume: str, image: str, *, wrote: int, runs: int) -> ServerFailedError:
    """Return the error for data of another major version than the image's."""
    fitting, changed = re.subn(rf"(?<=\D){runs}(?!\d)", str(wrote), image)
    if changed != 1:
        fitting = f"pgvector/pgvector:pg{wrote}"
    return ServerFailedError(
        f"the volume {volume} was written by PostgreSQL {wrote}, and the image {image} is"
        f" PostgreSQL {runs}, which cannot read it",
        hint=f"use a matching image: CHATDB_DEV_IMAGE={fitting} chatdb dev-db up; or start over, "
        "losing the data: chatdb dev-db down --volumes",
    )


def login_refused(
    program: str, server: DevServer, container: str, volume: str
) -> LoginRefusedError:
    """Return the error for an old volume with another password or user."""
    return LoginRefusedError(
        f"the server is running, but refuses the login of {server.user}: the volume {volume} was "
        "created with another user or password, which a new setting does not change",
        hint="set CHATDB_DEV_USER and CHATDB_DEV_PASSWORD to the old values; or set a new "
        f"password: {program} exec -it {container} psql -U {server.user} -d "
        f"{server.database} -c '\\password'; or start over, losing the data: chatdb dev-db "
        "down --volumes",
    )


def half_made(server: DevServer, volume: str) -> ServerFailedError:
    """Return the error for a volume whose creation was interrupted before logins were allowed."""
    return ServerFailedError(
        f"the server is running, but refuses the login of {server.user}: creating the volume "
        f"{volume} was interrupted",
        hint="start over (the volume is still empty): chatdb dev-db down --volumes",
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
    """Return the error for a server that stopped at startup, with the end of its log."""
    text = "\n".join(log)
    major = _OTHER_MAJOR.search(text)
    if major is not None:
        return other_major(volume, server.image, wrote=int(major[1]), runs=int(major[2]))
    if _FULL.search(text):
        return full_disk(program, "the server stopped at startup")
    if out_of_memory:
        return ServerFailedError(
            "the server stopped: the container ran out of memory",
            hint="allow more: CHATDB_DEV_MEMORY=4g chatdb dev-db up",
        )
    # The engine forgets the code while it starts the container again.
    code = f" (exit code {exit_code})" if exit_code else ""
    return ServerFailedError(
        f"the server stopped at startup{code}; the end of its log:\n" + shown(log),
        hint="to see the whole log: chatdb dev-db logs; or start over, losing the data: chatdb "
        "dev-db down --volumes",
    )


def not_started(program: str, said: str) -> ChatdbError:
    """Return the error if Compose started no container, from its output."""
    if is_unavailable(said):
        return unavailable(program, said)
    if _FULL.search(said):
        return full_disk(program, "the container could not be started")
    lines = [line for line in said.splitlines() if line.strip()]
    return ServerFailedError(
        "Compose did not start the server; its output:\n" + (shown(lines) or "  (nothing)"),
        hint=f"see: {program} info; {_OTHERWISE}",
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
