"""Checkpoints: copies of a PostgreSQL database beside it, made and brought back as a whole.

A checkpoint is a database of its own, copied file by file by the server (CREATE DATABASE ...
TEMPLATE): seconds where a dump takes minutes. What it is stands in its comment. Nobody can
connect to it. It works on any server where the user may create databases.
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
from chatdb.db.revision import look
from chatdb.db.server_databases import LONGEST_NAME, Move, Server, ServerDatabase
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError, NotFoundError, RefusedError, UsageError

_KIND = "chatdb checkpoint"
_NAME = re.compile(r"[^\W_][\w.-]{0,39}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A checkpoint of the database `of`; `database` is the one that holds it on the server.

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
    """Copy the database as it is now; `force` ends the sessions of who is connected.

    Raises RefusedError that names them else, and for a name that is taken.
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
    """Put a copy of the checkpoint in the database's place, in one step; its label stays there.

    The database that was there is kept as a checkpoint, which is returned; None when there was
    none. Raises NotFoundError, and RefusedError that names who is connected.
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
    """Give the copy the label of its place: a checkpoint of before it must not take it off."""
    with suppress(DatabaseFailedError):  # a user who may not read it
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
    """Put a new database in the database's place and keep the old one as a checkpoint.

    `fill` is given the new one while it lies beside the old: what it raises leaves the old one as
    it was. Returns the checkpoint; None when there was no database. Raises RefusedError that names
    who is connected.
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
    """Remove a checkpoint for good; raises NotFoundError."""
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
    """Return what a database's comment says it is, if it is a checkpoint of `of`."""
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
    """Return the revision of the schema; None where there is none, or we may not read it."""
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
        f"{of} has no checkpoint {name!r}",
        hint=f"there are: {names}" if names else "make one: chatdb dev-db checkpoint save NAME",
    )


def _of_database(server: Server, of: str, database: str) -> Checkpoint:
    return next(item for item in _checkpoints(server, of) if item.database == database)


def _exists(server: Server, name: str) -> bool:
    return any(database.name == name for database in server.databases())


def _require_there(server: Server, url: DatabaseUrl) -> None:
    if not _exists(server, url.database):
        raise NotFoundError(
            f"there is no database {url.database} at {url.redacted()}",
            hint="make it: chatdb dev-db up",
        )


def _require_possible(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a checkpoint",
            hint="letters, digits, dots, dashes and underscores, at most 40: before-import",
        )


def _require_new(server: Server, of: str, name: str) -> None:
    if any(item.name == name for item in _checkpoints(server, of)):
        raise RefusedError(
            f"{of} has a checkpoint {name!r} already",
            hint=f"take another name, or remove it: chatdb dev-db checkpoint delete {name}",
        )


def _move_aside(server: Server, url: DatabaseUrl, name: str) -> Move:
    """Return the move that makes the present database a checkpoint."""
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
    """Return a name that tells people what it is; the digest tells the too long ones apart."""
    wanted = f"{of}_checkpoint_{name}"
    if len(wanted.encode()) <= LONGEST_NAME:
        return wanted
    digest = sha256(wanted.encode()).hexdigest()[:12]
    start = f"{of}_checkpoint_".encode()[: LONGEST_NAME - len(digest)].decode(errors="ignore")
    return start + digest


def _making(of: str) -> str:
    """Return the name of a copy that is being made."""
    return f"chatdb_making_{sha256(of.encode()).hexdigest()[:12]}_{uuid4().hex[:8]}"


def _sweep(server: Server, of: str, note: Callable[[str], None]) -> None:
    """Remove what a chatdb that was killed had begun; nobody else can be at it now."""
    start = _making(of).rpartition("_")[0] + "_"
    for database in server.databases():
        if database.name.startswith(start) and database.owned:
            note(f"removing {database.name}: its making was broken off")
            _remove(server, database.name)


def _remove(server: Server, making: str) -> None:
    """Remove a database that is not finished; who was broken off may still be at work in it."""
    server.end_sessions(making)
    server.drop(making)


def _stamp() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
