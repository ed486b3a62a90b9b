"""Making backups in tests, and reading them back by PostgreSQL's and SQLite's own means."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chatdb.backups.archives import unpacked
from chatdb.backups.contents import Contents
from chatdb.backups.folder_store import FolderStore
from chatdb.backups.inventory import Backup
from chatdb.db.database import Database
from chatdb.db.postgresql.conninfo import conninfo
from chatdb.db.url import DatabaseUrl
from chatdb.operations.backups.create import create_backup
from chatdb.operations.backups.parts import BackupOptions
from chatdb.servers.dump_programs import DumpPrograms
from chatdb.store.contents import measure
from tests.postgres_server import PostgresServer

PROGRAMS = DumpPrograms(os.environ)


class Quiet:
    """A watch that remembers what it was told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.stages: list[str] = []
        self.done = 0

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def begin(self, what: str, total: int | None, unit: str = "bytes") -> None:
        del total, unit
        self.stages.append(what)

    def advance(self, amount: int) -> None:
        self.done += amount


def back_up(database: Database, folder: Path, watch: Quiet | None = None, **options: Any) -> Backup:
    """Back the database up into a folder."""
    request = BackupOptions(programs=PROGRAMS, **options)
    return create_backup(database, FolderStore(folder), request, watch or Quiet())


def measured(database: Database) -> Contents:
    """Return what is in a database now."""
    with database.transaction(snapshot=True) as connection:
        return measure(database, connection)


@contextmanager
def restored(
    backup: Backup, folder: Path, postgres: PostgresServer | None = None
) -> Iterator[Database]:
    """Bring a full backup back beside everything, without chatdb's own restore."""
    (name,) = {name.partition("/")[0] for name in backup.archive_names}
    if backup.kind == "sqlite":
        path = folder / "restored.db"
        with backup.store.open(name) as raw:
            path.write_bytes(unpacked(raw, name).read())
        with Database.open(DatabaseUrl(dialect_name="sqlite", path=path)) as database:
            yield database
        return
    assert postgres is not None
    with postgres.new_database() as url:
        with backup.store.open(name) as raw:
            archive = unpacked(raw, name).read()
        assert backup.manifest is not None
        major = int(backup.manifest.tool_version.partition(".")[0])
        client = PROGRAMS.find("pg_restore", major)
        words = [*client.words, "--exit-on-error", f"--dbname={conninfo(url)}"]
        environment = {**os.environ, "PGPASSWORD": url.password}
        subprocess.run(words, input=archive, env=environment, check=True)
        with Database.open(url, schema=_schema(backup)) as database:
            yield database


def _schema(backup: Backup) -> str | None:
    schema = None if backup.manifest is None else backup.manifest.schema
    return None if schema == "public" else schema
