"""`chatdb dev-db up` killed in the middle: the next one makes it good, and nothing is left over."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import parse_url
from tests.cli.conftest import command_line, process_environment
from tests.cli.dev_projects import Run, status
from tests.postgres_server import wait_until

pytestmark = pytest.mark.large

UP = ("dev-db", "up", "--engine", "embedded", "--migrate")


def in_initdb(project: Path) -> bool:
    """Tell whether initdb is at work."""
    return any((project / ".chatdb/postgresql").glob("data.partial-*/base/1"))


def in_start(project: Path) -> bool:
    """Tell whether the server has just been started."""
    return (project / ".chatdb/postgresql/data/postmaster.pid").exists()


def in_migrate(_: Path) -> bool:
    """Tell whether the database is there: the migrations come next."""
    try:
        with connect_postgresql(
            parse_url(
                f"postgresql://chatdb:chatdb@127.0.0.1:{os.environ['CHATDB_DEV_PORT']}/chatdb_dev"
            )
        ):
            return True
    except psycopg.OperationalError:
        return False


@pytest.mark.parametrize("moment", [in_initdb, in_start, in_migrate])
def test_up_after_a_kill_is_a_whole_up(
    run: Run, project: Path, moment: Callable[[Path], bool]
) -> None:
    with subprocess.Popen(
        command_line(*UP),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=process_environment(),
    ) as process:
        wait_until(lambda: moment(project) or process.poll() is not None)
        process.send_signal(signal.SIGKILL)
        process.wait()

    again = run(*UP)

    assert again.exit_code == 0, again.stderr
    assert status(run)["schema_state"] == "current"
    home = project / ".chatdb/postgresql"
    # An initdb that was left alone may have gone on for a moment: what it left goes at a start.
    for words in (("stop",), ("up",), ("stop",)):
        assert run("dev-db", *words).exit_code == 0
    names = {path.name for path in home.iterdir()}
    assert names == {"data", "server.json", "server.lock", "server.log"}


@pytest.mark.parametrize("port", [(), ("--port", "auto")])
def test_up_after_a_kill_between_a_new_password_and_its_note_goes_on(
    run: Run, project: Path, port: tuple[str, ...]
) -> None:
    assert run(*UP).exit_code == 0
    run("dev-db", "stop")
    memory = project / ".chatdb/dev-db.json"
    told = json.loads(memory.read_text())
    memory.write_text(json.dumps({**told, "password": "the previous one"}))

    again = run(*UP, *port, env={"CHATDB_DEV_PASSWORD": told["password"]})

    assert again.exit_code == 0, again.stderr
    assert json.loads(memory.read_text())["password"] == told["password"]


def test_ctrl_c_during_initdb_leaves_nothing(project: Path) -> None:
    with subprocess.Popen(
        command_line(*UP),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=process_environment(),
        start_new_session=True,
    ) as process:
        wait_until(lambda: in_initdb(project) or process.poll() is not None)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=30)

    assert process.returncode == 130
    assert not list((project / ".chatdb/postgresql").glob("data*"))
