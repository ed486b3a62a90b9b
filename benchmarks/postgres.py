"""A throw-away PostgreSQL with durable settings, for the benchmarks."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.url import DatabaseUrl
from tests import postgres_server
from tests.postgres_server import PostgresServer, _run

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "50",
}


@contextmanager
def benchmark_server() -> Iterator[PostgresServer]:
    """Start a server with a migrated template database; stop and remove it afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="chatdb-bench-"))
    folder.chmod(0o777)
    try:
        server = postgres_server.running_server(folder, None)
        options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items())
        words = [server.binaries / "pg_ctl", "-D", folder / "data", "-w", "-l", folder / "log"]
        _run([*words, "-o", f"{options} -c port={server.port}", "restart"], folder)
        postgres_server.make_template(server, _migrate)
        yield server
    finally:
        postgres_server.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _migrate(url: DatabaseUrl) -> None:
    with Database.open(url) as database:
        upgrade(database)
