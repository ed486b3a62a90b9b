"""Files in a folder by the tenant that they belong to and the SHA-256 of their bytes.

`FOLDER/<tenant's id>/<digest>`, folders of mode 0700 and files of mode 0600. A file has its name
only once its bytes are on the disk. Two tenants never share one.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from chatdb.errors import UnreadableFileError
from chatdb.primitives.atomic_write import storage_error, sync_file_system, sync_folder
from chatdb.primitives.digests import DIGEST, Readable, pieces
from chatdb.primitives.own_folder import make_own_folder

FOLDER_MODE = 0o700
FILE_MODE = 0o600
FILES_AT_ONCE = 200
BYTES_AT_ONCE = 256 << 20
"""Bounds of what is added in one block of `incoming`: an interrupted one leaves nothing."""
HEAD = 512
"""First bytes of a file that are returned: they tell what it is."""

_INCOMING = ".incoming-"
_LOCK = ".lock"


@dataclass(frozen=True, slots=True)
class AddedFile:
    """A file that was added: its digest, its size in bytes, and how it begins."""

    digest: str
    size: int
    head: bytes


class FileStore:
    """The folder; it is made when the first file is added.

    Reading raises UnreadableFileError: what cannot be looked at is not missing. Writing raises
    StorageError.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def exists(self) -> bool:
        """Tell whether there is a folder; also one that cannot be looked into."""
        try:
            return self.folder.is_dir()
        except OSError:
            return True

    def path(self, tenant: UUID, digest: str) -> Path:
        """Return where a file stands; ValueError for a digest that could lead elsewhere."""
        if not DIGEST.fullmatch(digest):
            raise ValueError(f"not a digest: {digest!r}")
        return self.folder / str(tenant) / digest

    def size_of(self, tenant: UUID, digest: str) -> int | None:
        """Return the size of a file in bytes, None without such a file."""
        try:
            path = self.path(tenant, digest)
        except ValueError:
            return None
        with _reading(path):
            try:
                return path.stat().st_size
            except (FileNotFoundError, NotADirectoryError):
                return None

    def read(self, tenant: UUID, digest: str, most: int) -> bytes | None:
        """Return the first bytes of a file, at most so many; None without such a file."""
        if self.size_of(tenant, digest) is None:
            return None
        path = self.path(tenant, digest)
        with _reading(path), path.open("rb") as file:
            return file.read(most)

    def pieces(self, tenant: UUID, digest: str) -> Iterator[memoryview]:
        """Yield the bytes of a file in pieces, each in the memory of the one before."""
        path = self.path(tenant, digest)
        with _reading(path), path.open("rb", buffering=0) as source:
            yield from pieces(source)

    def tenants(self) -> list[UUID]:
        """Return the tenants that have a folder, in order."""
        found: list[UUID] = []
        if self.exists:
            with _reading(self.folder):
                paths = list(self.folder.iterdir())
            for path in paths:
                with suppress(ValueError):
                    found.append(UUID(path.name))
        return sorted(found)

    def files(self, tenant: UUID) -> Iterator[tuple[str, int]]:
        """Yield the digest and size of each file of a tenant, in no order."""
        folder = self.folder / str(tenant)
        with _reading(folder):
            if not folder.is_dir():
                return
            with os.scandir(folder) as entries:
                there = [each.name for each in entries if each.is_file(follow_symlinks=False)]
        for name in there:
            size = self.size_of(tenant, name)
            if size is not None:
                yield name, size

    @contextmanager
    def incoming(self, tenant: UUID) -> Iterator["Incoming"]:
        """Add files of a tenant in the block; they are there once it ends well, or none is.

        Files that a killed process left unfinished are removed first.
        """
        own = self.folder / str(tenant)
        with _storing(self.folder):
            make_own_folder(self.folder, mode=FOLDER_MODE)
            own.mkdir(mode=FOLDER_MODE, exist_ok=True)
            _sweep(own)
            place = Path(tempfile.mkdtemp(prefix=_INCOMING, dir=own))
        lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            incoming = Incoming(place)
            yield incoming
            with _storing(self.folder):
                incoming.finish(own)
        finally:
            shutil.rmtree(place, ignore_errors=True)
            os.close(lock)

    def remove(self, tenant: UUID, digest: str) -> bool:
        """Remove a file, and its tenant's folder after the last; tell whether it was there."""
        path = self.path(tenant, digest)
        with _storing(path):
            try:
                path.unlink()
            except FileNotFoundError:
                return False
        with suppress(OSError):  # Fails while there are others.
            path.parent.rmdir()
        return True

    @contextmanager
    def held(self, *, alone: bool = False) -> Iterator[bool]:
        """Keep unused files from being removed in the block; `alone`: remove some oneself.

        Yields False, for nothing to be removed, while another process adds files or removes some.
        """
        if alone and not self.exists:
            yield True
            return
        with _storing(self.folder):
            make_own_folder(self.folder, mode=FOLDER_MODE)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
            descriptor = os.open(self.folder / _LOCK, flags, FILE_MODE)
        try:
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_EX | fcntl.LOCK_NB) if alone else fcntl.LOCK_SH)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(descriptor)


class Incoming:
    """Files on their way into a store."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._digests: list[str] = []

    def add(self, source: Readable) -> AddedFile:
        """Read a file to its end, in flat memory; errors of the source are raised as they are."""
        path = self._place / str(len(self._digests))
        digest, size, head = hashlib.sha256(), 0, b""
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        with _storing(self._place.parent):
            descriptor = os.open(path, flags, FILE_MODE)
        try:
            for piece in pieces(source):
                head = head or bytes(piece[:HEAD])
                digest.update(piece)
                size += len(piece)
                with _storing(self._place.parent):
                    _write_all(descriptor, piece)
        finally:
            os.close(descriptor)
        self._digests.append(digest.hexdigest())
        return AddedFile(self._digests[-1], size, head)

    def finish(self, folder: Path) -> None:
        """Bring all bytes to the disk, then give each file its name. Raises OSError."""
        if not self._digests:
            return
        # One call for all: syncing each takes longer than writing them.
        sync_file_system(self._place)
        for number, digest in enumerate(self._digests):
            (self._place / str(number)).replace(folder / digest)
        sync_folder(folder)


def _write_all(descriptor: int, piece: memoryview) -> None:
    while piece:
        # write() may take a part only: on a full disk, or when a signal arrives.
        piece = piece[os.write(descriptor, piece) :]


@contextmanager
def _storing(place: Path) -> Iterator[None]:
    """Turn an OSError into an error of that place: it is not the source's."""
    try:
        yield
    except OSError as error:
        raise storage_error(place, error) from error


@contextmanager
def _reading(place: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnreadableFileError(f"{place} cannot be read: {reason}", reason=reason) from error


def _sweep(folder: Path) -> None:
    """Remove what processes that have ended left unfinished."""
    for place in folder.glob(_INCOMING + "*"):
        with suppress(OSError):
            lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # An empty one may belong to a process that is about to lock it.
                if any(place.iterdir()):
                    shutil.rmtree(place, ignore_errors=True)
            finally:
                os.close(lock)
