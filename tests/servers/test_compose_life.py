"""The life of a server in a container, on a real engine with the shipped compose file."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.servers.base import DevServer, ServerState
from chatdb.servers.compose.file import shipped_compose_file
from chatdb.servers.dump_programs import DumpPrograms
from tests.postgres_server import wait_until
from tests.programs import leave_out
from tests.servers.conftest import compose_engine
from tests.servers.container_engine import (
    COMPOSE_KINDS,
    ContainerEngine,
    NoEngineError,
    with_compose,
)

pytestmark = [pytest.mark.xdist_group("containers"), pytest.mark.large]
SECONDS = 60.0


def silent(_: str) -> None:
    """Take a note and do nothing with it."""


def write(server: DevServer, word: str) -> None:
    """Keep a word in the database."""
    with connect_postgresql(server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS words (word text)")
        connection.execute("INSERT INTO words VALUES (%s)", (word,))


def words(server: DevServer) -> list[str]:
    """Return the words that were kept."""
    with connect_postgresql(server.url) as connection:
        return [row[0] for row in connection.execute("SELECT word FROM words ORDER BY word")]


def dumped_inside(engine: ContainerEngine, server: DevServer) -> str:
    """Return a dump by the pg_dump inside the container, as where this machine has none."""
    programs = DumpPrograms(engine.environment)
    client = programs._in_container("pg_dump", 15, server.url)
    assert client is not None
    assert client.container
    with programs.running(client, ["--no-password"], url=server.url) as running:
        text = running.stdout.read().decode()
        running.finish()
    return text


def things_of(engine: ContainerEngine, server: DevServer) -> list[str]:
    """Return the containers, networks and volumes of a project."""
    mine = ("--filter", f"label=com.docker.compose.project={server.project}")
    asked = (("ps", "-aq"), ("network", "ls", "-q"), ("volume", "ls", "-q"))
    return [name for words in asked for name in engine.docker(*words, *mine).split()]


@pytest.mark.large
def test_a_server_is_made_stopped_removed_and_its_data_stays_until_the_volume_goes(
    each_compose: ContainerEngine, server: DevServer
) -> None:
    engine = compose_engine(each_compose)
    volumes = each_compose.docker("volume", "ls", "-q")
    assert engine.look(server).state is ServerState.ABSENT

    engine.start(server, seconds=SECONDS, note=silent)
    seen = engine.look(server)
    assert (seen.state, seen.port) == (ServerState.RUNNING, server.port)
    with Database.open(server.url) as database:
        upgrade(database)
    write(server, "first")

    assert "first" in dumped_inside(each_compose, server)

    assert engine.stop(server, note=silent)
    assert not engine.stop(server, note=silent)
    assert engine.look(server).state is ServerState.STOPPED
    engine.start(server, seconds=SECONDS, note=silent)
    assert words(server) == ["first"]

    engine.remove(server, data=False, note=silent)
    assert engine.look(server).data == f"{server.project}_postgres-data"
    assert things_of(each_compose, server) == [f"{server.project}_postgres-data"]
    engine.start(server, seconds=SECONDS, note=silent)
    assert words(server) == ["first"]

    engine.remove(server, data=True, note=silent)
    assert things_of(each_compose, server) == []
    assert each_compose.docker("volume", "ls", "-q") == volumes, "an image left a volume behind"
    assert engine.look(server).state is ServerState.ABSENT


def test_the_shipped_file_is_valid_by_itself_and_nothing_is_warned_of(
    each_compose: ContainerEngine,
) -> None:
    has_plugin = each_compose.try_docker("compose", "version").returncode == 0
    program = ["docker", "compose"] if has_plugin else ["docker-compose"]

    done = subprocess.run(
        [*program, "-p", "by-hand", "-f", str(shipped_compose_file()), "config"],
        env=dict(each_compose.environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")
    for default in ("pgvector/pgvector:pg17", "127.0.0.1", "chatdb_dev", "chatdb.server: dev-db"):
        assert default in done.stdout


@pytest.mark.large
def test_the_engine_says_healthy_and_the_port_is_for_this_machine_only(
    any_compose: ContainerEngine, running_server: DevServer
) -> None:
    container = compose_engine(any_compose).look(running_server).process or ""

    def told(template: str) -> str:
        return any_compose.docker("inspect", "--format", template, container)

    wait_until(lambda: told("{{.State.Health.Status}}") == "healthy")
    published = any_compose.docker("port", container)
    assert published == f"5432/tcp -> 127.0.0.1:{running_server.port}"
    assert int(told("{{.HostConfig.Memory}}")) == 2 * 1024**3
    assert running_server.password not in told("{{.Path}} {{.Args}} {{.Config.Labels}}")


def test_a_second_start_leaves_the_server_as_it_is(
    any_compose: ContainerEngine, running_server: DevServer
) -> None:
    engine = compose_engine(any_compose)
    notes: list[str] = []
    first = engine.look(running_server)

    started = time.monotonic()
    engine.start(running_server, seconds=SECONDS, note=notes.append)

    assert time.monotonic() - started < 2
    assert notes == []
    assert engine.look(running_server) == first


def test_a_second_start_makes_a_database_that_is_missing(
    any_compose: ContainerEngine, running_server: DevServer
) -> None:
    other = replace(running_server, database='an "other" one')

    compose_engine(any_compose).start(other, seconds=SECONDS, note=silent)

    write(other, "here")
    assert words(other) == ["here"]


def test_the_log_is_read_and_followed(
    any_compose: ContainerEngine, running_server: DevServer
) -> None:
    engine = compose_engine(any_compose)
    assert len(list(engine.logs(running_server, lines=2, follow=False))) == 2
    lines = engine.logs(running_server, lines=1, follow=True)
    next(lines)
    # A line that never comes must not hold the tests up: without the container the log ends.
    late = threading.Timer(20, any_compose.docker, ("kill", engine.look(running_server).process))
    late.start()

    with connect_postgresql(running_server.url, autocommit=True) as connection:
        connection.execute("DO $$ BEGIN RAISE LOG 'a line to come'; END $$")

    assert any("a line to come" in next(lines, "") for _ in range(5))
    late.cancel()
    lines.close()  # type: ignore[attr-defined]


@pytest.mark.large
def test_every_major_version_keeps_its_data_in_the_one_volume(
    any_compose: ContainerEngine, server: DevServer, newer_image: str
) -> None:
    engine, newer = compose_engine(any_compose), replace(server, image=newer_image)
    volumes = any_compose.docker("volume", "ls", "-q")
    engine.start(newer, seconds=SECONDS, note=silent)
    write(newer, "kept")

    engine.remove(newer, data=False, note=silent)
    engine.start(newer, seconds=SECONDS, note=silent)

    assert words(newer) == ["kept"]
    assert engine.look(newer).major == 18
    engine.remove(newer, data=True, note=silent)
    assert any_compose.docker("volume", "ls", "-q") == volumes


def test_another_compose_takes_the_server_over_with_its_data(
    container_engine: ContainerEngine, server: DevServer
) -> None:
    try:
        kinds = [with_compose(container_engine, kind) for kind in COMPOSE_KINDS]
    except NoEngineError as error:
        leave_out(*error.args)
    for number, kind in enumerate((*kinds, kinds[0])):
        engine = compose_engine(kind)
        engine.start(server, seconds=SECONDS, note=silent)
        write(server, str(number))
        assert words(server) == [str(one) for one in range(number + 1)]
        engine.stop(server, note=silent)

    assert len(things_of(container_engine, server)) == 3


@pytest.mark.large
def test_a_server_that_was_killed_is_started_again_with_what_was_committed(
    any_compose: ContainerEngine, server: DevServer
) -> None:
    engine = compose_engine(any_compose)
    engine.start(server, seconds=SECONDS, note=silent)
    write(server, "committed")
    any_compose.docker("kill", "--signal", "KILL", engine.look(server).process or "")
    wait_until(lambda: engine.look(server).state is ServerState.FAILED)

    engine.start(server, seconds=SECONDS, note=silent)

    assert words(server) == ["committed"]


STARTER = """
import sys, json
from pathlib import Path
from chatdb.servers.base import DevServer
from chatdb.servers.compose.engine import ComposeEngine
given = json.loads(sys.stdin.readline())
server = DevServer(**{**given["server"], "folder": Path(given["server"]["folder"])})
ComposeEngine(environment=given["environment"]).start(server, seconds=60, note=print)
print("answers")
"""


def starter(engine: ContainerEngine, server: DevServer) -> "subprocess.Popen[str]":
    """Start the server in another process."""
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    given = {
        "server": {**asdict(server), "folder": str(server.folder)},
        "environment": dict(engine.environment),
    }
    assert process.stdin is not None
    process.stdin.write(json.dumps(given) + "\n")
    process.stdin.flush()
    return process


@pytest.mark.large
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_a_start_that_was_ended_in_the_middle_is_completed_by_the_next(
    any_compose: ContainerEngine, server: DevServer, number: signal.Signals
) -> None:
    process = starter(any_compose, server)
    wait_until(lambda: len(things_of(any_compose, server)) == 3)
    os.kill(process.pid, number)
    process.communicate(timeout=20)
    assert process.returncode != 0

    engine = compose_engine(any_compose)
    engine.start(server, seconds=SECONDS, note=silent)

    write(server, "well")
    assert len(things_of(any_compose, server)) == 3


@pytest.mark.large
def test_two_starts_at_once_make_one_server(
    any_compose: ContainerEngine, server: DevServer
) -> None:
    both = [starter(any_compose, server) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]

    assert [process.returncode for process in both] == [0, 0], said
    assert len(things_of(any_compose, server)) == 3
