"""Checkpoints: copies of a PostgreSQL database beside it, created and restored as a whole.

A checkpoint is a database of its own, copied file by file by the server (CREATE DATABASE ...
TEMPLATE): seconds where a dump takes minutes. Its comment says what it is. No session can connect
to it. It works on any server where the user may create databases.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from uuid import uuid4

from chatdb.db.label import labels_by_schema, put_labels
from chatdb.db.migrating.revision import look
from chatdb.db.postgresql.server_databases import LONGEST_NAME, Move, Server, ServerDatabase
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError, NotFoundError, RefusedError, UsageError

_KIND = "chatdb checkpoint"
_NAME = re.compile(r"[^\W_][\w.-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint of the database `of`; `database` is its own name on the server.

    `revision` is that of its schema, None for one without chatdb's tables; `bytes` its size.
    """

    name: str
    made_at: datetime
    revision: str | None
    bytes: int
    of: str
    database: str


def list_checkpoints(url: DatabaseUrl) -> list[Checkpoint]:
    """Return the checkpoints of a database, oldest first."""
    with Server.open(url) as server:
        return _checkpoints(server, url.database)


def save(
    url: DatabaseUrl, name: str, *, force: bool = False, note: Callable[[str], None]
) -> Checkpoint:
    """Copy the present database; `force` ends other sessions.

    Raises RefusedError listing them otherwise, and for a name in use.
    """
    _require_possible(name)
    with Server.open(url) as server, server.exclusive(url.database):
        _sweep(server, url.database, note)
        _require_new(server, url.database, name)
        _require_there(server, url)
        revision = _revision(url)
        making = _making(url.database)
        server.copy(url.database, making, force=force)
        target = _database_name(url.database, name)
        comment = _comment(url.database, name, revision)
        server.rename(Move(name=making, target=target, comment=comment, closed=True))
        return _find(server, url.database, name)


def restore(
    url: DatabaseUrl, name: str, *, force: bool = False, note: Callable[[str], None]
) -> Checkpoint | None:
    """Replace the database by a copy of the checkpoint, in one step, keeping its label.

    The replaced database is kept as a checkpoint, which is returned; None if there was none. Raises
    NotFoundError, and RefusedError listing other sessions.
    """
    with Server.open(url) as server, server.exclusive(url.database):
        _sweep(server, url.database, note)
        checkpoint = _find(server, url.database, name)
        is_there = _exists(server, url.database)
        if is_there:
            server.require_alone(url.database, force=force)
        making = _making(url.database)
        server.copy(checkpoint.database, making, force=False)
        back = Move(name=making, target=url.database)
        if not is_there:
            server.rename(back)
            return None
        try:
            _keep_label(url, making)
            aside = _move_aside(server, url, f"before-restore-{_stamp()}")
            server.rename(aside, back, force=force)
        except BaseException:
            server.drop(making)
            raise
        return _of_database(server, url.database, aside.target)


def _keep_label(url: DatabaseUrl, making: str) -> None:
    """Give the copy the database's label: an older checkpoint must not remove it."""
    with suppress(DatabaseFailedError):  # A user who may not read it.
        labels = labels_by_schema(url)
        if labels:
            put_labels(url.with_database(making), labels)


def start_afresh(
    url: DatabaseUrl,
    *,
    force: bool = False,
    note: Callable[[str], None],
    fill: Callable[[DatabaseUrl], object],
) -> Checkpoint | None:
    """Replace the database by a new one and keep the old one as a checkpoint.

    `fill` receives the new one while it is beside the old: if it raises, the old one is unchanged.
    Returns the checkpoint; None if there was no database. Raises RefusedError listing other
    sessions.
    """
    with Server.open(url) as server, server.exclusive(url.database):
        _sweep(server, url.database, note)
        is_there = _exists(server, url.database)
        if is_there and not force:
            server.require_alone(url.database, force=False)
        making = _making(url.database)
        server.create(making)
        try:
            fill(url.with_database(making))
            new = Move(name=making, target=url.database)
            if not is_there:
                server.rename(new)
                return None
            aside = _move_aside(server, url, f"before-reset-{_stamp()}")
            server.rename(aside, new, force=force)
        except BaseException:
            _remove(server, making)
            raise
        return _of_database(server, url.database, aside.target)


def delete(url: DatabaseUrl, name: str) -> Checkpoint:
    """Remove a checkpoint permanently; raises NotFoundError."""
    with Server.open(url) as server, server.exclusive(url.database):
        checkpoint = _find(server, url.database, name)
        server.drop(checkpoint.database)
        return checkpoint


def find_checkpoint(url: DatabaseUrl, name: str) -> Checkpoint:
    """Return one checkpoint by its name; raises NotFoundError."""
    with Server.open(url) as server:
        return _find(server, url.database, name)


def _checkpoints(server: Server, of: str) -> list[Checkpoint]:
    found = [_read(server, database, of) for database in server.databases()]
    return sorted((item for item in found if item is not None), key=lambda item: item.made_at)


def _read(server: Server, database: ServerDatabase, of: str) -> Checkpoint | None:
    """Read a checkpoint of `of` from a database's comment; None for any other database."""
    with suppress(ValueError, KeyError, TypeError):
        told = json.loads(database.comment)
        if told["kind"] == _KIND and told["of"] == of:
            return Checkpoint(
                name=str(told["name"]),
                made_at=datetime.fromisoformat(told["made_at"]).astimezone(UTC),
                revision=told["revision"],
                bytes=server.size(database.name),
                of=of,
                database=database.name,
            )
    return None


def _revision(url: DatabaseUrl) -> str | None:
    """Return the revision of the schema; None if there is none, or we may not read it."""
    try:
        return look(url).revision
    except DatabaseFailedError:
        return None


def _find(server: Server, of: str, name: str) -> Checkpoint:
    found = _checkpoints(server, of)
    for checkpoint in found:
        if checkpoint.name == name:
            return checkpoint
    names = ", ".join(item.name for item in found[-5:])
    raise NotFoundError(
        f"{of} does not have a checkpoint {name!r}",
        hint=f"existing ones: {names}"
        if names
        else "to save one: chatdb dev-db checkpoint save NAME",
    )


def _of_database(server: Server, of: str, database: str) -> Checkpoint:
    return next(item for item in _checkpoints(server, of) if item.database == database)


def _exists(server: Server, name: str) -> bool:
    return any(database.name == name for database in server.databases())


def _require_there(server: Server, url: DatabaseUrl) -> None:
    if not _exists(server, url.database):
        raise NotFoundError(
            f"there is no database {url.database} at {url.redacted()}",
            hint="to create it: chatdb dev-db up",
        )


def _require_possible(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"invalid checkpoint name {name!r}",
            hint="use letters, digits, dots, dashes and underscores, at most 40: before-import",
        )


def _require_new(server: Server, of: str, name: str) -> None:
    if any(item.name == name for item in _checkpoints(server, of)):
        raise RefusedError(
            f"{of} already has a checkpoint {name!r}",
            hint=f"use another name, or remove it: chatdb dev-db checkpoint delete {name}",
        )


def _move_aside(server: Server, url: DatabaseUrl, name: str) -> Move:
    """Return the renaming that makes the present database a checkpoint."""
    taken = {item.name for item in _checkpoints(server, url.database)}
    if name in taken:
        name = next(f"{name}-{n}" for n in range(2, len(taken) + 3) if f"{name}-{n}" not in taken)
    return Move(
        name=url.database,
        target=_database_name(url.database, name),
        comment=_comment(url.database, name, _revision(url)),
        closed=True,
    )


def _comment(of: str, name: str, revision: str | None) -> str:
    made_at = datetime.now(UTC).isoformat()
    told = {"kind": _KIND, "of": of, "name": name, "made_at": made_at, "revision": revision}
    return json.dumps(told, ensure_ascii=False)


def _database_name(of: str, name: str) -> str:
    """Return a readable name; the digest distinguishes those that are too long."""
    wanted = f"{of}_checkpoint_{name}"
    if len(wanted.encode()) <= LONGEST_NAME:
        return wanted
    digest = sha256(wanted.encode()).hexdigest()[:12]
    start = f"{of}_checkpoint_".encode()[: LONGEST_NAME - len(digest)].decode(errors="ignore")
    return start + digest


def _making(of: str) -> str:
    """Return the name of a copy in progress."""
    return f"chatdb_making_{sha256(of.encode()).hexdigest()[:12]}_{uuid4().hex[:8]}"


def _sweep(server: Server, of: str, note: Callable[[str], None]) -> None:
    """Remove what a killed chatdb had begun; no other process can be working on it now."""
    start = _making(of).rpartition("_")[0] + "_"
    for database in server.databases():
        if database.name.startswith(start) and database.owned:
            note(f"removing {database.name}, left by an interrupted chatdb")
            _remove(server, database.name)


def _remove(server: Server, making: str) -> None:
    """Remove an unfinished database; sessions of the interrupted run may still be working on it."""
    server.end_sessions(making)
    server.drop(making)


def _stamp() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
