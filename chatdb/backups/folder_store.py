"""A local folder as a store of backups."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from chatdb.backups.archives import OnBytes
from chatdb.backups.encryption import NO_KEYS, Keys
from chatdb.backups.names import PARTIAL, TOC
from chatdb.backups.store import Staging, StoredFile
from chatdb.errors import NotFoundError, StorageError
from chatdb.primitives.atomic_write import atomic_write, storage_error, sync_folder
from chatdb.primitives.folder_lock import lock_folder
from chatdb.primitives.own_folder import IGNORE_FILE, make_own_folder, remove_own_folder


class FolderStore:
    """A local folder; it is created at the first backup, for the owner only."""

    def __init__(self, folder: Path, keys: Keys = NO_KEYS) -> None:
        self.folder = folder
        self.keys = keys
        self._made = False

    @property
    def address(self) -> str:
        return str(self.folder)

    def files(self) -> list[StoredFile]:
        with _translated(self.folder):
            return sorted(self._found(), key=lambda file: file.name)

    def open(self, name: str) -> IO[bytes]:
        path = self.folder / name
        try:
            return path.open("rb")
        except FileNotFoundError as error:
            raise NotFoundError(f"there is no file {path}") from error
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror}") from error

    def staging(self, backup: str) -> Staging | None:
        folder = self.folder / (backup + PARTIAL)
        with _translated(self.folder):
            if make_own_folder(self.folder, mode=0o700):
                self._made = True
            if any(self.folder.glob(_escaped(backup) + ".*")):
                return None
            try:
                # Making a folder is atomic: of two backups of one name only one gets it.
                folder.mkdir(mode=0o700)
            except FileExistsError:
                return None
            try:
                lock = lock_folder(folder)
            except BaseException:
                self._remove(folder)
                raise
        return None if lock is None else Staging(folder, lock)

    def release(self, staging: Staging) -> None:
        # Removed before the lock is released: another process sweeping then would find half of it.
        try:
            self._remove(staging.folder)
        finally:
            os.close(staging.lock)

    def _remove(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        if self._made:  # A failure leaves nothing behind in a new place.
            remove_own_folder(self.folder)

    def put(self, path: Path, name: str, on_bytes: OnBytes | None = None) -> None:  # noqa: ARG002
        target = self.folder / name
        with _translated(target):
            target.parent.mkdir(mode=0o700, exist_ok=True)
            # Staging lies in the same folder, so this is a rename and never a copy.
            path.replace(target)
            sync_folder(target.parent)
            # A rename is on the disk only with its folder; the manifest comes after it.
            sync_folder(self.folder)

    def write(self, name: str, data: bytes) -> None:
        with atomic_write(self.folder / name) as stream:
            stream.write(data)

    def delete(self, name: str) -> None:
        path = self.folder / name
        with _translated(path):
            path.unlink(missing_ok=True)
            if "/" in name and not any(path.parent.iterdir()):
                path.parent.rmdir()

    def leftovers(self) -> list[str]:
        found = []
        for folder in sorted(self.folder.glob("*" + PARTIAL)):
            if not folder.is_dir():
                continue
            lock = lock_folder(folder)
            if lock is not None:
                os.close(lock)
                found.append(folder.name.removesuffix(PARTIAL))
        return found

    def sweep(self, backup: str) -> None:
        folder = self.folder / (backup + PARTIAL)
        with _translated(folder):
            lock = lock_folder(folder) if folder.is_dir() else None
            if lock is not None:
                self.release(Staging(folder, lock))

    def local_path(self, name: str) -> Path | None:
        return self.folder / name

    def _found(self) -> Iterator[StoredFile]:
        """Yield the files of the folder and of the archives that are folders themselves."""
        if not self.folder.exists():
            return
        for entry in os.scandir(self.folder):
            if entry.name == IGNORE_FILE:
                continue
            if entry.is_file():
                yield _stored(entry, entry.name)
            elif entry.is_dir() and _is_archive(entry):
                for inner in os.scandir(entry.path):
                    if inner.is_file():
                        yield _stored(inner, f"{entry.name}/{inner.name}")


def _is_archive(folder: os.DirEntry[str]) -> bool:
    """Tell whether it is an archive in the directory format: by its name or its contents."""
    return folder.name.endswith(".dir") or Path(folder.path, TOC).is_file()


def _stored(entry: "os.DirEntry[str]", name: str) -> StoredFile:
    status = entry.stat()
    return StoredFile(name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _escaped(name: str) -> str:
    """Return the name as a glob that matches it literally."""
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.EEXIST):
            raise StorageError(
                f"{path} is not a folder", hint="give another one: --output FOLDER"
            ) from error
        raise storage_error(path, error) from error
