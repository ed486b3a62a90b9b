"""Writes a file completely or not at all: under another name first, synced, then renamed."""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from chatdb.errors import ChatdbError, StorageError

BUFFER = 1 << 20
PRIVATE = 0o600
PARTIAL = ".partial"

_LOOKED_AT_SECONDS = 0.2
_POLL_SECONDS = 0.01
"""A process that checks whether a file is abandoned holds its lock for a moment."""


@contextmanager
def atomic_write(path: Path, *, mode: int = PRIVATE) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name only if the block ends well.

    The bytes go to `NAME.partial`, locked, are synced to disk and then renamed; a killed process's
    file of that name is replaced. If anything fails or is interrupted, the partial file is removed
    and an older file of that name is unchanged. A link is followed. Raises StorageError for a full
    disk, missing permissions, or while another process writes the file.
    """
    if path.is_symlink():
        # Renaming over a link would replace the link and leave its target as it was.
        path = path.resolve()
    partial = path.with_name(path.name + PARTIAL)
    ours: list[Path] = []
    try:
        # Renamed or removed before it is closed: the lock is held until then.
        with (
            _removed_on_failure(partial, ours),
            os.fdopen(claim_partial(partial, path, ours, mode), "wb", buffering=BUFFER) as stream,
            _removed_on_failure(partial, ours),
        ):
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            partial.replace(path)
            sync_folder(path.parent)
    # A broken pipe comes from the block, not from this file.
    except ConnectionError:
        raise
    except OSError as error:
        raise storage_error(path, error) from error


def write_unsynced(folder: int, name: str, data: bytes, *, mode: int = PRIVATE) -> None:
    """Write a file that appears completely under its name, but leave syncing to the caller.

    For the files of a locked folder (an open descriptor) that can be made again: a killed process
    leaves no partial one, a power cut may, until `sync_file_system` has returned. Raises OSError.
    """
    partial = name + PARTIAL
    # The folder's lock covers all its files, and paths from it are short: a file costs five calls,
    # instead of twelve with its own lock.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(partial, flags, mode, dir_fd=folder)
        try:
            rest = memoryview(data)
            while rest:
                # write() may take a part only: on a full disk, or when a signal arrives.
                rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)
        os.rename(partial, name, src_dir_fd=folder, dst_dir_fd=folder)
    # Somebody else's file: it must not be removed below.
    except FileExistsError:
        raise
    except BaseException:
        with suppress(OSError):
            os.unlink(partial, dir_fd=folder)
        raise


def claim_partial(partial: Path, path: Path, ours: list[Path], mode: int = PRIVATE) -> int:
    """Open the partial file of `path` for this process alone, empty; the lock ends with it.

    It is added to `ours` at once. If a sweeping process removes it before it is locked, it is made
    again. Raises StorageError while another process has it.
    """
    # O_NOFOLLOW: a link that somebody put there would have its target emptied.
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    deadline = time.monotonic() + _LOOKED_AT_SECONDS
    while True:
        descriptor = os.open(partial, flags, mode)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(descriptor, partial):
                ours.append(partial)
                # A killed process may have left the file with another mode.
                os.fchmod(descriptor, mode)
                # Under the lock only: with O_TRUNC the file of another process would be emptied.
                os.ftruncate(descriptor, 0)
                return descriptor
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                os.close(descriptor)
                raise StorageError(
                    f"{path} is being written by another process (to {partial.name})",
                    hint="wait until it finishes, or choose another name",
                ) from error
            time.sleep(_POLL_SECONDS)
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _is_still(descriptor: int, partial: Path) -> bool:
    """Tell whether the name still means the locked file: its writer may just have renamed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), partial.lstat())
    except FileNotFoundError:
        return False


@contextmanager
def _removed_on_failure(partial: Path, ours: list[Path]) -> Iterator[None]:
    """Remove the files in the list if the block fails, or an interrupt kept one out of it."""
    try:
        yield
    except BaseException:
        if ours:
            ours.pop().unlink(missing_ok=True)
        else:
            _sweep(partial)
        raise


def is_abandoned(partial: Path) -> bool:
    """Tell whether a file written under a lock was left by a process that has ended."""
    with suppress(OSError), _held(partial):
        return True
    return False


def remove_abandoned(partial: Path) -> None:
    """Remove a file left by a process that has ended, with SQLite's files beside a database."""
    if is_abandoned(partial):
        _sweep(partial)


def sweep_abandoned(folder: Path, start: str = "") -> None:
    """Remove the abandoned `.partial` files of a folder, by the start of their names."""
    with suppress(OSError):
        for partial in folder.glob("*" + PARTIAL):
            if partial.name.startswith(start):
                remove_abandoned(partial)


def _sweep(partial: Path) -> None:
    """Remove the file unless a process has locked it, with SQLite's files beside a database."""
    with suppress(OSError), _held(partial):
        for side in ("-wal", "-shm", "-journal", ""):
            partial.with_name(partial.name + side).unlink(missing_ok=True)


@contextmanager
def _held(partial: Path) -> Iterator[None]:
    """Lock a file that no process has locked; raises OSError."""
    flags = os.O_RDONLY | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0)  # It may be a pipe.
    descriptor = os.open(partial, flags)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_still(descriptor, partial):
            raise FileNotFoundError(partial)
        yield
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Make the rename itself durable; not every file system lets a folder be synced."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems refuse to sync a folder.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def sync_file_system(folder: Path) -> None:
    """Make everything written to a folder durable at once; raises StorageError.

    By `syncfs`, which Linux has but Python does not; elsewhere everything is synced.
    """
    import ctypes

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if syncfs is None:
            os.sync()
        elif syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise storage_error(folder, OSError(number, os.strerror(number)))
    finally:
        os.close(descriptor)


def storage_error(path: Path, error: OSError) -> ChatdbError:
    """Return an error that a user can act on for a failed write; a full disk is a special case."""
    reason = error.strerror or str(error)
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = "free some space or choose another place" if is_full else None
    return StorageError(f"{path} cannot be written: {reason}", hint=hint)
