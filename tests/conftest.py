"""Fixtures that every test shares: real databases of both kinds, and the command itself."""

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from chatdb.db.database import Database
from chatdb.db.migrating.migrations import upgrade
from chatdb.db.url import DatabaseUrl
from tests import object_store, postgres_server, programs, watch_server
from tests.object_store import ObjectStore
from tests.postgres_server import TEMPLATE, PostgresServer
from tests.watch_server import Watch

_SERVER_FOLDER = pytest.StashKey[Path]()
ROOT = Path(__file__).parent.parent
_KEPT = ("CHATDB_CORPUS", "CHATDB_TEST_CITUS_URL")


# How long an example takes depends on what else the machine does.
settings.register_profile("chatdb", deadline=None)
settings.load_profile("chatdb")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--pg",
        metavar="VERSION",
        help="use Debian's PostgreSQL of this major version instead of the wheel's 18",
    )
    parser.addoption(
        "--left-out",
        metavar="FILE",
        type=Path,
        help="append to this file how many tests were skipped, and why",
    )


def pytest_configure(config: pytest.Config) -> None:
    # In the background of a script it is ignored, by all processes that are started as well.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    worker_input = getattr(config, "workerinput", None)
    if worker_input is not None:
        config.stash[_SERVER_FOLDER] = Path(worker_input["chatdb_server_folder"])
        return
    folder = Path(tempfile.mkdtemp(prefix="chatdb-tests-"))
    folder.chmod(0o777)
    config.stash[_SERVER_FOLDER] = folder


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["chatdb_server_folder"] = str(node.config.stash[_SERVER_FOLDER])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return what `-n auto` means: one more than processors, for many a test waits for a server."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses the server, so that `-m postgresql` runs it again on another version."""
    for item in items:
        if "postgres" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.postgresql)
    # What one worker must run alone comes first: at the end the others would wait for it.
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Write down what was skipped, for the last lines of `make test`."""
    config = terminalreporter.config
    file: Path | None = config.getoption("--left-out")
    if file is not None and not hasattr(config, "workerinput"):
        file.parent.mkdir(exist_ok=True)
        with file.open("a") as output:
            output.writelines(f"{line}\n" for line in programs.left_out_lines(terminalreporter))


def pytest_unconfigure(config: pytest.Config) -> None:
    if getattr(config, "workerinput", None) is None and _SERVER_FOLDER in config.stash:
        postgres_server.stop(config.stash[_SERVER_FOLDER])


@pytest.fixture(autouse=True)
def _away_from_the_developers_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide the developer's own database, `.env` and home; use an odd time zone."""
    for name in list(os.environ):
        if name.startswith(("CHATDB_", "PG")) and name not in _KEPT:
            monkeypatch.delenv(name)
    for name in ("DATABASE_URL", "DIRECT_URL", "PAGER"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(tmp_path))
    # Beside it: tests look at what is in it.
    own = tmp_path.with_name(f"{tmp_path.name}-user")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(own / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(own / "state"))
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> PostgresServer:
    """The run's PostgreSQL server with a migrated template database."""
    folder = request.config.stash[_SERVER_FOLDER]
    server = postgres_server.running_server(folder, request.config.getoption("--pg"))
    postgres_server.make_template(server, _migrate)
    return server


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    _migrate(DatabaseUrl(dialect_name="sqlite", path=path))
    return path


def _migrate(url: DatabaseUrl) -> None:
    with Database.open(url, create=True) as database:
        upgrade(database)


@pytest.fixture
def sqlite_url(_sqlite_template: Path, tmp_path: Path) -> DatabaseUrl:
    """A migrated SQLite file of this test's own."""
    path = tmp_path / "chatdb.db"
    shutil.copy(_sqlite_template, path)
    return DatabaseUrl(dialect_name="sqlite", path=path)


@pytest.fixture
def postgresql_url(postgres: PostgresServer) -> Iterator[DatabaseUrl]:
    """A migrated PostgreSQL database of this test's own."""
    with postgres.new_database(template=TEMPLATE) as url:
        yield url


@pytest.fixture
def empty_postgresql_url(postgres: PostgresServer) -> Iterator[DatabaseUrl]:
    """A PostgreSQL database without any table."""
    with postgres.new_database() as url:
        yield url


@pytest.fixture
def pgvector_url(postgres: PostgresServer) -> Iterator[DatabaseUrl]:
    """A migrated PostgreSQL database whose embeddings are of pgvector's type."""
    postgres.require_pgvector()
    with postgres.new_database() as url:
        postgres.execute("CREATE EXTENSION vector", database=url.database)
        _migrate(url)
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def database_url(request: pytest.FixtureRequest) -> DatabaseUrl:
    """A migrated database of this test's own: the test runs once on each kind."""
    url: DatabaseUrl = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseUrl:
    """A database without any table (SQLite: a file that does not exist yet)."""
    if request.param == "sqlite":
        return DatabaseUrl(dialect_name="sqlite", path=tmp_path / "empty.db")
    url: DatabaseUrl = request.getfixturevalue("empty_postgresql_url")
    return url


@pytest.fixture
def database(database_url: DatabaseUrl) -> Iterator[Database]:
    """An open handle on `database_url`."""
    with Database.open(database_url) as handle:
        yield handle


@pytest.fixture(scope="session")
def _s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    with object_store.running(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def s3(_s3_server: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """A running S3 server; this process knows its address and its keys."""
    for name, value in _s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return _s3_server


@pytest.fixture
def watch() -> Iterator[Watch]:
    """A server that keeps what is posted to it."""
    with watch_server.running() as server:
        yield server


@pytest.fixture
def run() -> Callable[..., Any]:
    """Run the command in this process: `run("search", "words", input=..., env=...)`.

    The result has `exit_code`, `stdout` and `stderr`; a bug's exception is raised.
    """
    from typer.testing import CliRunner

    from chatdb.cli.app import app

    def invoke(*words: str, **options: Any) -> Any:
        options.setdefault("catch_exceptions", False)
        return CliRunner().invoke(app, [str(word) for word in words], **options)

    return invoke


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real exports; the test is skipped where it is missing."""
    folder = Path(os.environ.get("CHATDB_CORPUS", ROOT.parent / "shared" / "data"))
    if not (folder / "NOTES.md").is_file():
        pytest.skip(f"the real exports are not here: {folder} is missing")
    return folder
