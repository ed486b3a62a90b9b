"""Shared by the backup makers: options, results, progress."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from chatdb.backups.archives import ArchiveWriter, OnBytes, write_archive
from chatdb.backups.contents import Contents, IndexEntry
from chatdb.backups.encryption import NO_KEYS, Keys
from chatdb.backups.manifest import AttachedFiles, BackupFile, Compression
from chatdb.backups.names import ENCRYPTED, INDEX, Kind, Part, archive_name
from chatdb.backups.store import Staging
from chatdb.db.lock_waits import LOCK_SECONDS
from chatdb.primitives.file_store import FileStore
from chatdb.primitives.watch import Watch
from chatdb.servers.dump_programs import DumpPrograms

_encode_lines = msgspec.json.Encoder().encode_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupOptions:
    """What the backup is to contain; `jobs` above 1 means PostgreSQL's directory format.

    `lock_seconds` is how long to wait for a table that another session has locked, `file_store`
    where kept attachments are.
    """

    programs: DumpPrograms
    part: Part = "full"
    organization: str | None = None
    jobs: int = 1
    lock_seconds: int = LOCK_SECONDS
    file_store: FileStore | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """Where one backup is being made, its name, and its recipients."""

    name: str
    staging: Staging
    watch: Watch
    keys: Keys = NO_KEYS

    @property
    def is_encrypted(self) -> bool:
        """Whether the data is encrypted."""
        return self.keys.recipients is not None

    def archive_name(self, kind: Kind, *, compressed: bool) -> str:
        """Return the name of the archive."""
        return archive_name(self.name, kind, compressed=compressed, encrypted=self.is_encrypted)

    def write(
        self, name: str, *, threads: int | None = None, on_bytes: OnBytes | None = None
    ) -> AbstractContextManager[ArchiveWriter]:
        """Open a file of the backup for writing: compressed and encrypted as its name says."""
        return write_archive(self.path(name), threads=threads, on_bytes=on_bytes, keys=self.keys)

    def path(self, file: str) -> Path:
        """Return a file of the staging folder."""
        return self.staging.folder / file

    @contextmanager
    def index(self) -> Iterator["IndexWriter"]:
        """Open the list of conversations, one of the backup's files."""
        name = self.name + INDEX + (ENCRYPTED if self.is_encrypted else "")
        with self.write(name, threads=0) as writer:
            yield IndexWriter(writer, name)


class IndexWriter:
    """Writes the conversations of a backup, a line each."""

    def __init__(self, writer: ArchiveWriter, name: str) -> None:
        self._writer = writer
        self._name = name

    def add(self, entries: list[IndexEntry]) -> None:
        """Write some conversations."""
        self._writer.write(_encode_lines(entries))

    def file(self) -> BackupFile:
        """Return the finished file."""
        return self._writer.file(self._name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The files a maker left in the staging folder; the manifest is made from this."""

    kind: Kind
    tool: str
    tool_version: str
    server_version: str
    schema: str | None = None
    compression: Compression
    files: tuple[BackupFile, ...]
    index: BackupFile | None = None
    attachments: AttachedFiles | None = None
    unpacked_bytes: int
    contents: Contents = field(repr=False)
    needs_superuser: tuple[str, ...] = ()
    extensions: dict[str, tuple[str, ...]] | None = None
