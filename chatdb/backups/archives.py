"""The bytes of a backup's files: compressed and hashed when written, checked when read.

The file name says what wraps the data: `.zst` is a Zstandard stream, `.gz` another tool's, `.age`
encryption around either.
"""

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

import zstandard

from chatdb.backups.encryption import NO_KEYS, Keys, decrypted, encrypting
from chatdb.backups.manifest import BackupFile
from chatdb.backups.names import COMPRESSED, ENCRYPTED
from chatdb.errors import InvalidInputError
from chatdb.formats.files.streams import ZstandardStream
from chatdb.primitives.atomic_write import storage_error

_LEVEL, _WINDOW_LOG, _HASH_LOG = 1, 21, 17
"""Zstandard's fast strategy with the window of level 3 and a large table: on dumps of chats it
compresses as well as level 3 in three quarters of its time, and better than gzip 6."""

_JOB_BYTES = 4 << 20
"""Bytes a thread compresses at once: half of its default, which halves the memory too."""

PIECE = 1 << 20
# Each holds 4 MB of its input.
MOST_THREADS = 8
_DAMAGE = (zlib.error, gzip.BadGzipFile, EOFError, zstandard.ZstdError)

OnBytes = Callable[[int], object]


def spare_threads() -> int:
    """Return how many threads compress: one for each core available to us."""
    # Not cpu_count: a container may have two cores of 64.
    return max(1, min(len(os.sched_getaffinity(0)), MOST_THREADS))


class ArchiveWriter:
    """Writes the bytes of one file; knows its checksum and both sizes once closed."""

    def __init__(
        self,
        target: IO[bytes],
        summed: "_Summed",
        *,
        threads: int | None,
        on_bytes: OnBytes | None,
    ) -> None:
        self._target = target
        self._summed = summed
        self._on_bytes = on_bytes
        self._packer = None
        if threads is not None:
            parameters = zstandard.ZstdCompressionParameters(
                compression_level=_LEVEL,
                window_log=_WINDOW_LOG,
                hash_log=_HASH_LOG,
                threads=threads,
                job_size=_JOB_BYTES,
                # Found while unpacking, also where the manifest is not at hand.
                write_checksum=True,
            )
            compressor = zstandard.ZstdCompressor(compression_params=parameters)
            self._packer = compressor.compressobj()
        self.unpacked_bytes = 0

    def write(self, data: bytes) -> int:
        """Write some bytes."""
        self.unpacked_bytes += len(data)
        self._pass_on(data if self._packer is None else self._packer.compress(data))
        if self._on_bytes is not None:
            self._on_bytes(len(data))
        return len(data)

    def finish(self) -> None:
        """Finish the compressed stream."""
        if self._packer is not None:
            self._pass_on(self._packer.flush())

    def file(self, name: str) -> BackupFile:
        """Return the manifest's entry for the file, once it is closed."""
        return BackupFile(name, self._summed.size, self._summed.sha256.hexdigest())

    def _pass_on(self, data: bytes) -> None:
        if data:
            self._target.write(data)


class _Summed:
    """Passes bytes on to a file, and hashes and counts them."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self.sha256 = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self.size += len(data)
        return self._raw.write(data)


@contextmanager
def write_archive(
    path: Path,
    *,
    threads: int | None = None,
    on_bytes: OnBytes | None = None,
    keys: Keys = NO_KEYS,
) -> Iterator[ArchiveWriter]:
    """Open a new file of a staging folder for writing: mode 0600, synced to disk when closed.

    A name that ends in `.zst` is compressed by `threads` threads, one for each core by default;
    `.age` behind it is encrypted to the recipients of `keys`. `on_bytes` receives the count of
    bytes accepted. Raises StorageError.
    """
    is_encrypted = path.name.endswith(ENCRYPTED)
    is_packed = path.name.removesuffix(ENCRYPTED).endswith(COMPRESSED)
    packed = None
    if is_packed:
        packed = spare_threads() if threads is None else threads
    try:
        # O_EXCL: never into a file or link that somebody else put there.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb", buffering=PIECE) as raw:
            summed = _Summed(raw)
            with _encrypted(summed, keys, wanted=is_encrypted) as target:
                writer = ArchiveWriter(target, summed, threads=packed, on_bytes=on_bytes)
                yield writer
                writer.finish()
            raw.flush()
            # The manifest that follows promises this file: it must survive a power cut.
            os.fsync(raw.fileno())
    # A broken pipe to pyrage or pg_dump is no fault of the disk.
    except ConnectionError:
        raise
    except OSError as error:
        raise storage_error(path, error) from error


@contextmanager
def _encrypted(summed: _Summed, keys: Keys, *, wanted: bool) -> Iterator[IO[bytes]]:
    if not wanted:
        yield cast(IO[bytes], summed)
    elif keys.recipients is None:
        raise ValueError("a name that ends in .age needs recipients")
    else:
        with encrypting(cast(IO[bytes], summed), keys.recipients) as stream:
            yield stream


def sum_up(stream: IO[bytes], name: str, *, on_bytes: OnBytes | None = None) -> BackupFile:
    """Read a file to its end and return its size and checksum under this name."""
    sha256, size = hashlib.sha256(), 0
    while data := stream.read(PIECE):
        sha256.update(data)
        size += len(data)
        if on_bytes is not None:
            on_bytes(len(data))
    return BackupFile(name, size, sha256.hexdigest())


class CheckedStream(io.RawIOBase):
    """Passes a file's bytes on; at the end it compares them with the manifest.

    Reading to the end, or `verify`, raises InvalidInputError if the file differs.
    """

    def __init__(
        self, raw: IO[bytes], file: BackupFile | None = None, *, on_bytes: OnBytes | None = None
    ) -> None:
        self._raw = raw
        self._file = file
        self._on_bytes = on_bytes
        self._sha256 = hashlib.sha256()
        self._size = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._raw.read(len(buffer))
        buffer[: len(data)] = data
        self._sha256.update(data)
        self._size += len(data)
        if self._on_bytes is not None and data:
            self._on_bytes(len(data))
        # An empty buffer also reads nothing, long before the end.
        if not data and len(buffer):
            self._compare()
        return len(data)

    def verify(self) -> None:
        """Read the rest."""
        while self.read(PIECE):
            pass

    def _compare(self) -> None:
        if self._file is not None:
            compare(self._file, BackupFile(self._file.name, self._size, self._sha256.hexdigest()))

    def close(self) -> None:
        self._raw.close()
        super().close()


def compare(wanted: BackupFile, found: BackupFile) -> None:
    """Raise InvalidInputError that distinguishes a truncated file from an altered one."""
    if found.bytes != wanted.bytes:
        how = "truncated" if found.bytes < wanted.bytes else "longer than it was"
        raise InvalidInputError(
            f"{wanted.name} is {how}: {found.bytes} bytes, the manifest says {wanted.bytes}"
        )
    if found.sha256 != wanted.sha256:
        raise InvalidInputError(
            f"{wanted.name} is not the file that was backed up: checksum mismatch"
        )


def unpacked(raw: IO[bytes] | io.RawIOBase, name: str, keys: Keys = NO_KEYS) -> IO[bytes]:
    """Return the data inside a file's stream, by the suffixes of its name; closing closes both.

    `keys` decrypt an encrypted file. Reading raises InvalidInputError if the data is damaged,
    ConfigurationError if no key fits, UsageError if there is no key.
    """
    raw = cast(IO[bytes], raw)
    lowered = name.lower()
    if lowered.endswith(ENCRYPTED):
        raw = decrypted(raw, keys.identities, name)
        lowered = lowered.removesuffix(ENCRYPTED)
    if lowered.endswith(COMPRESSED):
        return _buffered(io.BufferedReader(ZstandardStream(raw), PIECE).read1, raw, name)
    if lowered.endswith(".gz"):
        return _buffered(gzip.GzipFile(fileobj=raw, mode="rb").read1, raw, name)
    return raw


def _buffered(read: Callable[[int], bytes], raw: IO[bytes], name: str) -> IO[bytes]:
    return cast(IO[bytes], io.BufferedReader(_Unpacked(read, raw, name), PIECE))


class _Unpacked(io.RawIOBase):
    """Turns damage of the compressed data into an error that names the file."""

    def __init__(self, read: Callable[[int], bytes], raw: IO[bytes], name: str) -> None:
        self._read = read
        self._packed = raw
        self._name = name

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            data = self._read(len(buffer))
        except _DAMAGE as error:
            raise InvalidInputError(f"{self._name} is damaged: {error}") from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._packed.close()
        super().close()
