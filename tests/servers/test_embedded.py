"""The embedded engine on real servers: made, found again, stopped, and never mistaken."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatdb.errors import (
    EngineUnavailableError,
    PortTakenError,
    RefusedError,
    ServerFailedError,
)
from chatdb.servers.base import DevServer, ServerState
from chatdb.servers.embedded.engine import EmbeddedEngine
from chatdb.servers.embedded.home import find_home
from chatdb.servers.embedded.process import ended_at_start
from chatdb.servers.postgres_tools import find_servers, wheel_folder
from tests.postgres_server import PostgresServer, wait_until
from tests.programs import leave_out
from tests.servers.projects import (
    copy_of,
    free_port,
    is_alive,
    listening,
    open_folder,
    pid_of,
    query,
    removed_at_the_end,
    server_at,
    start,
)
from tests.small_disk import enlarge, small_disk

ENGINE = EmbeddedEngine()


def ignore(_: str) -> None:
    """Take a note and do nothing with it."""


@pytest.fixture(scope="module")
def made() -> Iterator[DevServer]:
    """A server that was made and stopped: the others are copies of it, which is quicker."""
    with open_folder() as folder, removed_at_the_end(server_at(folder)) as server:
        start(server)
        ENGINE.stop(server, note=ignore)
        yield server


@pytest.fixture
def server(made: DevServer) -> Iterator[DevServer]:
    """A stopped server of this test's own."""
    with open_folder() as folder, removed_at_the_end(server_at(folder)) as server:
        copy_of(made.folder, server.folder)
        yield server


@pytest.fixture
def new() -> Iterator[DevServer]:
    """A server that does not exist yet."""
    with open_folder() as folder, removed_at_the_end(server_at(folder)) as server:
        yield server


def test_a_server_is_made_and_answers_to_a_difficult_password(new: DevServer) -> None:
    assert ENGINE.look(new).state is ServerState.ABSENT

    said = start(new)

    seen = ENGINE.look(new)
    assert query(new, "SELECT current_database()::text, current_user::text") == [("chat", "ada")]
    assert (seen.state, seen.port) == (ServerState.RUNNING, new.port)
    assert seen.major is not None
    assert seen.data == str(new.folder / "postgresql" / "data")
    assert any(f"in {seen.data}" in line for line in said)
    assert query(new, "SHOW server_encoding", "SELECT upper('ä')") == [("Ä",)]


def test_the_password_is_in_no_file_and_no_argument(new: DevServer) -> None:
    start(new)

    words = Path(f"/proc/{pid_of(new)}/cmdline").read_bytes()
    assert new.password.encode() not in words
    files = [path for path in new.folder.rglob("*") if path.is_file()]
    assert [path for path in files if new.password.encode() in path.read_bytes()] == []


def test_a_running_server_is_left_as_it_is(server: DevServer) -> None:
    start(server)
    pid = pid_of(server)

    assert start(server) == []
    assert pid_of(server) == pid


def test_a_stopped_server_keeps_its_data_and_ends_its_sessions(server: DevServer) -> None:
    start(server)
    query(server, "CREATE TABLE kept AS SELECT 42 AS n")

    assert ENGINE.stop(server, note=ignore)
    assert ENGINE.look(server).state is ServerState.STOPPED
    assert not ENGINE.stop(server, note=ignore)

    start(server)
    assert query(server, "SELECT n FROM kept") == [(42,)]


def test_a_server_that_was_killed_has_all_that_was_committed(server: DevServer) -> None:
    start(server)
    query(server, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (42)")

    os.kill(pid_of(server), signal.SIGKILL)
    wait_until(lambda: ENGINE.look(server).state is ServerState.STOPPED)

    start(server)
    assert query(server, "SELECT n FROM kept") == [(42,)]


def test_tls_that_the_environment_demands_is_told_at_once(
    server: DevServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(server)
    monkeypatch.setenv("PGSSLMODE", "require")

    with pytest.raises(ServerFailedError, match="does not support TLS") as caught:
        start(server)

    assert "PGSSLMODE" in str(caught.value.hint)
    monkeypatch.delenv("PGSSLMODE")
    ENGINE.stop(server, note=ignore)


def test_a_pid_that_another_process_has_now_stops_nothing(server: DevServer) -> None:
    start(server)
    os.kill(pid_of(server), signal.SIGKILL)
    home = find_home(server)
    with subprocess.Popen(["sleep", "60"]) as bystander:
        pid_file = home.data / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        pid_file.write_text("\n".join([str(bystander.pid), *lines[1:]]) + "\n")
        record = json.loads((home.folder / "server.json").read_text())
        (home.folder / "server.json").write_text(json.dumps({**record, "pid": bystander.pid}))

        assert ENGINE.look(server).state is ServerState.STOPPED
        assert not ENGINE.stop(server, note=ignore)
        start(server)
        assert pid_of(server) != bystander.pid
        ENGINE.stop(server, note=ignore)

        assert bystander.poll() is None
        bystander.kill()


def test_a_server_whose_record_is_lost_is_found_again(server: DevServer) -> None:
    start(server)
    pid = pid_of(server)
    (find_home(server).folder / "server.json").unlink()

    assert pid_of(server) == pid
    assert ENGINE.stop(server, note=ignore)
    assert not is_alive(pid)


@pytest.mark.large
def test_a_server_that_cannot_be_seen_is_not_joined_by_another(server: DevServer) -> None:
    home = find_home(server)
    words = [sys.executable, "-c", "input()"]
    with (home.folder / "server.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # What holds the lock is no process that chatdb knows, as in another container.
        with subprocess.Popen(words, stdin=subprocess.PIPE, pass_fds=[lock.fileno()]) as holder:
            lock.close()

            for act in (
                lambda: start(server),
                lambda: ENGINE.remove(server, data=True, note=ignore),
            ):
                with pytest.raises(ServerFailedError, match="perhaps in another container"):
                    act()
            holder.communicate(b"\n")

    start(server)
    with (home.folder / "server.lock").open("a") as lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_copied_project_does_not_stop_the_first_ones_server(server: DevServer) -> None:
    start(server)
    pid = pid_of(server)
    with open_folder("copy") as folder, removed_at_the_end(server_at(folder)) as copied:
        copy_of(server.folder, copied.folder)

        assert ENGINE.look(copied).state is ServerState.STOPPED
        assert not ENGINE.stop(copied, note=ignore)

    assert is_alive(pid)


def test_the_rest_of_an_initdb_that_was_killed_is_cleared_away(new: DevServer) -> None:
    home = find_home(new)
    home.make()
    half = home.folder / "data.partial-12345678"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    (home.folder / "data.partial-12345678.password").write_text("left behind")

    assert ENGINE.look(new).state is ServerState.ABSENT
    start(new)

    assert not list(home.folder.glob("data.partial*"))


def test_data_that_chatdb_did_not_make_is_neither_started_nor_removed(new: DevServer) -> None:
    theirs = find_home(new).data
    theirs.mkdir(parents=True)
    (theirs / "PG_VERSION").write_text("18\n")
    (theirs / "precious").write_text("theirs")

    for act in (
        lambda: start(new),
        lambda: ENGINE.stop(new, note=ignore),
        lambda: ENGINE.remove(new, data=True, note=ignore),
    ):
        with pytest.raises(RefusedError, match="chatdb did not create it"):
            act()

    assert (theirs / "precious").read_text() == "theirs"


def test_data_of_another_major_version_is_left_alone(server: DevServer) -> None:
    version = find_home(server).data / "PG_VERSION"
    version.write_text("9\n")

    with pytest.raises(ServerFailedError, match="created by PostgreSQL 9, but this") as caught:
        start(server)

    assert "dev-db down --volumes" in str(caught.value.hint)
    assert version.read_text() == "9\n"
    assert ENGINE.look(server).major == 9


def test_data_is_started_by_the_version_that_made_it(new: DevServer) -> None:
    others = [item for item in find_servers() if item.path.parent != wheel_folder()]
    if not others:
        leave_out("there is only one PostgreSQL here", "apt-get install postgresql-15")
    older = EmbeddedEngine(bindir=others[-1].path.parent)
    start(new, older)
    ENGINE.stop(new, note=ignore)

    start(new)

    assert ENGINE.look(new).major == others[-1].major
    assert query(new, "SHOW server_version_num")[0][0].startswith(str(others[-1].major))


def test_a_port_that_was_taken_between_the_look_and_the_start_is_told_as_one(
    new: DevServer,
) -> None:
    """However soon the server ends: then the next free port is tried."""
    refused = [
        'LOG:  could not bind IPv4 address "127.0.0.1": Address already in use',
        "FATAL:  could not create any TCP/IP sockets",
    ]

    assert isinstance(ended_at_start(new, refused), PortTakenError)
    assert isinstance(ended_at_start(new, ["FATAL:  out of shared memory"]), ServerFailedError)


def test_a_port_that_is_taken_names_who_has_it(server: DevServer) -> None:
    with listening() as port, pytest.raises(PortTakenError) as caught:
        start(server_at(server.folder.parent, port))

    assert f"port {port} of this machine is in use by " in caught.value.text
    assert f"(pid {os.getpid()})" in caught.value.text
    assert "--port auto" in str(caught.value.hint)


def test_another_server_on_the_port_goes_on(server: DevServer, postgres: PostgresServer) -> None:
    taken = server_at(server.folder.parent, postgres.port)

    with pytest.raises(PortTakenError, match=r"in use by postgres \(pid \d+\)"):
        start(taken)
    ENGINE.stop(taken, note=ignore)
    ENGINE.remove(taken, data=True, note=ignore)

    postgres.execute("SELECT 1")


def test_a_server_that_dies_at_its_start_shows_the_end_of_its_log(server: DevServer) -> None:
    with (find_home(server).data / "postgresql.conf").open("a") as stream:
        stream.write("work_mem = nonsense\n")

    with pytest.raises(ServerFailedError, match="stopped at startup") as caught:
        start(server)

    assert 'invalid value for parameter "work_mem"' in caught.value.text
    assert "chatdb dev-db logs" in str(caught.value.hint)


def test_a_full_disk_is_named_and_leaves_no_half_made_data(new: DevServer) -> None:
    with small_disk(new.folder, 20):
        with pytest.raises(ServerFailedError, match="initdb failed: the disk is full") as caught:
            start(new)

        assert "free some space" in str(caught.value.hint)
        assert ENGINE.look(new).state is ServerState.ABSENT
        assert not list((new.folder / "postgresql").glob("data*"))

        enlarge(new.folder, 200)
        start(new)
        assert query(new, "SELECT 1") == [(1,)]
        ENGINE.remove(new, data=True, note=ignore)


@pytest.mark.parametrize("name", ["Größe und Maß 'quoted' \"twice\"", "/".join(["long" * 20] * 6)])
def test_any_path_of_a_project_will_do(made: DevServer, name: str) -> None:
    with open_folder(name) as folder, removed_at_the_end(server_at(folder)) as server:
        copy_of(made.folder, server.folder)

        start(server)

        assert query(server, "SELECT 1") == [(1,)]
        assert ENGINE.stop(server, note=ignore)


def test_a_folder_without_a_server_is_no_engine(new: DevServer, tmp_path: Path) -> None:
    engine = EmbeddedEngine(bindir=tmp_path)

    with pytest.raises(EngineUnavailableError, match="CHATDB_PG_BINDIR") as caught:
        engine.describe()

    assert caught.value.reason == "not_installed"
    assert engine.look(new).state is ServerState.ABSENT


def test_a_wrong_password_is_told_at_once(server: DevServer) -> None:
    start(server)

    with pytest.raises(ServerFailedError, match="another user or password") as caught:
        start(server_at(server.folder.parent, server.port, password="wrong"))

    assert "CHATDB_DEV_PASSWORD" in str(caught.value.hint)


def test_the_log_has_what_the_server_says(server: DevServer) -> None:
    start(server)

    lines = list(ENGINE.logs(server, lines=1, follow=False))

    assert len(lines) == 1
    assert "ready to accept connections" in lines[0]


def test_removing_a_server_without_data_keeps_them(server: DevServer) -> None:
    start(server)
    pid = pid_of(server)

    ENGINE.remove(server, data=False, note=ignore)

    assert not is_alive(pid)
    assert ENGINE.look(server).state is ServerState.STOPPED
    assert free_port()
