"""What goes wrong with a server in a container, on a real engine: each error says what to do."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from chatdb.errors import (
    ChatdbError,
    EngineUnavailableError,
    PortTakenError,
    ServerFailedError,
    StorageError,
)
from chatdb.servers.base import DevServer, ServerState
from chatdb.servers.compose.file import shipped_compose_file
from tests.postgres_server import wait_until
from tests.programs import leave_out
from tests.servers.conftest import compose_engine, new_server
from tests.servers.container_engine import ContainerEngine, remove_project
from tests.servers.relay import relay

pytestmark = [pytest.mark.xdist_group("containers"), pytest.mark.large]
SECONDS = 60.0


def silent(_: str) -> None:
    """Take a note and do nothing with it."""


def failure(engine: ContainerEngine, server: DevServer) -> ChatdbError:
    """Return the error that starting the server ends with."""
    with pytest.raises(ChatdbError) as caught:
        compose_engine(engine).start(server, seconds=SECONDS, note=silent)
    assert server.password not in caught.value.text + str(caught.value.hint)
    return caught.value


def containers_of(engine: ContainerEngine, server: DevServer) -> list[str]:
    label = f"label=com.docker.compose.project={server.project}"
    return engine.docker("ps", "-aq", "--filter", label).split()


def make_volume(engine: ContainerEngine, server: DevServer, *options: str) -> str:
    """Make the volume that chatdb would make, with options of the engine."""
    name = f"{server.project}_postgres-data"
    labels = {
        "chatdb.server": "dev-db",
        "com.docker.compose.project": server.project,
        "com.docker.compose.volume": "postgres-data",
    }
    words = [word for key, value in labels.items() for word in ("--label", f"{key}={value}")]
    engine.docker("volume", "create", *words, *options, name)
    return name


def own_file(server: DevServer, *changes: tuple[str, str]) -> None:
    """Give the project its own copy of the compose file, with changes."""
    text = shipped_compose_file().read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    server.folder.mkdir(parents=True)
    (server.folder.parent / "docker-compose.dev.yml").write_text(text)


# --- The port ----------------------------------------------------------------------------------


def test_a_port_that_a_program_has_is_named_with_the_program(
    any_compose: ContainerEngine, server: DevServer
) -> None:
    with socket.create_server(("127.0.0.1", server.port)):
        error = failure(any_compose, server)

    assert isinstance(error, PortTakenError)
    assert f"port {server.port}" in error.text
    assert "pid" in error.text
    assert "--port" in str(error.hint)
    assert containers_of(any_compose, server) == []


def test_a_port_that_a_container_has_is_named_with_the_container(
    any_compose: ContainerEngine, running_server: DevServer, server: DevServer
) -> None:
    error = failure(any_compose, replace(server, port=running_server.port))

    assert isinstance(error, PortTakenError)
    assert f"the container {running_server.project}" in error.text


def test_a_port_that_is_taken_in_the_middle_leaves_no_container_behind(
    each_compose: ContainerEngine, server: DevServer, tmp_path: Path
) -> None:
    """Compose waits until the test has the port, so that looking before did not help."""
    asked, go = tmp_path / "asked", tmp_path / "go"
    wait = f'case "$*" in *" up "*) touch {asked}; while [ ! -e {go} ]; do sleep 0.05; done; esac'
    wrapped = each_compose
    for name in ("docker-compose", "docker"):
        wrapped = wrapped.wrapped(tmp_path / "bin", name, f'{wait}\nexec "$real" "$@"')
    with pytest.raises(PortTakenError) as caught, taken_when_asked(tmp_path, server.port):
        compose_engine(wrapped).start(server, seconds=SECONDS, note=silent)

    assert f"port {server.port}" in caught.value.text
    assert containers_of(each_compose, server) == []


@contextmanager
def taken_when_asked(folder: Path, port: int) -> Iterator[None]:
    listening = socket.socket()

    def take() -> None:
        wait_until((folder / "asked").exists)
        listening.bind(("127.0.0.1", port))
        listening.listen(1)
        (folder / "go").touch()

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        listening.close()


# --- The image and the volume ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OldServer:
    """A server of which only the volume is left, and the major version that wrote it."""

    server: DevServer
    major: int | None


@pytest.fixture(scope="module")
def old_server(
    any_compose: ContainerEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OldServer]:
    asked, engine = new_server(tmp_path_factory.mktemp("old")), compose_engine(any_compose)
    engine.start(asked, seconds=SECONDS, note=silent)
    major = engine.look(asked).major
    engine.remove(asked, data=False, note=silent)
    yield OldServer(asked, major)
    remove_project(any_compose, asked.project)


def test_an_image_that_cannot_be_downloaded_is_an_error_with_a_way_out(
    any_compose: ContainerEngine, server: DevServer
) -> None:
    error = failure(any_compose, replace(server, image="localhost:9/no/such:pg17"))

    assert isinstance(error, ServerFailedError)
    assert "could not be downloaded" in error.text
    assert "--engine embedded" in str(error.hint)
    assert containers_of(any_compose, server) == []


@pytest.mark.large
def test_a_volume_of_another_major_version_is_told_before_anything_is_started(
    any_compose: ContainerEngine, old_server: OldServer, newer_image: str
) -> None:
    wrote = old_server.major
    if wrote == 18:
        leave_out("there is only one PostgreSQL here", "apt-get install postgresql-15")

    error = failure(any_compose, replace(old_server.server, image=newer_image))

    assert isinstance(error, ServerFailedError)
    assert f"written by PostgreSQL {wrote}" in error.text
    assert "is PostgreSQL 18" in error.text
    assert f"CHATDB_DEV_IMAGE=pgvector/pgvector:pg{wrote}" in str(error.hint)
    assert containers_of(any_compose, old_server.server) == []


@pytest.mark.large
def test_an_old_volume_with_another_password_is_told_with_the_ways_out(
    any_compose: ContainerEngine, old_server: OldServer
) -> None:
    engine, server = compose_engine(any_compose), old_server.server
    changed = replace(server, password="another one")

    started = time.monotonic()
    error = failure(any_compose, changed)

    assert time.monotonic() - started < SECONDS / 2, "it waited for what does not go away"
    assert isinstance(error, ServerFailedError)
    assert f"refuses the login of {server.user}" in error.text
    container = engine.look(changed).process or ""
    assert any_compose.docker("ps", "-q", "--filter", f"id={container}") == container
    # The way out that the hint names: inside the container no password is asked for.
    assert "docker exec -it" in str(error.hint)
    words = ("psql", "-U", server.user, "-d", server.database, "-c")
    any_compose.docker("exec", container, *words, "ALTER ROLE ada PASSWORD 'another one'")
    engine.start(changed, seconds=SECONDS, note=silent)


@pytest.mark.large
def test_a_volume_whose_making_was_interrupted_is_told(
    any_compose: ContainerEngine, server: DevServer
) -> None:
    volume = make_volume(any_compose, server)
    script = (
        "mkdir -p $PGDATA && chown postgres $PGDATA && printf x > /tmp/secret"
        " && chmod a+r /tmp/secret && setpriv --reuid=postgres --regid=postgres --clear-groups"
        " initdb --no-sync -U ada --pwfile=/tmp/secret && sed -i"
        " \"s/^#listen_addresses = 'localhost'/listen_addresses = '*'/\" $PGDATA/postgresql.conf"
    )
    any_compose.docker(
        *("run", "--rm", "--network", "none", "--env", "PGDATA=/var/lib/postgresql/chatdb"),
        *("--volume", f"{volume}:/var/lib/postgresql", "--entrypoint", "sh"),
        *(server.image, "-c", script),
    )

    error = failure(any_compose, server)

    assert isinstance(error, ServerFailedError)
    assert f"creating the volume {volume} was interrupted" in error.text
    assert "chatdb dev-db down --volumes" in str(error.hint)


def test_a_full_disk_is_called_a_full_disk(
    plugin_compose: ContainerEngine, server: DevServer
) -> None:
    small = ("--opt", "type=tmpfs", "--opt", "device=tmpfs", "--opt", "o=size=12m,mode=1777")
    make_volume(plugin_compose, server, *small)

    error = failure(plugin_compose, server)

    assert isinstance(error, StorageError)
    assert "disk" in error.text
    assert "docker system" in str(error.hint)


# --- The server --------------------------------------------------------------------------------


@pytest.mark.large
def test_a_server_that_ends_at_its_start_is_told_with_the_end_of_its_log(
    any_compose: ContainerEngine, server: DevServer
) -> None:
    command = 'command: ["postgres", "-c", "no_such_setting=1"]'
    own_file(server, ("    stop_grace_period", f"    {command}\n    stop_grace_period"))

    error = failure(any_compose, server)

    assert isinstance(error, ServerFailedError)
    assert "stopped at startup (exit code 1)" in error.text
    assert 'unrecognized configuration parameter "no_such_setting"' in error.text
    assert "chatdb dev-db logs" in str(error.hint)
    assert compose_engine(any_compose).look(server).state is ServerState.FAILED


@pytest.mark.large
def test_a_server_that_is_started_again_and_again_is_told_and_removed(
    any_compose: ContainerEngine, server: DevServer
) -> None:
    command = 'restart: unless-stopped\n    command: ["sh", "-c", "echo broken; exit 3"]'
    own_file(server, ("    stop_grace_period", f"    {command}\n    stop_grace_period"))

    error = failure(any_compose, server)
    compose_engine(any_compose).remove(server, data=True, note=silent)

    assert isinstance(error, ServerFailedError)
    assert re.match(r"the server stopped at startup( \(exit code 3\))?; ", error.text)
    assert "  broken" in error.text
    assert containers_of(any_compose, server) == []


@pytest.mark.large
def test_the_projects_own_compose_file_is_used_and_a_server_that_does_not_answer_is_told(
    any_compose: ContainerEngine, server: DevServer
) -> None:
    command = 'command: ["sleep", "600"]\n    stop_signal: SIGKILL'
    own_file(
        server, ("256m", "128m"), ("    stop_grace_period", f"    {command}\n    stop_grace_period")
    )
    # The application's settings, in a form that Compose cannot read.
    (server.folder.parent / ".env").write_text("this is = not what Compose\nreads '\n")

    with pytest.raises(ServerFailedError) as caught:
        compose_engine(any_compose).start(server, seconds=2, note=silent)

    assert "did not answer within 2 s" in caught.value.text
    seen = compose_engine(any_compose).look(server)
    assert seen.state is ServerState.STARTING
    size = any_compose.docker("inspect", "-f", "{{.HostConfig.ShmSize}}", seen.process or "")
    assert int(size) == 128 * 1024**2


# --- What is not ours --------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["-", "_"])
def test_a_container_of_the_same_name_that_is_not_ours_is_never_touched(
    any_compose: ContainerEngine, server: DevServer, mark: str
) -> None:
    name = f"{server.project}{mark}postgres{mark}1"
    label = f"com.docker.compose.project={server.project}"
    theirs = any_compose.docker("create", "--name", name, "--label", label, server.image)
    engine = compose_engine(any_compose)

    error = failure(any_compose, server)
    assert engine.look(server).state is ServerState.ABSENT
    assert not engine.stop(server, note=silent)
    engine.remove(server, data=True, note=silent)

    assert f"the container {name}" in error.text
    assert any_compose.docker("ps", "-aq", "--no-trunc", "--filter", f"name={name}") == theirs


def test_a_volume_of_the_same_name_that_is_not_ours_is_never_touched(
    any_compose: ContainerEngine, server: DevServer
) -> None:
    volume = f"{server.project}_postgres-data"
    any_compose.docker("volume", "create", volume)

    error = failure(any_compose, server)
    compose_engine(any_compose).remove(server, data=True, note=silent)

    assert f"the volume {volume}" in error.text
    assert any_compose.docker("volume", "rm", volume) == volume


@pytest.mark.large
def test_others_on_our_network_and_volume_stay_as_they_are(
    any_compose: ContainerEngine, server: DevServer
) -> None:
    engine = compose_engine(any_compose)
    notes: list[str] = []
    engine.start(server, seconds=SECONDS, note=silent)
    theirs = any_compose.docker(
        *("run", "--detach", "--name", f"{server.project}-app"),
        *("--network", f"{server.project}_default"),
        *("--volume", f"{server.project}_postgres-data:/theirs"),
        *("--entrypoint", "sleep", server.image, "600"),
    )

    with pytest.raises(ServerFailedError) as caught:
        engine.remove(server, data=True, note=notes.append)

    try:
        assert "could not be removed" in caught.value.text
        assert any("the network is kept" in note for note in notes)
        assert any_compose.docker("inspect", "-f", "{{.State.Running}}", theirs) == "true"
        assert engine.look(server).data is not None
    finally:
        any_compose.docker("rm", "--force", "--volumes", theirs)


# --- The engine goes away ----------------------------------------------------------------------


@pytest.mark.large
def test_a_daemon_that_stops_while_compose_works_is_told(
    each_compose: ContainerEngine, server: DevServer, tmp_path: Path
) -> None:
    with relay(each_compose.environment["DOCKER_HOST"], tmp_path) as line:
        line.cut_at(b"/containers/create", silently=False)
        error = failure(each_compose.at(line.address), server)

    assert isinstance(error, EngineUnavailableError)
    assert error.reason == "not_running"
    # The next start, with the daemon there again, completes it.
    compose_engine(each_compose).start(server, seconds=SECONDS, note=silent)


@pytest.mark.large
def test_a_daemon_that_hangs_while_compose_works_is_told(
    any_compose: ContainerEngine, server: DevServer, tmp_path: Path
) -> None:
    with relay(any_compose.environment["DOCKER_HOST"], tmp_path) as line:
        line.cut_at(b"/containers/create", silently=True)
        there = compose_engine(any_compose.at(line.address), answer_seconds=1.5)
        with pytest.raises(EngineUnavailableError) as caught:
            there.start(server, seconds=SECONDS, note=silent)

    assert caught.value.reason == "failed"
    assert "did not answer within 6 s" in caught.value.text
    assert "restart" in str(caught.value.hint)
