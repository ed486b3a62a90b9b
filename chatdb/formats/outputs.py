"""Opening what is to be written: whole or not at all, compressed by its name."""

import errno
import fcntl
import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from chatdb.errors import ChatdbError, StorageError
from chatdb.formats.behind import WriteBehind

ZSTANDARD_LEVEL = 3
GZIP_LEVEL = 6


@contextmanager
def open_output(path: Path, *, as_is: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name only when it is complete.

    The bytes go to `NAME.partial`, locked and readable by the owner alone, are synced to the
    disk and then renamed; what a killed process left under that name is replaced. When anything
    fails or is interrupted the partial file is removed and an older file of that name stays as
    it was. A name that ends in `.gz` or `.zst` is compressed, unless the bytes are `as_is` those of
    the file; the same bytes give the same file. Devices and pipes are written to as they are.
    Raises StorageError for a full disk, missing rights, or while another process writes it.
    """
    if path.is_symlink():
        path = path.resolve()
    if path.exists() and not path.is_file():
        with _device(path) as stream:
            yield stream
        return
    partial = path.with_name(path.name + ".partial")
    ours: list[Path] = []
    try:
        # Renamed or removed before it is closed: the lock is held until then. An interrupt before
        # there is a stream is the outer one's.
        with (
            _removed_on_failure(ours),
            os.fdopen(_claimed(partial, path, ours), "wb", buffering=1 << 20) as raw,
            _removed_on_failure(ours),
        ):
            descriptor = raw.fileno()
            name = "" if as_is else path.name
            with _compressed(raw, name) as packed, WriteBehind(packed, descriptor) as stream:
                yield cast(BinaryIO, stream)
            raw.flush()
            os.fsync(raw.fileno())
            partial.replace(path)
            sync_folder(path.parent)
    except ConnectionError:
        raise
    except OSError as error:
        raise storage_error(path, error) from error


def _claimed(partial: Path, path: Path, ours: list[Path]) -> int:
    """Open the partial file for this process alone, empty; the lock ends with the process.

    It is put into `ours` as soon as it is.
    """
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    while True:
        descriptor = os.open(partial, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still(descriptor, partial):
                ours.append(partial)
                os.fchmod(descriptor, 0o600)
                os.ftruncate(descriptor, 0)
                return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            raise StorageError(
                f"{path} is being written by another process (to {partial.name})",
                hint="wait until it is done, or choose another name",
            ) from error
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
def _device(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("wb") as raw, _compressed(raw, path.name) as stream:
            yield stream
    except ConnectionError:
        raise
    except OSError as error:
        raise storage_error(path, error) from error


@contextmanager
def _removed_on_failure(ours: list[Path]) -> Iterator[None]:
    """Remove the files that are in the list when the block fails."""
    try:
        yield
    except BaseException:
        while ours:
            ours.pop().unlink(missing_ok=True)
        raise


@contextmanager
def _compressed(raw: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """Wrap the stream as its name says; leaving the context completes the compressed data."""
    lowered = name.lower()
    if lowered.endswith(".gz"):
        with gzip.GzipFile(
            filename="", mode="wb", fileobj=raw, compresslevel=GZIP_LEVEL, mtime=0
        ) as packed:
            yield cast(BinaryIO, packed)
    elif lowered.endswith(".zst"):
        compressor = zstandard.ZstdCompressor(level=ZSTANDARD_LEVEL, write_checksum=True)
        with compressor.stream_writer(raw, closefd=False) as packed:
            yield cast(BinaryIO, packed)
    else:
        yield raw


def sync_folder(folder: Path) -> None:
    """Make the rename itself durable; not every file system lets a folder be synced."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(descriptor)


def storage_error(path: Path, error: OSError) -> ChatdbError:
    """Return what a user can act on for a failed write, a full disk told from the others."""
    reason = error.strerror or str(error)
    is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    hint = "free some space or choose another place" if is_full else None
    return StorageError(f"{path} cannot be written: {reason}", hint=hint)
