"""Containers that cannot be had: each reason is told apart, by the real programs."""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from chatdb.errors import EngineUnavailableError, ServerFailedError
from chatdb.servers.base import DevServer
from chatdb.servers.compose.engine import ComposeEngine
from tests.programs import leave_out
from tests.servers.conftest import compose_engine
from tests.servers.container_engine import ContainerEngine

pytestmark = pytest.mark.xdist_group("containers")


def refusal(
    environment: Mapping[str, str], *, answer_seconds: float = 30
) -> EngineUnavailableError:
    """Return the error of an engine that is asked to describe itself."""
    with pytest.raises(EngineUnavailableError) as caught:
        ComposeEngine(environment=environment, answer_seconds=answer_seconds).describe()
    assert "--engine embedded" in str(caught.value.hint), "there is always a way without"
    return caught.value


def test_both_programs_are_described_with_their_versions(each_compose: ContainerEngine) -> None:
    version = each_compose.docker("version", "--format", "{{.Server.Version}}")

    described = compose_engine(each_compose).describe()

    assert described.startswith("docker")
    assert described.endswith(f"with docker {version}")


def test_docker_that_is_not_installed_is_told(tmp_path: Path) -> None:
    error = refusal({"PATH": str(tmp_path)})

    assert error.reason == "not_installed"
    assert error.text == "neither Docker nor Podman is installed"
    assert "install" in str(error.hint)


def test_docker_without_compose_is_told(any_compose: ContainerEngine, tmp_path: Path) -> None:
    script = 'if [ "$1" = compose ]; then exec "$real" no-such-command; fi\nexec "$real" "$@"'
    alone = any_compose.wrapped(tmp_path / "bin", "docker", script)

    error = refusal({**alone.environment, "PATH": f"{tmp_path / 'bin'}:/bin-without-compose"})

    assert error.reason == "not_installed"
    assert "docker-compose" in error.text
    assert "docker is installed" in error.text


def test_a_daemon_that_does_not_run_is_told(each_compose: ContainerEngine, tmp_path: Path) -> None:
    error = refusal(each_compose.at(f"unix://{tmp_path}/none.sock").environment)

    assert error.reason == "not_running"
    assert "daemon is not running" in error.text
    assert "start" in str(error.hint)


def test_a_daemon_that_this_user_may_not_use_is_told(
    each_compose: ContainerEngine, tmp_path: Path
) -> None:
    """Docker's program runs as nobody, whom the daemon's socket does not let in."""
    if os.geteuid() != 0:
        leave_out("only root can be somebody else", "make test")
    script = 'exec setpriv --reuid=65534 --regid=65534 --clear-groups "$real" "$@"'
    as_nobody = each_compose.wrapped(tmp_path / "bin", "docker", script)
    folder = Path(each_compose.environment["DOCKER_HOST"].removeprefix("unix://")).parent
    mode = folder.stat().st_mode
    if each_compose.is_ours:
        folder.chmod(0o755)
    try:
        error = refusal(as_nobody.environment)
    finally:
        if each_compose.is_ours:
            folder.chmod(mode)

    assert error.reason == "no_permission"
    assert "permission denied" in error.text
    assert "usermod -aG docker" in str(error.hint)


def test_a_daemon_that_hangs_is_told_soon(any_compose: ContainerEngine, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen(8)
        environment = any_compose.at(f"unix://{tmp_path}/silent.sock").environment
        started = time.monotonic()
        error = refusal(environment, answer_seconds=1)

    assert time.monotonic() - started < 15
    assert error.reason == "failed"
    assert "did not answer within 1 s" in error.text
    assert "restart" in str(error.hint)


@pytest.mark.parametrize(
    "host", ["tcp://192.0.2.1:2375", "ssh://ada:secret@build.example.org", "tcp://docker:2376"]
)
def test_a_daemon_on_another_machine_is_refused_without_asking_it(
    any_compose: ContainerEngine, host: str
) -> None:
    error = refusal(any_compose.at(host).environment)

    assert "another machine" in error.text
    assert "secret" not in error.text
    assert "DOCKER_HOST" in str(error.hint)


def test_a_context_of_another_machine_is_refused(any_compose: ContainerEngine) -> None:
    local = any_compose.environment["DOCKER_HOST"]
    for name, host in (("near", local), ("far", "tcp://192.0.2.1:2375")):
        any_compose.docker("context", "create", name, "--docker", f"host={host}")
    environment = {
        name: value for name, value in any_compose.environment.items() if name != "DOCKER_HOST"
    }
    try:
        near = ComposeEngine(environment={**environment, "DOCKER_CONTEXT": "near"})
        assert near.describe() == compose_engine(any_compose).describe()
        error = refusal({**environment, "DOCKER_CONTEXT": "far"})
    finally:
        any_compose.docker("context", "rm", "--force", "near", "far")

    assert "another machine (tcp://192.0.2.1:2375)" in error.text


def test_a_compose_that_answers_with_its_usage_and_0_is_not_believed(
    each_compose: ContainerEngine, server: DevServer, tmp_path: Path
) -> None:
    """It is given an option that it does not know: 1.29 then ends as if all were well."""
    wrapped = each_compose
    for name in ("docker", "docker-compose"):
        script = 'case "$*" in *" up "*) set -- "$@" --no-such-option;; esac\nexec "$real" "$@"'
        wrapped = wrapped.wrapped(tmp_path / "bin", name, script)

    with pytest.raises(ServerFailedError) as caught:
        compose_engine(wrapped).start(server, seconds=10, note=lambda _: None)

    assert "Compose did not start the server; its output:" in caught.value.text
    assert "  " in caught.value.text
