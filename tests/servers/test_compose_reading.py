"""What the engines' answers and words mean, where no real one here says them."""

from dataclasses import replace
from pathlib import Path

import pytest

from chatdb.errors import StorageError, UsageError
from chatdb.servers.base import DevServer
from chatdb.servers.compose import failures as compose_failures
from chatdb.servers.compose.engine import ComposeEngine
from chatdb.servers.compose.file import compose_file_of, shipped_compose_file, variables_of
from chatdb.servers.compose.objects import Container, major_of, read_container

SERVER = DevServer(
    project="shop",
    folder=Path("/nowhere/.chatdb"),
    port=5432,
    user="ada",
    password="secret",
    database="chat",
    image="pgvector/pgvector:pg17",
)
MINIMAL = {"Id": "abc", "Name": "/shop-postgres-1", "State": {"Status": "running"}}


def test_a_container_as_podman_tells_of_it_is_read() -> None:
    item = {
        "Id": "abc",
        "Name": "shop_postgres_1",
        "State": {"Status": "running", "Healthcheck": {"Status": "Starting"}, "ExitCode": 0},
        "Config": {"Image": "docker.io/pgvector/pgvector:pg17", "Env": ["PG_MAJOR=17"]},
        "HostConfig": {"PortBindings": {"5432/tcp": [{"HostIp": "127.0.0.1", "HostPort": "6000"}]}},
    }

    container = read_container(item)

    assert (container.name, container.health, container.port, container.major) == (
        "shop_postgres_1",
        "starting",
        6000,
        17,
    )
    assert not container.is_healthy


def test_a_container_with_nothing_but_its_state_is_read() -> None:
    assert read_container(MINIMAL) == Container(
        id="abc", name="shop-postgres-1", image="", status="running"
    )


@pytest.mark.parametrize(
    ("status", "exit_code", "restarts", "failed"),
    [
        ("exited", 0, 0, False),
        ("exited", 137, 0, True),
        ("dead", 0, 0, True),
        ("restarting", 1, 4, True),
        ("running", 0, 0, False),
        ("created", 0, 0, False),
        ("paused", 0, 0, False),
    ],
)
def test_a_container_has_failed_when_its_server_ended_by_itself(
    status: str, exit_code: int, restarts: int, *, failed: bool
) -> None:
    container = replace(
        read_container(MINIMAL), status=status, exit_code=exit_code, restarts=restarts
    )

    assert container.has_failed is failed


def test_a_container_that_was_started_again_and_again_has_failed_until_it_is_healthy() -> None:
    looping = replace(read_container(MINIMAL), restarts=3, health="starting")

    assert looping.has_failed
    assert not replace(looping, health="healthy").has_failed


def test_an_images_major_version_is_read_from_its_environment() -> None:
    assert major_of(["PATH=/bin", "PG_MAJOR=18", "PG_VERSION=18.3-1"]) == 18
    assert major_of(["PATH=/bin", "PG_MAJOR=beta"]) is None


@pytest.mark.parametrize(
    ("image", "fitting"),
    [
        ("pgvector/pgvector:pg18", "pgvector/pgvector:pg16"),
        ("postgres:18", "postgres:16"),
        ("postgres:18-bookworm", "postgres:16-bookworm"),
        ("postgres", "pgvector/pgvector:pg16"),
        ("registry:1800/postgres:latest", "pgvector/pgvector:pg16"),
    ],
)
def test_the_image_that_fits_old_data_is_named(image: str, fitting: str) -> None:
    error = compose_failures.other_major("shop_postgres-data", image, wrote=16, runs=18)

    assert f"CHATDB_DEV_IMAGE={fitting} chatdb" in str(error.hint)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("dial tcp: lookup registry-1.docker.io: no such host", "cannot be reached"),
        ("Error response from daemon: manifest for x:1 not found: manifest unknown", "no such"),
        ("toomanyrequests: You have reached your pull rate limit", "refuses further downloads"),
        ("something new\nthe last line", "the last line"),
    ],
)
def test_why_an_image_was_not_downloaded_is_told(said: str, why: str) -> None:
    assert why in compose_failures.not_downloaded("docker", "x:1", said).text


def test_a_disk_that_is_full_is_told_wherever_it_shows() -> None:
    said = "write /var/lib/docker/tmp/x: no space left on device"

    for error in (
        compose_failures.not_downloaded("docker", "x:1", said),
        compose_failures.not_started("docker", said),
        compose_failures.died("docker", SERVER, "v", [said], exit_code=1, out_of_memory=False),
    ):
        assert isinstance(error, StorageError)


def test_a_server_that_used_up_its_memory_is_told_how_to_get_more() -> None:
    error = compose_failures.died(
        "docker", SERVER, "v", ["LOG: x"], exit_code=137, out_of_memory=True
    )

    assert "memory" in error.text
    assert "CHATDB_DEV_MEMORY" in str(error.hint)


def test_data_of_another_major_version_is_told_from_the_servers_log_too() -> None:
    log = [
        "FATAL:  database files are incompatible with server",
        (
            "DETAIL:  The data directory was initialized by PostgreSQL version 15, which is not"
            " compatible with this version 17.9."
        ),
    ]

    error = compose_failures.died("docker", SERVER, "v", log, exit_code=1, out_of_memory=False)

    assert "written by PostgreSQL 15" in error.text
    assert "CHATDB_DEV_IMAGE=pgvector/pgvector:pg15" in str(error.hint)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            (
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
                " Is the docker daemon running?"
            ),
            "not_running",
        ),
        (
            (
                "error during connect: this error may indicate that the docker daemon is not"
                " running: open //./pipe/docker_engine: The system cannot find the file specified."
            ),
            "not_running",
        ),
        (
            (
                "failed to connect to the docker API at unix:///var/run/docker.sock; check if"
                " the path is correct and if the daemon is running: dial unix: no such file or"
                " directory"
            ),
            "not_running",
        ),
        (
            (
                "permission denied while trying to connect to the Docker daemon socket at"
                " unix:///var/run/docker.sock: dial unix: connect: permission denied"
            ),
            "no_permission",
        ),
        (
            "Cannot connect to Podman. Please verify your connection to the Linux system",
            "not_running",
        ),
        ("Error response from daemon: client version 1.50 is too new", "failed"),
    ],
)
def test_why_an_engine_does_not_work_is_told_apart(said: str, reason: str) -> None:
    assert compose_failures.unavailable("docker", said).reason == reason


def test_a_name_that_compose_would_change_is_refused() -> None:
    with pytest.raises(UsageError):
        ComposeEngine(environment={}).look(replace(SERVER, project="My Shop"))


def test_a_compose_file_of_the_same_name_without_our_labels_is_another_programs(
    tmp_path: Path,
) -> None:
    server = replace(SERVER, folder=tmp_path / ".chatdb")
    (tmp_path / "docker-compose.dev.yml").write_text("services: {web: {image: nginx}}\n")

    assert compose_file_of(server) == shipped_compose_file()


def test_the_compose_file_reads_every_variable_that_it_is_given() -> None:
    text = shipped_compose_file().read_text()

    assert [name for name in variables_of(SERVER) if f"${{{name}:-" not in text] == []
    assert "127.0.0.1:${CHATDB_DEV_PORT:-5432}:5432" in text


def test_the_compose_files_defaults_are_those_of_the_settings() -> None:
    from chatdb import variables

    text = shipped_compose_file().read_text()

    for variable in (
        *(variables.DEV_IMAGE, variables.DEV_PORT, variables.DEV_USER),
        *(variables.DEV_PASSWORD, variables.DEV_DATABASE),
    ):
        assert f"${{{variable.names[0]}:-{variable.default}}}" in text
