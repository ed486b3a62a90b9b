"""Opens inputs: a file, standard input, a folder or an archive.

Each is opened by its content, not by its name, and read from start to end in bounded memory.
Nothing is ever extracted under its own name: members of an archive are read as streams, so their
names never touch the file system.
"""

import errno
import io
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatdb.errors import InvalidInputError
from chatdb.formats.base import IgnoredFile
from chatdb.formats.files import file_kinds as first_bytes
from chatdb.formats.files.members import folder_files, natural
from chatdb.formats.files.source_files import IS_LINK, FoundFile, RawFile, SourceFile, storage_error
from chatdb.formats.files.streams import OnBytes, Utf8Stream, unpacked_stream, utf8_stream
from chatdb.formats.files.zip_archives import Opening, spooled

STDIN = "-"

_ZIP = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True, slots=True)
class Source:
    """An opened input: the files that may be read, in order, and those that are not JSON.

    `beside` are files that a reader takes together with one of the others: here the texts among
    the ignored ones, for a reader those that are its own, or those with the names of files.
    `raw` are all files of a folder or archive as they are, if `open_source` was asked for them.
    """

    name: str
    files: tuple[SourceFile, ...]
    ignored: tuple[IgnoredFile, ...] = ()
    beside: tuple[SourceFile, ...] = ()
    raw: tuple[RawFile, ...] = ()

    @property
    def size(self) -> int:
        """The total that `on_bytes` will have counted once every file is read."""
        return sum(file.size for file in (*self.files, *self.beside))


@contextmanager
def open_source(
    path: str | Path,
    on_bytes: OnBytes | None = None,
    *,
    stdin: IO[bytes] | None = None,
    raw: bool = False,
) -> Iterator[Source]:
    """Open a path, or standard input for `-`, for the duration of the context.

    Standard input, pipes and devices are first copied to an anonymous temporary file. Raises
    NotFoundError, StorageError, or InvalidInputError for an archive or folder that contains nothing
    to read or is malicious.
    """
    with ExitStack() as stack:
        opening = Opening(stack, on_bytes, FoundFile([], [], raw=[] if raw else None))
        if str(path) == STDIN:
            name = "standard input"
            # It is looked at before it is read, and a zip's list stands at its end.
            handle = spooled(stdin or sys.stdin.buffer, name, stack)
            yield _from_handle(handle, name, opening)
            return
        name, path = str(path), Path(path)
        try:
            mode = path.stat().st_mode
            if stat.S_ISDIR(mode):
                source = _from_folder(path, opening)
            else:
                handle = stack.enter_context(path.open("rb"))
                if not stat.S_ISREG(mode):
                    handle = spooled(handle, name, stack)
                source = _from_handle(handle, name, opening)
        except OSError as error:
            raise storage_error(name, error) from error
        yield source


def _from_handle(handle: IO[bytes], name: str, opening: Opening) -> Source:
    handle.seek(0)
    if handle.read(4) in _ZIP:
        opening.add_zip(handle, name, level=0, share=1.0)
        return _source(name, opening)
    size = handle.seek(0, io.SEEK_END)

    def opener(counter: OnBytes | None, _: ExitStack) -> Utf8Stream:
        return utf8_stream(unpacked_stream(handle, name, counter), name=name)

    return Source(name, (SourceFile(name, size, opener, opening.on_bytes),))


def _from_folder(folder: Path, opening: Opening) -> Source:
    def left_out(path: Path, reason: str) -> None:
        opening.found.ignore(str(path), reason, holds_words=True)

    paths = folder_files(folder, left_out)
    for name in sorted(paths, key=natural):
        path = paths[name]
        try:
            _add_file(path, opening)
        except OSError as error:
            left_out(path, f"it cannot be read: {error.strerror or error}")
        except InvalidInputError as error:
            left_out(path, error.text.removeprefix(f"{path} ").removeprefix("is "))
    return _source(str(folder), opening)


def _add_file(path: Path, opening: Opening) -> None:
    def opener(counter: OnBytes | None, stack: ExitStack) -> Utf8Stream:
        handle = stack.enter_context(path.open("rb"))
        return utf8_stream(unpacked_stream(handle, str(path), counter), name=str(path))

    # Unbuffered: 512 bytes of each of 20,000 pictures, not 8 KB.
    with path.open("rb", buffering=0) as handle:
        seen = first_bytes.look(handle.read(first_bytes.ENOUGH), path.name)
    size = path.stat().st_size
    is_link = path.is_symlink()
    opening.found.add_raw(
        str(path),
        path.lstat().st_size if is_link else size,
        lambda: _opened_unless_link(path),
        is_json=seen.kind == "json",
        is_link=is_link,
    )
    if seen.kind == "packed":
        with ExitStack() as stack:
            seen = first_bytes.look_inside(seen, opener(None, stack))
    if seen.kind == "archive":
        opening.add_inner(lambda: opening.stack.enter_context(path.open("rb")), str(path), level=1)
        return
    file = SourceFile(str(path), size, opener, opening.on_bytes)
    if seen.kind != "other":
        opening.found.files.append(file)
        return
    opening.found.ignore(str(path), seen.reason, holds_words=seen.holds_words)
    if seen.is_text:
        opening.found.texts.append(file)


def _opened_unless_link(path: Path) -> io.BufferedReader:
    try:
        return os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW), "rb")
    except OSError as error:
        # It may lead to any file of the machine: an export is somebody else's.
        raise OSError(IS_LINK) if error.errno == errno.ELOOP else error from error


def _source(name: str, opening: Opening) -> Source:
    """Return what was found; raises InvalidInputError if that is nothing."""
    found = opening.found
    if not (found.files or found.raw):
        raise _nothing_to_read(name, found.ignored)
    beside, raw = tuple(found.texts), tuple(found.raw or ())
    return Source(name, tuple(found.files), tuple(found.ignored), beside, raw)


def _nothing_to_read(name: str, ignored: list[IgnoredFile]) -> InvalidInputError:
    said = f"{name} contains no conversations: none of its {len(ignored)} files is JSON"
    telling = next((each for each in ignored if each.holds_words), None)
    if telling is not None:
        said += f" ({telling.place}: {telling.reason})"
    return InvalidInputError(said, hint="to list what can be read: chatdb formats")
