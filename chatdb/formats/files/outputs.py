"""Opens output files: written atomically, compressed according to their names."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from chatdb.formats.files.behind import WriteBehind
from chatdb.primitives.atomic_write import atomic_write, storage_error

ZSTANDARD_LEVEL = 3
GZIP_LEVEL = 6


@contextmanager
def open_output(path: Path, *, as_is: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name only when it is complete.

    It is written as `atomic_write` does, by a thread. A name that ends in `.gz` or `.zst` is
    compressed, unless `as_is` says that the bytes are the file's; the same bytes give the same
    file. Devices and pipes are written to directly. Raises StorageError.
    """
    if path.is_symlink():
        path = path.resolve()
    if path.exists() and not path.is_file():
        with _device(path) as stream:
            yield stream
        return
    name = "" if as_is else path.name
    with (
        atomic_write(path) as raw,
        _compressed(raw, name) as packed,
        WriteBehind(packed, raw.fileno()) as stream,
    ):
        yield cast(BinaryIO, stream)


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
def _compressed(raw: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """Wrap the stream according to its name; leaving the context completes the compressed data."""
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
