"""Fixtures of a real container engine; everything that uses it runs in one worker."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from chatdb.servers.base import DevServer
from chatdb.servers.compose.engine import ComposeEngine
from tests.postgres_server import PASSWORD
from tests.programs import leave_out
from tests.servers import container_engine as engines
from tests.servers.container_engine import IMAGE, NEWER_IMAGE, ContainerEngine, NoEngineError


@pytest.fixture(scope="session")
def container_engine() -> Iterator[ContainerEngine]:
    """An engine that answers and has the image of the shipped compose file."""
    with ExitStack() as stack:
        try:
            engine = stack.enter_context(engines.running_engine())
        except NoEngineError as error:
            leave_out(*error.args)
        loaded = engines.load_image(engine, IMAGE)
        yield engine
        if loaded:
            engine.try_docker("rmi", IMAGE)


@pytest.fixture(scope="session")
def newer_image(container_engine: ContainerEngine) -> Iterator[str]:
    """An image of another major version than the usual one."""
    loaded = engines.load_image(container_engine, NEWER_IMAGE)
    yield NEWER_IMAGE
    if loaded:
        container_engine.try_docker("rmi", NEWER_IMAGE)


@pytest.fixture(scope="session", params=engines.COMPOSE_KINDS)
def each_compose(
    request: pytest.FixtureRequest, container_engine: ContainerEngine
) -> ContainerEngine:
    """The engine with docker-compose 1.29, then with Compose 2 or newer."""
    try:
        return engines.with_compose(container_engine, request.param)
    except NoEngineError as error:
        leave_out(*error.args)


@pytest.fixture(scope="session")
def any_compose(container_engine: ContainerEngine) -> ContainerEngine:
    """The engine with the newest Compose that is here."""
    for kind in reversed(engines.COMPOSE_KINDS):
        with suppress(NoEngineError):
            return engines.with_compose(container_engine, kind)
    return leave_out("there is no Compose here", ".ci/install")


@pytest.fixture(scope="session")
def plugin_compose(container_engine: ContainerEngine) -> ContainerEngine:
    """The engine with Compose 2 or newer."""
    try:
        return engines.with_compose(container_engine, engines.COMPOSE_KINDS[1])
    except NoEngineError as error:
        leave_out(*error.args)


@pytest.fixture
def server(container_engine: ContainerEngine, tmp_path: Path) -> Iterator[DevServer]:
    """A server of this test's own, with a password that careless quoting breaks on."""
    asked = new_server(tmp_path)
    yield asked
    engines.remove_project(container_engine, asked.project)


@pytest.fixture(scope="session")
def running_server(
    any_compose: ContainerEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DevServer]:
    """A server that runs, for tests that only look; what they stop they start again."""
    asked = new_server(tmp_path_factory.mktemp("running"))
    compose_engine(any_compose).start(asked, seconds=60, note=lambda _: None)
    yield asked
    engines.remove_project(any_compose, asked.project)


def new_server(folder: Path) -> DevServer:
    """Return a server of a project that nobody else has."""
    return DevServer(
        project=f"chatdb-test-{uuid4().hex[:8]}",
        folder=folder / "project" / ".chatdb",
        port=free_port(),
        user="ada",
        password=PASSWORD + "$HOME $$x \"'\\`",
        database="chat",
        image=IMAGE,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def compose_engine(engine: ContainerEngine, *, answer_seconds: float = 30.0) -> ComposeEngine:
    """Return chatdb's engine on the programs of a container engine."""
    return ComposeEngine(environment=engine.environment, answer_seconds=answer_seconds)
