"""Whole databases of a PostgreSQL server: sessions, copying, renaming, removing.

By the bare driver, over a direct connection to the server's maintenance database.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, LiteralString, Self
from zlib import crc32

from chatdb.db.connect import connect_postgresql
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseLockedError, RefusedError

if TYPE_CHECKING:
    import psycopg

LONGEST_NAME = 63
"""Bytes of a name that PostgreSQL keeps."""

# PostgreSQL renames and copies no database that the session itself is connected to.
_MAINTENANCE = ("postgres", "template1")
_TRIES = 5
_SHOWN_SESSIONS = 10
# A session that has just closed its connection stays listed for a moment.
_LEAVING_SECONDS = 0.5
_LOCK_SECONDS = 2.0
_POLL_SECONDS = 0.02

_DATABASES = """
SELECT datname, coalesce(shobj_description(oid, 'pg_database'), ''),
       pg_get_userbyid(datdba) = current_user
FROM pg_database WHERE NOT datistemplate ORDER BY datname
"""
_SESSIONS = """
SELECT pid, application_name, usename, host(client_addr), backend_start, state
FROM pg_stat_activity
WHERE datname = %s AND pid <> pg_backend_pid()
  AND coalesce(backend_type, 'client backend') <> 'autovacuum worker'
ORDER BY backend_start
"""
_END_SESSIONS = """
SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
WHERE datname = %s AND pid <> pg_backend_pid()
"""

_HOLDERS = """
SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()
  AND classid = %s AND objid = %s AND objsubid = 2
"""
"""Such a lock belongs to the database that its holder is connected to: two may share it."""


@dataclass(frozen=True, slots=True)
class ServerDatabase:
    """A database of the server: its comment ("" for none), and whether this user owns it."""

    name: str
    comment: str
    owned: bool


@dataclass(frozen=True, slots=True)
class Session:
    """A session connected to a database; fields are None if we may not see them."""

    pid: int
    application: str | None
    user: str | None
    address: str | None
    since: datetime | None
    state: str | None

    def describe(self) -> str:
        """Describe the session: pid, program, user and since when."""
        since = "" if self.since is None else f", since {self.since:%Y-%m-%d %H:%M:%S}"
        return f"pid {self.pid}: {self.application or 'a program'} of {self.user or '?'}{since}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A new name for a database; `comment` None keeps its own, `closed` forbids connections."""

    name: str
    target: str
    comment: str | None = None
    closed: bool = False


class Server:
    """A connection to a server's maintenance database, one statement per transaction."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def open(cls, url: DatabaseUrl) -> Iterator[Self]:
        """Connect beside the given database; raises the errors of `chatdb.errors`."""
        from chatdb.db.migrating.revision import translated

        beside = _MAINTENANCE[url.database == _MAINTENANCE[0]]
        with (
            translated(url),
            connect_postgresql(url.with_database(beside), autocommit=True) as connection,
        ):
            yield cls(connection)

    @property
    def connection(self) -> "psycopg.Connection[Any]":
        """The underlying connection, for statements on the whole server."""
        return self._connection

    def databases(self) -> list[ServerDatabase]:
        """Return every database except the templates, by name."""
        return [ServerDatabase(*row) for row in self._connection.execute(_DATABASES)]

    def size(self, name: str) -> int:
        """Return a database's bytes; 0 if it is being removed, or we may not see it."""
        from psycopg import errors

        gone = (errors.UndefinedObject, errors.InvalidCatalogName, errors.UndefinedFile)
        try:
            row = self._connection.execute("SELECT pg_database_size(%s::name)", (name,)).fetchone()
        # A size is only shown: a database removed meanwhile must not fail the list.
        except (*gone, errors.InsufficientPrivilege):
            return 0
        return int(row[0] or 0) if row else 0

    def sessions(self, name: str) -> list[Session]:
        """Return the sessions connected to a database, oldest first."""
        return [Session(*row) for row in self._connection.execute(_SESSIONS, (name,))]

    def end_sessions(self, name: str) -> None:
        """End every session of a database, rolling back its work."""
        self._connection.execute(_END_SESSIONS, (name,))

    def require_alone(self, name: str, *, force: bool) -> None:
        """Return if no session is connected to the database; with `force` end them.

        Raises RefusedError listing them; a session that is just ending is waited for.
        """
        if force:
            self.end_sessions(name)
            return
        deadline = time.monotonic() + _LEAVING_SECONDS
        while found := self.sessions(name):
            if time.monotonic() > deadline:
                raise still_connected(name, found)
            time.sleep(_POLL_SECONDS)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Keep other chatdb processes from copying, replacing and renaming a database.

        Raises DatabaseLockedError if one does so; a killed one keeps the lock until the server has
        finished its statement.
        """
        deadline = time.monotonic() + _LOCK_SECONDS
        while not self.try_lock(name):
            if time.monotonic() > deadline:
                raise DatabaseLockedError(
                    f"another chatdb is replacing or copying {name}, or using its checkpoints",
                    hint="wait for it, then run the command again",
                )
            time.sleep(_POLL_SECONDS)
        try:
            yield
        finally:
            self.unlock(name)

    def try_lock(self, name: str) -> bool:
        """Take the lock of `exclusive` if it is free; it ends with this connection at last."""
        query = "SELECT pg_try_advisory_lock(%s, %s)"
        return self._connection.execute(query, _lock_key(name)).fetchone() == (True,)

    def is_locked_by_others(self, name: str) -> bool:
        """Tell whether another session has the lock, whichever database it is connected to."""
        space, key = _lock_key(name)
        return self._connection.execute(_HOLDERS, (space, key % (1 << 32))).fetchone() is not None

    def unlock(self, name: str) -> None:
        """Release the lock; a lost connection has done so."""
        if not self._connection.broken:
            self._connection.execute("SELECT pg_advisory_unlock(%s, %s)", _lock_key(name))

    def create(self, name: str) -> None:
        """Create an empty database."""
        self._run("CREATE DATABASE {}", name)

    def copy(self, source: str, target: str, *, force: bool) -> None:
        """Copy a database file by file; with `force` end its sessions.

        Otherwise raises RefusedError listing them.
        """
        self._alone_while(
            source,
            # WAL_LOG, the default, writes every page into the log as
            # well: a checkpoint is a large copy.
            lambda: self._run(
                "CREATE DATABASE {} TEMPLATE {} STRATEGY = FILE_COPY", target, source
            ),
            force=force,
        )

    def drop(self, name: str) -> None:
        """Drop a database with its contents; no error if it does not exist."""
        self._run("DROP DATABASE IF EXISTS {}", name)

    def rename(self, *moves: Move, force: bool = False) -> None:
        """Rename all in one transaction, or none; `force` ends the sessions.

        Raises RefusedError listing the sessions of the first of them.
        """
        self._alone_while(moves[0].name, lambda: self._move_all(moves), force=force)

    def _move_all(self, moves: tuple[Move, ...]) -> None:
        with self._connection.transaction():
            for move in moves:
                self._run("ALTER DATABASE {} RENAME TO {}", move.name, move.target)
                if move.comment is not None:
                    self.describe(move.target, move.comment)
                if move.closed:
                    self._run("ALTER DATABASE {} ALLOW_CONNECTIONS false", move.target)
                else:
                    self._run("ALTER DATABASE {} ALLOW_CONNECTIONS true", move.target)

    def describe(self, name: str, comment: str) -> None:
        """Set a database's comment."""
        from psycopg import sql

        query = sql.SQL("COMMENT ON DATABASE {} IS {}")
        self._connection.execute(query.format(sql.Identifier(name), sql.Literal(comment or None)))

    def set_password(self, user: str, password: str) -> None:
        """Change a user's password; its SCRAM digest is sent, and could be logged."""
        from psycopg import sql

        digest = self._connection.pgconn.encrypt_password(
            password.encode(), user.encode(), b"scram-sha-256"
        )
        query = sql.SQL("ALTER ROLE {} PASSWORD {}")
        self._connection.execute(query.format(sql.Identifier(user), sql.Literal(digest.decode())))

    def _alone_while(self, name: str, act: Callable[[], None], *, force: bool) -> None:
        """Act on a database without sessions; a new session causes an error.

        PostgreSQL itself waits five seconds for sessions that are about to end.
        """
        from psycopg import errors

        for left in reversed(range(_TRIES)):
            self.require_alone(name, force=force)
            try:
                return act()
            except errors.ObjectInUse as error:
                # Without force a new session is somebody's work; with it they are ended again.
                if not (force and left):
                    raise still_connected(name, self.sessions(name)) from error
        return None

    def _run(self, statement: LiteralString, *names: str) -> None:
        from psycopg import sql

        self._connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _lock_key(name: str) -> tuple[int, int]:
    # Two signed 32-bit numbers: the key space "chat" in ASCII, and the name.
    return 0x63686174, crc32(name.encode()) - (1 << 31)


def still_connected(name: str, sessions: Sequence[Session]) -> RefusedError:
    """Return the error that lists the sessions of a database."""
    lines = [f"  {session.describe()}" for session in sessions[:_SHOWN_SESSIONS]]
    if len(sessions) > _SHOWN_SESSIONS:
        lines.append(f"  and {len(sessions) - _SHOWN_SESSIONS} more")
    return RefusedError(
        "\n".join([f"{name} is in use; nothing was changed:", *lines]),
        hint="end these programs, or let chatdb end their sessions: add --force",
    )
