"""What restores, migrations and deletions kept of a database, and remains of killed runs.

Uses only the bare driver and the file system: `chatdb status` shows it at a glance.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from chatdb.db.connect import connect_postgresql
from chatdb.db.contract.replacement import MARK, KeptDatabase
from chatdb.db.migrating.revision import translated
from chatdb.db.url import DatabaseUrl
from chatdb.errors import StorageError
from chatdb.operations.kept.deletions import DeletionLog, read_deletion_log
from chatdb.primitives.atomic_write import PARTIAL, is_abandoned

if TYPE_CHECKING:
    from chatdb.db.postgresql.server_databases import Server

MadeBy = Literal["restore", "migration", "deletion", "broken_off"]

FOLDER = "chatdb-deleted"
"""Where deleted conversations are saved: beside a SQLite file, else in `data`."""

_DELETED = re.compile(r".*_(\d{8}T\d{6}_\d{6}Z)\.jsonl(\.zst|\.gz)?")
_STAMP = "%Y%m%dT%H%M%S_%fZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptItem:
    """A kept item: a database on the server by its name, or a file by its path.

    `made_by` is what kept it; `broken_off` marks remains of a killed run, which are useless.
    """

    name: str
    made_by: MadeBy
    kept_at: datetime
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSummary:
    """How much is kept: bytes in all, and since when the oldest is.

    `broken_off` counts remains of killed runs, which the other figures include.
    """

    items: int
    bytes: int
    oldest: datetime
    broken_off: int


def summarise_kept(url: DatabaseUrl, *, schema: str | None = None) -> KeptSummary | None:
    """Return how much is kept of a database, None for nothing; raises as `find_kept` does."""
    items, _ = sorted_out(find_kept(url), read_deletion_log(url, schema=schema))
    if not items:
        return None
    return KeptSummary(
        items=len(items),
        bytes=sum(item.bytes for item in items),
        oldest=items[0].kept_at,
        broken_off=sum(item.made_by == "broken_off" for item in items),
    )


def sorted_out(
    items: Sequence[KeptItem], log: DeletionLog
) -> tuple[list[KeptItem], list[KeptItem]]:
    """Return what is of the database, and the deletions in the same folder that are of others.

    Where a restore has changed the log, or it cannot be read, what it does not name may be of this
    database too.
    """
    named = {each.path.name for each in log.deletions}
    is_whole = not (log.problem or log.was_restored) and all(
        item.made_by != "restore" for item in items
    )
    others = [
        item
        for item in items
        if is_whole and item.made_by == "deletion" and Path(item.name).name not in named
    ]
    return [item for item in items if item not in others], others


def find_kept(url: DatabaseUrl) -> list[KeptItem]:
    """Return what is kept of a database, oldest first, and all deletions of its folder.

    Raises the errors of `chatdb.errors` for a server that cannot be reached, StorageError for a
    folder that cannot be read.
    """
    found = [*_files(url)] if url.path is not None else [*_databases(url)]
    found += _deletions(deletions_folder(url))
    return sorted(found, key=lambda item: (item.kept_at, item.name))


def deletions_folder(url: DatabaseUrl) -> Path:
    """Return where the deleted conversations of a database are saved."""
    beside = url.sqlite_path.parent if url.path is not None else Path("data")
    return beside / FOLDER


def _files(url: DatabaseUrl) -> Iterator[KeptItem]:
    from chatdb.db.sqlite.replacement import NEW, SqliteReplacement

    place = SqliteReplacement(url)
    for kept in place.kept():
        yield _item(kept, "restore")
    for kept in place.kept_by_migrations():
        yield _item(kept, "migration")
    path = url.sqlite_path.resolve()
    starts = (f"{path.stem}.before_", f"{path.stem}{MARK}")
    for left in path.parent.glob("*" + PARTIAL):
        if left.name.startswith(starts) and is_abandoned(left):
            yield _left(left)
    restoring = path.with_name(path.name + NEW)
    if restoring.exists() and is_abandoned(restoring):
        yield _left(restoring)


def _databases(url: DatabaseUrl) -> Iterator[KeptItem]:
    from chatdb.db.postgresql.replacement import PostgresqlReplacement

    with _server(url) as server, translated(url):
        for kept in PostgresqlReplacement(url, server, lambda _: None).kept():
            yield _item(kept, "restore")


@contextmanager
def _server(url: DatabaseUrl) -> "Iterator[Server]":
    """Ask the database itself for the others, or one beside it if it is gone."""
    import psycopg

    from chatdb.db.postgresql.server_databases import Server

    try:
        connection = connect_postgresql(url, autocommit=True)
    except psycopg.Error:
        with Server.open(url) as server:
            yield server
        return
    with closing(connection):
        yield Server(connection)


def _deletions(folder: Path) -> Iterator[KeptItem]:
    try:
        there = sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise StorageError(f"{folder} cannot be read: {error.strerror or error}") from error
    for path in there:
        kept_at = deletion_time(path)
        with suppress(FileNotFoundError):  # Removed at this moment.
            if path.name.endswith(PARTIAL) and is_abandoned(path):
                yield _left(path)
            elif kept_at is not None:
                size = path.stat().st_size
                yield KeptItem(name=str(path), made_by="deletion", kept_at=kept_at, bytes=size)


def deletion_time(path: Path) -> datetime | None:
    """Return when a file of deleted conversations was written, by its name; None for others."""
    match = _DELETED.fullmatch(path.name)
    if match is None:
        return None
    try:
        return datetime.strptime(match[1], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _item(kept: KeptDatabase, made_by: MadeBy) -> KeptItem:
    return KeptItem(name=kept.name, made_by=made_by, kept_at=kept.kept_at, bytes=kept.bytes)


def _left(path: Path) -> KeptItem:
    told = path.stat()
    changed = datetime.fromtimestamp(told.st_mtime, UTC)
    return KeptItem(name=str(path), made_by="broken_off", kept_at=changed, bytes=told.st_size)
