"""Databases of a PostgreSQL server that are swapped by renaming."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from typing import Self
from uuid import uuid4
from zlib import crc32

from chatdb.db.bound_objects import BoundObject, bound_objects, roll_back_prepared
from chatdb.db.connect import connect_postgresql
from chatdb.db.contract.replacement import (
    MARK,
    KeptDatabase,
    Note,
    Replacement,
    new_mark,
    read_mark,
)
from chatdb.db.migrating.revision import translated
from chatdb.db.postgresql.distribution import refuse_distributed_restore
from chatdb.db.postgresql.properties import apply_settings, create_like, read_properties
from chatdb.db.postgresql.server_databases import LONGEST_NAME, Move, Server
from chatdb.db.url import DatabaseUrl
from chatdb.errors import ChatdbError, DatabaseUnreachableError, RefusedError

_SCRATCH = "chatdb_scratch_"
_LONGEST_MARK = "20261126T123456Z_99"
_RIGHTS = """
SELECT rolsuper OR rolcreatedb,
       (SELECT pg_has_role(datdba, 'USAGE') FROM pg_database WHERE datname = %s)
FROM pg_roles WHERE rolname = current_user
"""
_LEAVING_SECONDS = 10.0
"""How long to wait at the end for sessions opened during the restore."""


class PostgresqlReplacement(Replacement):
    """The name of a database on a server, held by an advisory lock of the maintenance database."""

    def __init__(self, url: DatabaseUrl, server: Server, note: Note) -> None:
        self.url = url
        self._server = server
        self._note = note

    @classmethod
    @contextmanager
    def open(cls, url: DatabaseUrl, note: Note) -> Iterator[Self]:
        """Hold the place during the block."""
        refuse_pooler(url)
        with Server.open(url) as server, translated(url):
            # Silent for as long as a restore takes.
            server.connection.execute("SET idle_session_timeout = 0")
            with server.exclusive(url.database):
                yield cls(url, server, note)

    def is_there(self) -> bool:
        return any(item.name == self.url.database for item in self._server.databases())

    def kept(self) -> list[KeptDatabase]:
        start = _kept_name(self.url.database, "")
        found = []
        for database in self._server.databases():
            mark = database.name.removeprefix(start)
            if mark != database.name and (told := read_mark(mark)) is not None:
                size = self._server.size(database.name)
                found.append((told, KeptDatabase(name=database.name, kept_at=told[0], bytes=size)))
        return [kept for _, kept in sorted(found, key=lambda item: item[0])]

    def require_rights(self) -> None:
        """Raise RefusedError for a user who may not create databases, or not rename this one."""
        may_create, may_rename = self._server.connection.execute(
            _RIGHTS, (self.url.database,)
        ).fetchone() or (False, False)
        # None: there is no such database yet.
        if may_create and may_rename is not False:
            return
        what = f"does not own {self.url.database}" if may_create else "may not create databases"
        raise RefusedError(
            f"the user of {self.url.redacted()} {what}, so the database cannot be replaced",
            hint="restore into the existing tables: --in-place",
        )

    def require_alone(self) -> None:
        self._server.require_alone(self.url.database, force=False)

    def bound(self) -> list[BoundObject]:
        return bound_objects(self._server.connection, self.url.database)

    @contextmanager
    def new(self) -> Iterator[DatabaseUrl]:
        sweep(self._server, self._note)
        like = read_properties(self._server.connection, self.url.database)
        with scratch(self._server, self.url, like_target=like is not None) as url:
            yield url

    def put(self, new: DatabaseUrl, *, force: bool) -> KeptDatabase | None:
        like = read_properties(self._server.connection, self.url.database)
        if like is None:
            self._server.rename(Move(name=new.database, target=self.url.database))
            return None
        for setting in apply_settings(self._server.connection, new.database, like):
            role = f" of {setting.role}" if setting.role else ""
            self._note(
                f"the setting {setting.name}{role} was not carried over; only a superuser can set "
                "it"
            )
        return self._swap(new.database, force=force)

    def put_back(self, kept: KeptDatabase, *, force: bool) -> KeptDatabase | None:
        if self.is_there():
            refuse_distributed_restore(self.url)
            return self._swap(kept.name, force=force)
        self._server.rename(Move(name=kept.name, target=self.url.database), force=force)
        return None

    def drop_kept(self, name: str) -> None:
        kept = self.find_kept(name)
        self._server.require_alone(kept.name, force=False)
        with translated(self.url):
            self._server.drop(kept.name)

    def _swap(self, name: str, *, force: bool) -> KeptDatabase:
        taken = {item.name for item in self._server.databases()}
        mark = new_mark(lambda mark: _kept_name(self.url.database, mark) in taken)
        aside = _kept_name(self.url.database, mark)
        moves = (
            Move(name=self.url.database, target=aside),
            Move(name=name, target=self.url.database),
        )
        deadline, said = time.monotonic() + _LEAVING_SECONDS, False
        while True:
            if force:
                # In the loop: a transaction manager may prepare one more while sessions are ended.
                roll_back_prepared(self.url, self.bound())
            try:
                if not force:
                    self.require_unbound()
                self._server.require_alone(name, force=force)
                self._server.rename(*moves, force=force)
            except RefusedError as error:
                if time.monotonic() > deadline:
                    raise
                if not said:
                    said = True
                    first = error.text.partition("\n")[2].strip()
                    self._note(
                        f"waiting for sessions connected to {self.url.database} to end: {first}"
                    )
            else:
                return next(each for each in self.kept() if each.name == aside)


@contextmanager
def scratch(server: Server, url: DatabaseUrl, *, like_target: bool) -> Iterator[DatabaseUrl]:
    """Create an empty scratch database; it is dropped at the end if it still has its name.

    `like_target` gives it owner, locale and privileges of the database in the URL. Its lock says
    that it is in use: without one a killed chatdb left it, and it is dropped.
    """
    import psycopg

    # The target's name may be 63 bytes long already: only its digest has room.
    name = f"{_SCRATCH}{crc32(url.database.encode()):08x}_{uuid4().hex[:8]}"
    like = read_properties(server.connection, url.database) if like_target else None
    with server.exclusive(name):
        try:
            create_like(server.connection, name, like)
            yield url.with_database(name)
        finally:
            # The earlier error matters more; the next run drops it.
            with suppress(ChatdbError, psycopg.Error):
                _drop(server, name)


def sweep(server: Server, note: Note) -> None:
    """Drop the scratch databases that no living chatdb has locked."""
    for database in server.databases():
        if not (database.name.startswith(_SCRATCH) and database.owned):
            continue
        # Both: an advisory lock counts only within the database that its holder is connected to.
        if not server.is_locked_by_others(database.name) and server.try_lock(database.name):
            try:
                note(f"removing {database.name}, left by an interrupted chatdb")
                _drop(server, database.name)
            finally:
                server.unlock(database.name)


def refuse_pooler(url: DatabaseUrl) -> None:
    """Raise RefusedError if the URL leads to a pooler; passes for a missing database."""
    from chatdb.db.migrating.revision import translated

    try:
        with translated(url), connect_postgresql(url, autocommit=True) as connection:
            row = connection.execute("SELECT pg_backend_pid()").fetchone()
            pooled = row is not None and row[0] != connection.info.backend_pid
    except DatabaseUnreachableError:
        return
    if pooled:
        raise RefusedError(
            f"{url.redacted()} goes through a pooler, which a restore would break",
            hint="give the server's own address: --direct-url, or CHATDB_DIRECT_URL",
        )


def _drop(server: Server, name: str) -> None:
    """Drop a scratch database; a killed chatdb may have left a program that uses it."""
    from psycopg import sql

    if server.connection.broken:
        return
    statement = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    server.connection.execute(statement.format(sql.Identifier(name)))


def _kept_name(database: str, mark: str) -> str:
    """Return the name of a kept database; a digest distinguishes names that are too long."""
    room = LONGEST_NAME - len(MARK) - len(_LONGEST_MARK)
    if len(database.encode()) > room:
        digest = sha256(database.encode()).hexdigest()[:8]
        start = database.encode()[: room - len(digest) - 1].decode(errors="ignore")
        database = f"{start}_{digest}"
    return f"{database}{MARK}{mark}"
