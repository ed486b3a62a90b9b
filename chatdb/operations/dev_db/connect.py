"""Which interactive client opens a database, with which arguments and variables.

The password is never among the arguments: other users of the machine can read those.
"""

import shlex
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from chatdb.db.connect import connect_postgresql, missing_file
from chatdb.db.postgresql.conninfo import conninfo, secrets
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, ProgramMissingError
from chatdb.servers import postgres_tools
from chatdb.servers.base import DevServer
from chatdb.servers.compose.objects import PROJECT_LABEL
from chatdb.servers.postgres_tools import Program

_SQLITE_BUSY = ".timeout 10000"
_READ_ONLY = "-c default_transaction_read_only=on"
_INSTALL_PSQL = (
    "to install it: apt install postgresql-client, dnf install postgresql, apk add "
    "postgresql-client, brew install libpq; or set CHATDB_PG_BINDIR to its folder"
)
_INSTALL_SQLITE3 = (
    "to install it: apt install sqlite3, dnf install sqlite, apk add sqlite, brew "
    "install sqlite; Python 3.12 and newer have one: python3 -m sqlite3 {path}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSession:
    """What the client is to do; `sql` None: an interactive session.

    `words` are passed on to the client unchanged, `bindir` is where its programs may be and
    `options` the PGOPTIONS already set. `elsewhere` is a command for the hint: another way to a
    client if none is installed.
    """

    schema: str | None = None
    read_only: bool = False
    sql: str | None = None
    words: Sequence[str] = ()
    on_terminal: bool = False
    bindir: Path | None = None
    options: str = ""
    elsewhere: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCall:
    """A program to replace this process: `words` starts with its name.

    `variables` are added to the environment; `note` is printed first.
    """

    program: Path
    words: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None


def client_call(url: DatabaseUrl, session: ClientSession) -> ClientCall:
    """Find the client and return its call: pgcli or psql for PostgreSQL, sqlite3 for SQLite.

    pgcli is used on a terminal, unless psql is needed: for `sql` or `words`. Raises
    ProgramMissingError that names the package to install, DatabaseMissingError for a SQLite
    file that does not exist.
    """
    if url.path is not None:
        return _sqlite3(url, session)
    talks = session.on_terminal and session.sql is None and not session.words
    pgcli = shutil.which("pgcli") if talks else None
    if pgcli is not None:
        return ClientCall(
            program=Path(pgcli),
            words=("pgcli", session_conninfo(url, session)),
            variables=secrets(url),
        )
    major = _server_major(url)
    psql = _psql(session.bindir, major)
    if psql is None:
        raise missing_psql(session)
    words = ["psql", f"--dbname={session_conninfo(url, session)}"]
    if not talks:
        # A script's output and exit code must not depend on the user's ~/.psqlrc.
        words += ["--no-psqlrc", "--set=ON_ERROR_STOP=1"]
    if session.sql is not None:
        words.append(f"--command={session.sql}")
    return ClientCall(
        program=psql.path,
        words=(*words, *session.words),
        variables=secrets(url),
        note=older_than(psql, major),
    )


def missing_psql(session: ClientSession) -> ProgramMissingError:
    """Return the error that names psql's package for each system, and another way."""
    hint = _INSTALL_PSQL
    if session.elsewhere:
        hint += f"; or use the one in the container: {session.elsewhere}"
    return ProgramMissingError("psql is not installed", hint=hint)


def psql_in_container(server: DevServer) -> str:
    """Return the command that opens psql inside a development server's container."""
    container = f"$(docker ps --quiet --filter label={PROJECT_LABEL}={server.project})"
    names = shlex.join(["psql", "-U", server.user, server.database])
    return f"docker exec -it {container} {names}"


def session_conninfo(url: DatabaseUrl, session: ClientSession) -> str:
    """Write the URL as libpq's connection string, without secrets."""
    wanted = []
    if session.read_only:
        wanted.append(_READ_ONLY)
    if session.schema is not None:
        wanted.append(f"-c search_path={_option_value(session.schema)}")
    return conninfo(url, options=wanted, options_before=session.options)


def _server_major(url: DatabaseUrl) -> int | None:
    """Ask the server for its version; None if psql itself will report or ask what is wrong."""
    import psycopg

    try:
        with closing(connect_postgresql(url, autocommit=True, settled=False)) as connection:
            return connection.info.server_version // 10_000
    except (psycopg.Error, ChatdbError):
        return None


def older_than(psql: Program, server_major: int | None) -> str | None:
    """Return the note for a psql that is older than the server."""
    if server_major is None or psql.major >= server_major:
        return None
    return (
        f"{psql.describe()} is older than the server ({server_major}): some of its commands "
        "will not work"
    )


def _psql(bindir: Path | None, server_major: int | None) -> Program | None:
    """Return the psql of `bindir`, else the newest that is as new as the server.

    Those of a wheel come last: they have no line editing. If all are too old, age does not count.
    """
    found = postgres_tools.find("psql", bindir=bindir)
    others = [
        program
        for program in found
        if program.path.parent == bindir or not program.source.startswith("the wheel")
    ]
    in_order = [*others, *(program for program in found if program not in others)]
    fitting = [each for each in in_order if server_major is None or each.major >= server_major]
    return next(iter([*fitting, *sorted(in_order, key=lambda each: -each.major)]), None)


def _sqlite3(url: DatabaseUrl, session: ClientSession) -> ClientCall:
    path = url.sqlite_path.absolute()
    if not path.exists():
        raise missing_file(url)
    sqlite3 = shutil.which("sqlite3")
    if sqlite3 is None:
        raise ProgramMissingError(
            "sqlite3 is not installed", hint=_INSTALL_SQLITE3.format(path=url.sqlite_path)
        )
    # sqlite3 checks no foreign keys by default, and fails at once while another session writes.
    words = ["sqlite3", "-cmd", "PRAGMA foreign_keys=ON", "-cmd", _SQLITE_BUSY]
    if session.read_only:
        words.append("-readonly")
    if not session.on_terminal:
        words.append("-bail")
    words += [str(path), *session.words]
    if session.sql is not None:
        words.append(session.sql)
    return ClientCall(program=Path(sqlite3), words=tuple(words))


def _option_value(schema: str) -> str:
    """Write a schema's name for search_path, and that for libpq's options."""
    identifier = '"' + schema.replace('"', '""') + '"'
    return identifier.replace("\\", "\\\\").replace(" ", "\\ ")
