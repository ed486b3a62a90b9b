"""Restores a SQLite file of a backup into a new file."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from chatdb.backups.archives import PIECE
from chatdb.backups.left_out import LeftOut
from chatdb.backups.reading import open_data, packed_bytes
from chatdb.db.connect import connect_sqlite
from chatdb.db.contract.search_index import COMPLETE_HINT
from chatdb.db.database import Database
from chatdb.db.migrating.revision import translated
from chatdb.db.url import DatabaseUrl
from chatdb.errors import InvalidInputError, StorageError
from chatdb.operations.restoring.parts import Task
from chatdb.operations.schema.public import SEARCH_INDEX
from chatdb.operations.searching.public import look_at_search_index

_MAGIC = b"SQLite format 3\x00"
_SPARE_BYTES = 16 * 1024 * 1024
_SHOWN = 5
# Shadow tables of FTS5 are left out: their rows depend on merges, not on the contents.
_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%'"
    " ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%' AND name NOT LIKE '%\\_fts\\_%' ESCAPE '\\'"
    " ORDER BY name"
)


@dataclass(frozen=True, slots=True)
class SqliteFilling:
    """A SQLite file of a backup, restored with a check for disk space."""

    task: Task
    remarks: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def fill(self, new: DatabaseUrl) -> None:
        """Unpack it and sync it to disk."""
        backup = self.task.backup
        self.task.watch.begin("restoring", packed_bytes(backup))
        try:
            with (
                open_data(
                    backup, backup.archive_names[0], on_bytes=self.task.watch.advance
                ) as stream,
                new.sqlite_path.open("r+b") as file,
            ):
                start = stream.read(len(_MAGIC))
                if start != _MAGIC:
                    raise InvalidInputError(f"{backup.name} does not contain a SQLite database")
                file.write(start)
                shutil.copyfileobj(stream, file, PIECE)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StorageError(
                f"{new.sqlite_path} cannot be written: {error.strerror or error}",
                hint="free some space, or restore elsewhere: --into",
            ) from error

    def finish(self, new: DatabaseUrl) -> None:
        """Do nothing: the file is complete."""

    def carry_over(self, new: DatabaseUrl) -> None:
        """Report a damaged full-text index; the file gets the target's permissions."""
        with Database.open(new) as database:
            with database.transaction() as connection:
                tables = set(database.dialect.existing_tables(connection))
            if {"chatdb_settings", SEARCH_INDEX} <= tables:
                for problem in look_at_search_index(database).problems:
                    self.task.watch.warning(
                        f"the full-text index in the backup is not intact ({problem}), but its "
                        f"messages are; to rebuild it: {COMPLETE_HINT}"
                    )

    def check(self, new: DatabaseUrl, *, thorough: bool) -> list[str]:
        """Return what SQLite's own checks find in the file, its references and its indexes."""
        with translated(new), closing(connect_sqlite(new)) as connection:
            rows = connection.execute(f"PRAGMA integrity_check({_SHOWN})").fetchall()
            problems = [str(text) for (text,) in rows if text != "ok"]
            # integrity_check does not look at foreign keys.
            broken = connection.execute(
                'SELECT "table", parent, count(*) FROM pragma_foreign_key_check GROUP BY 1, 2'
            ).fetchall()
            if thorough:
                problems += _search_faults(connection)
        return problems + [
            f"{count} rows of {table} refer to missing rows of {parent}"
            for table, parent, count in broken
        ]

    def count(self, new: DatabaseUrl) -> dict[str, int]:
        """Return the rows of every table."""
        with translated(new), closing(connect_sqlite(new)) as connection:
            names = [str(name) for (name,) in connection.execute(_TABLES)]
            queries = {name: name.replace('"', '""') for name in names}
            return {
                name: connection.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()[0]
                for name, quoted in queries.items()
            }


def _search_faults(connection: sqlite3.Connection) -> list[str]:
    """Have FTS5 compare an application's indexes with the texts; chatdb's own can be rebuilt."""
    rows = connection.execute(
        "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%fts5%' AND name <> ?",
        (SEARCH_INDEX,),
    ).fetchall()
    faults = []
    for (name,) in rows:
        try:
            # Only with rank 1 does FTS5 compare an index with the external table of its texts.
            connection.execute(f"INSERT INTO {name}({name}, rank) VALUES ('integrity-check', 1)")
        except sqlite3.DatabaseError as error:
            faults.append(f"the search index {name} does not match its texts: {error}")
    return faults


@contextmanager
def planned_sqlite(task: Task) -> Iterator[SqliteFilling]:
    """Check whether there is enough space for it; raises StorageError."""
    manifest = task.backup.manifest
    size = packed_bytes(task.backup) if manifest is None else manifest.unpacked_bytes
    folder = task.url.sqlite_path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE_BYTES:
        raise StorageError(
            f"not enough space beside {task.url.sqlite_path}: {size + _SPARE_BYTES:,} bytes "
            f"needed, {free:,} free",
            hint=f"free some space in {folder}, or restore elsewhere: --into",
        )
    yield SqliteFilling(task)
