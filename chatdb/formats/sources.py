"""Opening what is to be read: a file, standard input, a folder or an archive.

Everything is opened by what it is, not by its name, and read from front to end in bounded
memory. Nothing is ever extracted: members of an archive are read as streams, so their names
never touch the file system.
"""

import io
import shutil
import stat
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from chatdb.errors import InvalidInputError, NotFoundError, StorageError
from chatdb.formats.members import choose, folder_files, safe_members
from chatdb.formats.streams import (
    BUFFER,
    CountedStream,
    OnBytes,
    UnpackedStream,
    unpacked_stream,
    utf8_stream,
)

STDIN = "-"

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")

Opener = Callable[[OnBytes | None, ExitStack], io.BufferedIOBase]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file to read; `size` is in the bytes that `on_bytes` counts.

    Those are the bytes on disk, compressed or not; for members of a zip the unpacked ones.
    """

    name: str
    size: int
    opener: Opener
    on_bytes: OnBytes | None = None

    @contextmanager
    def open(self, *, counting: bool = True) -> Iterator[io.BufferedIOBase]:
        """Open the file as a stream of UTF-8 without byte order mark, from its beginning.

        Reading raises InvalidInputError for damaged or suspicious compression; opening raises
        StorageError when the file cannot be opened. `counting=False` (for a look at the head)
        leaves `on_bytes` out.
        """
        with ExitStack() as stack:
            try:
                stream = self.opener(self.on_bytes if counting else None, stack)
            except OSError as error:
                raise _storage_error(self.name, error) from error
            yield stack.enter_context(stream)


@dataclass(frozen=True, slots=True)
class Source:
    """An opened input: the files to read in order, and the names of those that are not read."""

    name: str
    files: tuple[SourceFile, ...]
    ignored: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """The total that `on_bytes` will have counted when every file was read once."""
        return sum(file.size for file in self.files)


@contextmanager
def open_source(
    path: str | Path, on_bytes: OnBytes | None = None, *, stdin: IO[bytes] | None = None
) -> Iterator[Source]:
    """Open a path, or standard input for `-`, for as long as the context lasts.

    Standard input, pipes and devices are first spooled to an anonymous temporary file. Raises
    NotFoundError, StorageError, or InvalidInputError for an archive or folder that holds nothing
    to read or is made to do harm.
    """
    with ExitStack() as stack:
        if str(path) == STDIN:
            name = "standard input"
            handle = _spooled(stdin or sys.stdin.buffer, name, stack)
            yield _from_handle(handle, name, on_bytes, stack)
            return
        name, path = str(path), Path(path)
        try:
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                source = _from_folder(path, on_bytes)
            else:
                handle = stack.enter_context(path.open("rb"))
                if not stat.S_ISREG(mode):
                    handle = _spooled(handle, name, stack)
                source = _from_handle(handle, name, on_bytes, stack)
        except OSError as error:
            raise _storage_error(name, error) from error
        yield source


def _from_handle(
    handle: IO[bytes], name: str, on_bytes: OnBytes | None, stack: ExitStack
) -> Source:
    handle.seek(0)
    if handle.read(4) in _ZIP:
        return _from_zip(handle, name, on_bytes, stack)
    size = handle.seek(0, io.SEEK_END)

    def opener(counter: OnBytes | None, _: ExitStack) -> io.BufferedIOBase:
        return _unpacked(handle, name, counter)

    return Source(name, (SourceFile(name, size, opener, on_bytes),))


def _from_zip(handle: IO[bytes], name: str, on_bytes: OnBytes | None, stack: ExitStack) -> Source:
    try:
        archive = stack.enter_context(zipfile.ZipFile(handle))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise InvalidInputError(f"{name} is a damaged zip archive: {error}") from error
    infos = safe_members(archive, name=name)
    chosen, ignored = choose(list(infos), packed=False)
    if not chosen:
        raise _nothing_to_read(name, len(infos))
    files = tuple(_zip_file(archive, infos[member], name, on_bytes) for member in chosen)
    return Source(name, files, tuple(ignored))


def _zip_file(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, on_bytes: OnBytes | None
) -> SourceFile:
    full_name = f"{name}:{info.filename}"

    def opener(counter: OnBytes | None, stack: ExitStack) -> io.BufferedIOBase:
        try:
            member = cast(zipfile.ZipExtFile, stack.enter_context(archive.open(info)))
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise InvalidInputError(f"{full_name} cannot be unpacked: {error}") from error
        unpacked = UnpackedStream(
            member.read1, name=full_name, packed_size=lambda: info.compress_size
        )
        return utf8_stream(CountedStream(cast(IO[bytes], unpacked), counter), name=full_name)

    return SourceFile(full_name, info.file_size, opener, on_bytes)


def _from_folder(folder: Path, on_bytes: OnBytes | None) -> Source:
    paths = folder_files(folder)
    chosen, ignored = choose(list(paths), packed=True)
    if not chosen:
        raise _nothing_to_read(str(folder), len(paths))
    files = tuple(_folder_file(paths[member], on_bytes) for member in chosen)
    return Source(str(folder), files, tuple(ignored))


def _folder_file(path: Path, on_bytes: OnBytes | None) -> SourceFile:
    def opener(counter: OnBytes | None, stack: ExitStack) -> io.BufferedIOBase:
        return _unpacked(stack.enter_context(path.open("rb")), str(path), counter)

    return SourceFile(str(path), path.stat().st_size, opener, on_bytes)


def _unpacked(handle: IO[bytes], name: str, counter: OnBytes | None) -> io.BufferedIOBase:
    """Return the UTF-8 of a file from its start, unpacked when it is compressed."""
    return utf8_stream(unpacked_stream(handle, name, counter), name=name)


def _spooled(stream: IO[bytes], name: str, stack: ExitStack) -> IO[bytes]:
    """Copy a stream that can be read only once to a file without a name."""
    try:
        spool = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
        shutil.copyfileobj(stream, spool, BUFFER)
        spool.flush()
    except OSError as error:
        raise StorageError(
            f"{name} could not be kept in {tempfile.gettempdir()}: {error.strerror}",
            hint="set TMPDIR to a folder with more room",
        ) from error
    return spool


def _nothing_to_read(name: str, count: int) -> InvalidInputError:
    return InvalidInputError(
        f"{name} holds no conversations: none of its {count} files is JSON",
        hint="`chatdb formats` lists what can be read",
    )


def _storage_error(name: str, error: OSError) -> NotFoundError | StorageError:
    if isinstance(error, FileNotFoundError):
        return NotFoundError(f"{name} does not exist", hint="check the path with `ls`")
    return StorageError(f"{name} cannot be read: {error.strerror or error}")
