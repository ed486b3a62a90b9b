"""The doctor's checks of this machine: Python, programs, settings, disk. No database."""

import shlex
import shutil
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import chatdb
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, EngineUnavailableError
from chatdb.operations.doctor.findings import Check, Finding, error, info, ok, warning
from chatdb.primitives.sizes import size_text
from chatdb.servers import postgres_tools
from chatdb.servers.compose.engine import ComposeEngine
from chatdb.servers.embedded.engine import EmbeddedEngine

_OLDEST_PYTHON = (3, 11)
_OLDEST_SQLITE = (3, 38, 0)
ENGINE_SECONDS = 5.0
"""How long Docker's programs may take to answer."""
_ENOUGH_BYTES, _LITTLE_BYTES = 1_000_000_000, 50_000_000
_INSTALL_CLIENT = "apt install postgresql-client, or: pip install 'chatdb-cli[embedded]'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings; `trouble` is why they cannot be used, and then `url` is None.

    `url_source` is where the URL comes from, `last_used` the command on the database used last,
    `notes` are remarks on the `.env`; `environment` is passed to container programs.
    """

    folder: Path
    url: DatabaseUrl | None = None
    url_source: str = "default"
    last_used: str | None = None
    direct_url: DatabaseUrl | None = None
    schema: str | None = None
    bindir: Path | None = None
    attachments: Path | None = None
    notes: tuple[str, ...] = ()
    environment: Mapping[str, str]
    trouble: ChatdbError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """This machine; `server_major` is the version of the server, if one answers."""

    settings: Settings
    server_major: int | None = None

    @property
    def uses_postgresql(self) -> bool:
        """Tell whether the database is PostgreSQL: otherwise its programs are not needed."""
        url = self.settings.url
        return url is not None and url.path is None


def _python(_: Machine) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < _OLDEST_PYTHON:
        yield error(f"Python {version} is too old", "install Python 3.11 or newer")
    else:
        yield ok(f"Python {version} ({sys.executable})")


def _chatdb(_: Machine) -> Iterator[Finding]:
    package = Path(chatdb.__file__).parent
    text = f"chatdb {chatdb.__version__} ({package})"
    found = shutil.which("chatdb")
    own = Path(sys.executable).with_name("chatdb")
    if found is not None and own.exists() and not own.samefile(found):
        yield info(f"{text}; typing chatdb runs a different one: {found}")
    else:
        yield ok(text)


def _sqlite_library(_: Machine) -> Iterator[Finding]:
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE words USING fts5(word)")
            has_search = True
        except sqlite3.OperationalError:
            has_search = False
    text = f"SQLite {sqlite3.sqlite_version}"
    fix = "use a Python with a newer SQLite: from python.org, uv or conda"
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        yield error(f"{text} is older than 3.38", fix)
    elif not has_search:
        yield error(f"{text} has no full-text search (FTS5)", fix)
    else:
        yield ok(f"{text} with full-text search")


def _client_tools(machine: Machine) -> Iterator[Finding]:
    """A program older than the server refuses a dump, or worse: restores part of it."""
    major = machine.server_major
    for name in ("psql", "pg_dump", "pg_restore"):
        check_id = name.replace("_", "-")
        found = postgres_tools.find(name, bindir=machine.settings.bindir)
        if not found:
            make = warning if machine.uses_postgresql else info
            yield make(f"{name} is not installed", _INSTALL_CLIENT, of=check_id)
            continue
        fitting = (
            postgres_tools.smallest_for(name, major, bindir=machine.settings.bindir)
            if major is not None
            else found[0]
        )
        if fitting is not None:
            yield ok(fitting.describe(), of=check_id)
        else:
            make = info if name == "psql" else warning
            yield make(
                f"{found[0].describe()} is older than the server ({major})",
                f"apt install postgresql-client-{major}, or set CHATDB_PG_BINDIR to its folder",
                of=check_id,
            )


def _sqlite3_client(machine: Machine) -> Iterator[Finding]:
    found = shutil.which("sqlite3")
    if found is not None:
        yield ok(f"sqlite3 ({found})")
    elif not machine.uses_postgresql:
        yield info("sqlite3 is not installed", "apt install sqlite3")


def _engine(describe: Callable[[], str]) -> Finding:
    try:
        return ok(describe())
    except EngineUnavailableError as failure:
        return info(failure.text, failure.hint)


def _compose_engine(machine: Machine) -> Iterator[Finding]:
    engine = ComposeEngine(environment=machine.settings.environment, answer_seconds=ENGINE_SECONDS)
    yield _engine(engine.describe)


def _embedded_engine(machine: Machine) -> Iterator[Finding]:
    engine = EmbeddedEngine(bindir=machine.settings.bindir)
    yield _engine(engine.describe)


def _settings(machine: Machine) -> Iterator[Finding]:
    settings = machine.settings
    if settings.trouble is not None:
        yield error(settings.trouble.text, settings.trouble.hint)
    elif settings.url is not None:
        text = f"the database is {settings.url.redacted()} ({settings.url_source})"
        if settings.url.password and settings.url_source.startswith("option"):
            yield info(
                f"{text}: the list of processes shows its password to every user",
                "put it into .env (mode 600), DATABASE_URL or ~/.pgpass",
            )
        else:
            yield ok(text)


def _env_file(machine: Machine) -> Iterator[Finding]:
    path = machine.settings.folder / ".env"
    if machine.settings.trouble is not None or not path.is_file():
        return
    for note in machine.settings.notes:
        yield warning(note, f"fix the line in {shlex.quote(str(path))}")
    mode = path.stat().st_mode
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and _holds_password(path):
        yield warning(
            f"{path} contains a password, and other users can read it (mode "
            f"{stat.S_IMODE(mode):o})",
            f"chmod 600 {shlex.quote(str(path))}",
        )
    elif not machine.settings.notes:
        yield ok(f"{path} is in order")


def _holds_password(path: Path) -> bool:
    """Tell whether any line sets one: `NAME_PASSWORD=`, or a URL with one."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    settings = [line for line in lines if not line.lstrip().startswith("#")]
    return any(
        ("PASSWORD" in name.upper() and value.strip(" '\""))
        or ("://" in value and ":" in value.partition("://")[2].rpartition("@")[0])
        for name, _, value in (line.partition("=") for line in settings)
    )


def _disk(machine: Machine) -> Iterator[Finding]:
    places = {"disk-temporary": Path(tempfile.gettempdir())}
    url = machine.settings.url
    need = _ENOUGH_BYTES
    if url is not None and url.path is not None:
        folder = url.sqlite_path.absolute().parent
        places["disk-data"] = next(place for place in (folder, *folder.parents) if place.exists())
        if url.sqlite_path.exists():  # migrate and backup keep a copy beside it.
            need = max(need, 2 * url.sqlite_path.stat().st_size)
    for check_id, place in places.items():
        free = shutil.disk_usage(place).free
        text = f"{size_text(free)} are free in {place}"
        fix = f"free some space: du -xh --max-depth=2 {shlex.quote(str(place))}"
        if free < _LITTLE_BYTES:
            yield error(text, fix, of=check_id)
        elif free < (need if check_id == "disk-data" else _LITTLE_BYTES * 10):
            yield warning(text, fix, of=check_id)
        else:
            yield ok(text, of=check_id)


COMPOSE_CHECK: Check[Machine] = Check("compose-engine", _compose_engine)
"""Separate from the other checks: Docker's programs take time and are asked meanwhile."""

MACHINE_CHECKS: tuple[Check[Machine], ...] = (
    Check("python", _python),
    Check("chatdb", _chatdb),
    Check("sqlite-library", _sqlite_library),
    Check("sqlite3-client", _sqlite3_client),
    Check("client-tools", _client_tools),
    Check("embedded-engine", _embedded_engine),
    Check("settings", _settings),
    Check("env-file", _env_file),
    Check("disk", _disk),
)
"""The checks of the machine, in this order."""
