"""Which engine runs a project's server, with a real container engine beside the embedded one."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.operations.dev_db.dev_db import DevDatabase, DevServerOption, DevServerOptions, Started
from chatdb.operations.dev_db.engines import Engines
from chatdb.operations.dev_db.memory import project_at
from chatdb.servers.base import ServerState
from tests.servers.container_engine import IMAGE, ContainerEngine
from tests.servers.projects import free_port, open_folder

pytestmark = pytest.mark.xdist_group("containers")


@pytest.fixture
def dev(any_compose: ContainerEngine) -> Iterator[DevDatabase]:
    """A project in which both engines work; nothing of it is left afterwards."""
    with open_folder() as folder:
        project = project_at(folder)
        found = DevDatabase(project, Engines(environment=any_compose.environment))
        try:
            yield found
        finally:
            memory = project.load()
            for name in ("compose", "embedded") if memory else ():
                assert memory is not None
                engine = found.engines.named(name)
                engine.remove(memory.server(project.folder), data=True, note=lambda _: None)


def asked(engine: str = "auto", *, image: str = IMAGE, port: int = 0) -> DevServerOptions:
    """Return what is asked of a server; 0 leaves the port to chance."""
    return DevServerOptions(
        engine=DevServerOption(engine, asked=engine != "auto"),
        port=DevServerOption(str(port or free_port()), asked=True),
        user=DevServerOption("ada", asked=True),
        password=DevServerOption("p%@/:w%41 #?", asked=True),
        database=DevServerOption("chat", asked=True),
        image=DevServerOption(image, asked=True),
    )


def up(dev: DevDatabase, options: DevServerOptions) -> tuple[Started, list[str]]:
    """Start a server; return what came of it and what was said."""
    said: list[str] = []
    return dev.up(options, seconds=60, note=said.append), said


def answers(started: Started) -> bool:
    """Tell whether the server's database answers."""
    with closing(connect_postgresql(started.server.url)) as connection:
        return connection.execute("SELECT current_database()::text").fetchone() == ("chat",)


@pytest.mark.large
def test_auto_takes_compose_where_it_works_and_keeps_to_it(dev: DevDatabase) -> None:
    options = asked()
    first, said = up(dev, options)

    assert (first.engine, first.outcome) == ("compose", "made")
    assert any(line.startswith("by compose: ") for line in said)
    assert answers(first)

    again, said = up(dev, options)
    assert (again.engine, again.outcome, said) == ("compose", "running", [])


def test_auto_goes_on_to_embedded_when_there_is_no_image(dev: DevDatabase) -> None:
    started, said = up(dev, asked(image="127.0.0.1:1/nobody/has-this:1"))

    assert (started.engine, started.outcome) == ("embedded", "made")
    assert any(line.startswith("not by compose: the image ") for line in said)
    assert answers(started)


@pytest.mark.large
def test_switching_stops_one_server_and_keeps_its_data(dev: DevDatabase) -> None:
    options = asked("embedded")
    first, _ = up(dev, options)
    second, said = up(dev, replace(options, engine=DevServerOption("compose", asked=True)))

    assert (first.engine, second.engine) == ("embedded", "compose")
    assert any("chatdb dev-db up --engine embedded" in line for line in said)
    assert answers(second)
    seen = dev.engines.named("embedded").look(first.server)
    assert seen.state is ServerState.STOPPED
    assert Path(str(seen.data)).is_dir()


def test_a_server_whose_memory_was_lost_is_found_by_its_data(dev: DevDatabase) -> None:
    options = asked("embedded")
    up(dev, options)
    dev.project.forget()

    found, _ = up(dev, replace(options, engine=DevServerOption("auto", asked=False)))

    assert (found.engine, found.outcome) == ("embedded", "running")
