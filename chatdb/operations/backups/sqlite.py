"""Backs up a SQLite database: copied, then checked, counted and compressed in parallel."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from chatdb.backups.archives import PIECE, ArchiveWriter
from chatdb.db.database import Database
from chatdb.db.sqlite.copies import copy_file, damages_of
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseFailedError, StorageError
from chatdb.operations.backups.parts import Bench, Made
from chatdb.primitives.beside import beside
from chatdb.store.contents import measure

_COPY = "copy.db"
_ALL_BUT_FULL = 1 << 20


def back_up_sqlite(database: Database, bench: Bench) -> Made:
    """Copy the file by the backup API and compress the copy; everything reported is read from it.

    Raises DatabaseFailedError for a database that is damaged, StorageError.
    """
    copy = bench.path(_COPY)
    with database.translated_errors(), _told_of_a_full_disk(copy):
        _copy(database.url, copy, bench)
    name = bench.archive_name("sqlite", compressed=True)
    bench.watch.begin("compressing and checking", copy.stat().st_size)
    with (
        bench.write(name, on_bytes=bench.watch.advance) as writer,
        beside(lambda stopped: _pack(copy, writer, stopped)) as packing,
        database.translated_errors(),
    ):
        damages = damages_of(copy)
        if damages:
            raise DatabaseFailedError(
                f"{database.url.sqlite_path} is damaged: {'; '.join(damages)}",
                hint="restore it from an older backup: chatdb backup list",
            )
        with Database.open(finished_copy(copy)) as copied, copied.transaction() as connection:
            version = copied.dialect.server_version(connection)
            with bench.index() as index:
                contents = measure(copied, connection, on_entries=index.add)
        packing.wait()
    copy.unlink()
    return Made(
        kind="sqlite",
        tool="sqlite",
        tool_version=version,
        server_version=version,
        compression="zstd",
        files=(writer.file(name), index.file()),
        index=index.file(),
        unpacked_bytes=writer.unpacked_bytes,
        contents=contents,
    )


@contextmanager
def _told_of_a_full_disk(copy: Path) -> Iterator[None]:
    """Blame a full disk on the place of the copy, not on the database that is read."""
    try:
        yield
    except sqlite3.Error as error:
        code = str(getattr(error, "sqlite_errorname", ""))
        free = shutil.disk_usage(copy.parent).free
        # On a full disk SQLite may report an I/O error instead of SQLITE_FULL.
        if code == "SQLITE_FULL" or (code.startswith("SQLITE_IOERR") and free < _ALL_BUT_FULL):
            raise StorageError(
                f"the disk of {copy.parent.parent} is full: there is not enough space for a copy "
                "of the database",
                hint="free some space or choose another place: --output FOLDER",
            ) from error
        raise


def finished_copy(path: Path) -> DatabaseUrl:
    """Return the URL of a copy that no program writes to."""
    # An immutable file is read without locks, and without -wal and -shm files beside it.
    return DatabaseUrl(dialect_name="sqlite", path=path, parameters=(("immutable", "1"),))


def _copy(url: DatabaseUrl, copy: Path, bench: Bench) -> None:
    copied = 0

    def told(done: int, total: int) -> None:
        nonlocal copied
        if not copied:
            bench.watch.begin("copying", total)
        bench.watch.advance(done - copied)
        copied = done

    copy_file(url, copy, on_bytes=told)


def _pack(copy: Path, writer: ArchiveWriter, stopped: Event) -> None:
    with copy.open("rb") as source:
        while not stopped.is_set() and (data := source.read(PIECE)):
            writer.write(data)
