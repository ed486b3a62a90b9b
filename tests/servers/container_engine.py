"""A real container engine for the tests: the machine's own, or a daemon started for this run.

The images are stand-ins for the official ones (see `stand_in_image`), unless the engine has those.
Everything is made under projects of this run, and removed at its end.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tests.postgres_server import wait_until
from tests.programs import COMPOSE_PLUGIN
from tests.servers import stand_in_image

IMAGE = "pgvector/pgvector:pg17"
"""What the shipped compose file names."""

NEWER_IMAGE = "pgvector/pgvector:pg18"
COMPOSE_KINDS = ("docker-compose", "docker compose")
"""Names the program of Compose 2 or newer, where Docker has it not as a plugin."""

_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class ContainerEngine:
    """An engine that answers: the environment for its programs, and a folder for wrappers.

    `is_ours` when this run started the daemon.
    """

    environment: Mapping[str, str]
    folder: Path
    is_ours: bool

    def docker(self, *words: str) -> str:
        """Run docker; an exit code that is not 0 fails the test."""
        done = self.try_docker(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def try_docker(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run docker, whatever comes of it."""
        return subprocess.run(
            ["docker", *words],
            env=dict(self.environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def has_image(self, image: str) -> bool:
        return self.try_docker("image", "inspect", image).returncode == 0

    def at(self, address: str) -> "ContainerEngine":
        """Return the same programs, asking another daemon."""
        return replace(self, environment={**self.environment, "DOCKER_HOST": address})

    def with_path(self, folder: Path) -> "ContainerEngine":
        """Return the same engine, with the programs of a folder before all others."""
        path = f"{folder}{os.pathsep}{self.environment['PATH']}"
        return replace(self, environment={**self.environment, "PATH": path})

    def wrapped(self, folder: Path, name: str, script: str) -> "ContainerEngine":
        """Return the same engine with a shell script in place of a program; `$real` is that."""
        folder.mkdir(exist_ok=True)
        real = shutil.which(name, path=self.environment["PATH"])
        program = folder / name
        program.write_text(f"#!/bin/sh\nreal={real}\n{script}\n")
        program.chmod(0o755)
        return self.with_path(folder)


class NoEngineError(Exception):
    """Why there is no engine here, and the command that brings one."""


@contextmanager
def running_engine() -> Iterator[ContainerEngine]:
    """Find the machine's engine or start a daemon; raises NoEngineError.

    The environment is that of the whole run, as it is when this is first asked for.
    """
    if shutil.which("docker") is None:
        raise NoEngineError("docker is not installed", "apt-get install docker.io")
    folder = Path(tempfile.mkdtemp(prefix="chatdb-docker-"))
    try:
        (folder / "config").mkdir()
        own = {**os.environ, "DOCKER_CONFIG": str(folder / "config")}
        if _answers(dict(os.environ)):
            own["DOCKER_HOST"] = _endpoint()
            yield ContainerEngine(own, folder, is_ours=False)
            return
        with _daemon(folder) as address:
            own["DOCKER_HOST"] = address
            own.pop("DOCKER_CONTEXT", None)
            yield ContainerEngine(own, folder, is_ours=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def with_compose(engine: ContainerEngine, kind: str) -> ContainerEngine:
    """Return the engine with exactly this kind of Compose; raises NoEngineError."""
    if kind == "docker-compose":
        if shutil.which("docker-compose") is None:
            raise NoEngineError("docker-compose is not installed", "apt-get install docker-compose")
        hidden = 'if [ "$1" = compose ]; then echo "unknown command: compose" >&2; exit 1; fi'
        return engine.wrapped(engine.folder / "v1", "docker", f'{hidden}\nexec "$real" "$@"')
    if COMPOSE_PLUGIN.exists():
        plugins = engine.folder / "config" / "cli-plugins"
        plugins.mkdir(exist_ok=True)
        with suppress(FileExistsError):
            (plugins / "docker-compose").symlink_to(COMPOSE_PLUGIN)
    if engine.try_docker("compose", "version").returncode != 0:
        raise NoEngineError("docker has no Compose plugin", ".ci/install")
    return engine


def load_image(engine: ContainerEngine, image: str) -> bool:
    """Have the image in the engine; tell whether a stand-in was loaded for it."""
    if engine.has_image(image):
        return False
    older = stand_in_image.of_debian(15) if image != NEWER_IMAGE else None
    distribution = older or stand_in_image.of_wheel()
    archive = engine.folder / "image.tar"
    stand_in_image.write_archive(distribution, image, archive)
    engine.docker("load", "--quiet", "--input", str(archive))
    archive.unlink()
    return True


def remove_project(engine: ContainerEngine, project: str) -> None:
    """Remove everything of a project of the tests, whoever made it."""
    mine = ("--filter", f"label=com.docker.compose.project={project}")
    for found in engine.docker("ps", "-aq", *mine).split():
        engine.try_docker("rm", "--force", "--volumes", found)
    for found in engine.docker("network", "ls", "-q", *mine).split():
        engine.try_docker("network", "rm", found)
    for found in engine.docker("volume", "ls", "-q", *mine).split():
        engine.try_docker("volume", "rm", found)


def _answers(environment: Mapping[str, str]) -> bool:
    try:
        done = subprocess.run(
            ["docker", "version"],
            env=dict(environment),
            capture_output=True,
            check=False,
            timeout=20,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def _endpoint() -> str:
    """Return where the machine's own engine listens: our empty configuration forgets it."""
    words = ["docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def _daemon(folder: Path) -> Iterator[str]:
    program = shutil.which("dockerd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if program is None:
        raise NoEngineError("no container engine answers", "apt-get install docker.io")
    if os.geteuid() != 0:
        raise NoEngineError("no container engine answers, and only root can start one", "make test")
    for driver in ("overlay2", "vfs"):
        address = f"unix://{folder}/{driver}.sock"
        options = {
            "storage-driver": driver,
            "iptables": "false",
            "data-root": str(folder / "data"),
            "exec-root": str(folder / "exec"),
            "pidfile": str(folder / "pid"),
            "host": address,
            "log-level": "error",
        }
        with (folder / f"{driver}.log").open("wb") as log:
            # It ends with us, however we end.
            process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "TERM", program),
                    *(f"--{name}={value}" for name, value in options.items()),
                ],
                stdout=log,
                stderr=log,
            )
        try:
            if _comes_up(process, address):
                yield address
                return
        finally:
            process.terminate()
            process.wait(30)
            shutil.rmtree(folder / "data", ignore_errors=True)
    said = (folder / "vfs.log").read_text(errors="replace").strip().splitlines()
    raise NoEngineError(f"dockerd does not start: {said[-1] if said else 'it says nothing'}")


def _comes_up(process: "subprocess.Popen[bytes]", address: str) -> bool:
    environment = {**os.environ, "DOCKER_HOST": address}
    with suppress(AssertionError):
        wait_until(
            lambda: process.poll() is not None or _answers(environment), seconds=_START_SECONDS
        )
    return process.poll() is None and _answers(environment)
