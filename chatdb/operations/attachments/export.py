"""Writes kept attachments into a folder under the names that people gave them."""

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from chatdb.db.database import Database
from chatdb.errors import StorageError, UnreadableFileError, UsageError
from chatdb.formats.files.given_names import numbered, safe_name
from chatdb.operations.attachments.lists import AttachmentFilter, ListedAttachment, every_attachment
from chatdb.primitives.atomic_write import atomic_write, storage_error
from chatdb.primitives.digests import digest_of
from chatdb.primitives.file_store import FileStore
from chatdb.store.every_organization import chosen

_MOST_NAMED = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SkippedAttachment:
    """An attachment that could not be written: whose it is, its name, and why."""

    conversation_id: UUID
    message_id: UUID
    name: str | None
    digest: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentsExport:
    """How many files were written and their bytes; `unchanged` were in the folder before."""

    folder: str
    written: int
    unchanged: int
    bytes: int
    skipped: tuple[SkippedAttachment, ...]


def export_attachments(
    database: Database,
    store: FileStore,
    folder: Path,
    *,
    organization_key: str,
    wanted: AttachmentFilter,
    on_bytes: Callable[[int], object] = lambda _: None,
) -> AttachmentsExport:
    """Write the attachments of an organization; nothing that is in the folder is overwritten.

    A file that several messages have under one name is written once; other files of one name are
    numbered, in an order that stays the same. Raises NotFoundError and StorageError.
    """
    writing = _Writing(store, folder, on_bytes)
    with database.transaction(snapshot=True) as connection:
        (organization,) = chosen(connection, database.dialect, organization_key)
        writing.begin()
        for each in every_attachment(connection, organization, wanted):
            writing.add(organization.id, each)
    return AttachmentsExport(
        folder=str(folder),
        written=writing.written,
        unchanged=writing.unchanged,
        bytes=writing.bytes,
        skipped=tuple(writing.skipped),
    )


class _Writing:
    """One export into a folder."""

    def __init__(self, store: FileStore, folder: Path, on_bytes: Callable[[int], object]) -> None:
        self._store = store
        self._folder = folder
        self._on_bytes = on_bytes
        self._numbers: Counter[str] = Counter()
        self._done: set[tuple[str, str]] = set()
        self.written = self.unchanged = self.bytes = 0
        self.skipped: list[SkippedAttachment] = []

    def begin(self) -> None:
        """Make the folder."""
        if self._folder.exists() and not self._folder.is_dir():
            raise UsageError(f"{self._folder} is not a folder", hint="give another one: -o FOLDER")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise storage_error(self._folder, error) from error

    def add(self, organization: UUID, each: ListedAttachment) -> None:
        """Write one, unless it is there."""
        name = safe_name(each.name)
        if (each.digest, name) in self._done:
            return
        try:
            size = self._store.size_of(organization, each.digest)
        except UnreadableFileError as error:
            self._skip(each, f"its bytes cannot be read: {error.reason}")
            return
        if size is None:
            self._skip(each, "its bytes are missing")
            return
        self._done.add((each.digest, name))
        while True:
            # Some file systems take `A.png` and `a.png` for one.
            self._numbers[name.casefold()] += 1
            path = self._folder / numbered(name, self._numbers[name.casefold()])
            if not path.exists():
                self._write(organization, each, path)
                return
            if _has(path, each.digest, size):
                self.unchanged += 1
                return

    def _write(self, organization: UUID, each: ListedAttachment, path: Path) -> None:
        digest = hashlib.sha256()
        try:
            with atomic_write(path) as stream:
                for piece in self._store.pieces(organization, each.digest):
                    digest.update(piece)
                    stream.write(piece)
                    self.bytes += len(piece)
                    self._on_bytes(len(piece))
                if digest.hexdigest() != each.digest:
                    raise _DamagedError  # noqa: TRY301 - it has to leave atomic_write
        except _DamagedError:
            self._skip(each, "its bytes are damaged: they have another digest")
            return
        except UnreadableFileError as error:
            self._skip(each, f"its bytes cannot be read: {error.reason}")
            return
        self.written += 1

    def _skip(self, each: ListedAttachment, reason: str) -> None:
        if len(self.skipped) < _MOST_NAMED:
            self.skipped.append(
                SkippedAttachment(
                    conversation_id=each.conversation_id,
                    message_id=each.message_id,
                    name=each.name,
                    digest=each.digest,
                    reason=reason,
                )
            )


class _DamagedError(Exception):
    """The bytes of a file are not those of its digest."""


def _has(path: Path, digest: str, size: int) -> bool:
    """Tell whether a file has these bytes."""
    try:
        if not path.is_file() or path.stat().st_size != size:
            return False
        with path.open("rb", buffering=0) as stream:
            return digest_of(stream) == digest
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error
