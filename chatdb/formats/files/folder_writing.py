"""Records into a folder, one file for each conversation: reproducible at any time.

So its files are not synced one by one, which costs more than all the rest, but together at the end;
and an interrupted run is resumed by running it again.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, runtime_checkable

from chatdb.errors import RefusedError, StorageError
from chatdb.formats.base import VolumeWriter, Writer
from chatdb.formats.files.file_names import SHORT_ID, file_name
from chatdb.formats.files.outputs import open_output
from chatdb.formats.files.volumes import volume_name
from chatdb.formats.files.writing import Written
from chatdb.primitives.atomic_write import (
    PARTIAL,
    atomic_write,
    remove_abandoned,
    storage_error,
    sync_file_system,
    write_unsynced,
)
from chatdb.primitives.folder_lock import lock_folder
from chatdb.records import Conversation

_RECORD = r"(\d{4}-\d\d-\d\d|undated)_.+_([0-9a-f]{12}|[0-9a-f]{32})(-\d+)?"
_PARTIAL = re.compile(rf"({_RECORD}|index(-\d+)?)\.[a-z]+\.partial")
"""What a killed run may have left: `file_name` or a list, and the ending of an unfinished file."""

State = Literal["none", "same", "other", "link"]
"""The state of a file: missing, as it would be written, something else, a broken link."""
Compare = Callable[[bytes, bytes], bool]
"""Compares the bytes that are there with the new ones."""


@runtime_checkable
class FolderWriter(Writer, Protocol):
    """A writer that arranges a folder itself: where each file is, and what lists them."""

    def write_folder(self, folder: "LockedFolder", records: Iterable[Conversation]) -> None:
        """Write all records into the folder."""
        ...


def write_folder(
    folder: Path,
    writer: Writer,
    records: Iterable[Conversation],
    written: Written,
    *,
    force: bool,
    on_kept: Callable[[str], object],
) -> None:
    """Write a file for each record, atomically; other files are left alone.

    A file with the same content is skipped. One with different content is unchanged and passed to
    `on_kept`, unless `force`. Unfinished files of killed runs are removed. A writer of folders
    arranges them itself. Raises RefusedError while another process writes into the folder,
    StorageError.
    """
    with locked_folder(folder, written, force=force, on_kept=on_kept) as place:
        if isinstance(writer, FolderWriter):
            writer.write_folder(place, records)
            return
        if isinstance(writer, VolumeWriter):
            _put_volumes(place, writer, records)
            return
        for name, record in names_of(writer, records):
            data = writer.begin() + writer.conversation(record) + writer.end()
            if place.put(name, data, writer.is_same):
                written.count(writer.messages)


def _put_volumes(
    place: "LockedFolder", writer: VolumeWriter, records: Iterable[Conversation]
) -> None:
    with closing(writer.documents(names_of(writer, records))) as documents:
        for each in documents:
            if place.put(volume_name(each.name, each.number), each.data, writer.is_same):
                place.written.count_document(each)


@contextmanager
def locked_folder(
    folder: Path, written: Written, *, force: bool, on_kept: Callable[[str], object]
) -> Iterator["LockedFolder"]:
    """Make the folder and hold its lock; what was put into it is synced at the end."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = lock_folder(folder)
    except OSError as error:
        raise StorageError(f"{folder} cannot be created: {error.strerror}") from error
    if descriptor is None:
        raise RefusedError(
            f"another process writes into {folder}", hint="run the command again when it is done"
        )
    try:
        yield LockedFolder(folder, descriptor, written, force=force, on_kept=on_kept)
        if written.files:
            sync_file_system(folder)
    finally:
        os.close(descriptor)


class LockedFolder:
    """A folder that files are put into, each whole or not at all."""

    def __init__(
        self,
        folder: Path,
        descriptor: int,
        written: Written,
        *,
        force: bool,
        on_kept: Callable[[str], object],
    ) -> None:
        self.written = written
        self._folder = folder
        self._descriptor = descriptor
        self.force = force
        self._on_kept = on_kept
        self._there = {"": _swept(folder)}

    def put(
        self, path: str, data: bytes, is_same: Compare, may_replace: Compare | None = None
    ) -> bool:
        """Write a file, in a folder inside if the path names one; tell whether it was written.

        One whose content `is_same` is skipped. Any other is kept, unless `force`, or it
        `may_replace` it: both get the bytes that are there, and the new ones.
        """
        inside, _, name = path.rpartition("/")
        state = _state(self._folder / path, data, is_same) if name in self._in(inside) else "none"
        if state == "same":
            self.written.unchanged += 1
            return False
        if state == "other" and not self.force and not self._may(path, data, may_replace):
            self.written.kept += 1
            self._on_kept(str(self._folder / path))
            return False
        _write(self._folder, self._descriptor, path, data, state)
        self.written.files += 1
        return True

    @contextmanager
    def opened(self, path: str) -> Iterator[BinaryIO]:
        """Open a file in the folder that appears when it is complete, in place of an older one."""
        self._in(path.rpartition("/")[0])
        with atomic_write(self._folder / path) as stream:
            yield stream
        self.written.files += 1

    def paths(self, pattern: str) -> Iterator[str]:
        """Yield the paths of the files that match a pattern."""
        for found in self._folder.glob(pattern):
            yield found.relative_to(self._folder).as_posix()

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files."""
        for path in paths:
            (self._folder / path).unlink(missing_ok=True)

    def sweep(self, paths: Iterable[str]) -> None:
        """Remove what killed runs left unfinished of files with these paths."""
        for path in paths:
            remove_abandoned(self._folder / (path + PARTIAL))

    def count_records(self) -> int:
        """Return how many files of conversations are in the folder, of whatever run."""
        is_record = re.compile(rf"{_RECORD}\.[a-z]+").fullmatch
        return sum(1 for path in self._folder.rglob("*_*.*") if is_record(path.name))

    def _may(self, path: str, data: bytes, may_replace: Compare | None) -> bool:
        try:
            return may_replace is not None and may_replace((self._folder / path).read_bytes(), data)
        except OSError:
            return False

    def _in(self, inside: str) -> set[str]:
        """Return the names in a folder inside, which is made if it is missing."""
        found = self._there.get(inside)
        if found is None:
            folder = self._folder / inside
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            except OSError as error:
                raise StorageError(f"{folder} cannot be created: {error.strerror}") from error
            found = self._there[inside] = _swept(folder)
        return found


def _state(path: Path, data: bytes, is_same: Compare) -> State:
    """Return what exists under a name; a power cut leaves an empty file of ours."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return "none"
    if not stat.S_ISREG(found.st_mode):
        return "other" if path.exists() else "link"
    if not found.st_size:
        return "none"
    try:
        return "same" if is_same(path.read_bytes(), data) else "other"
    except OSError:
        return "other"


def _write(folder: Path, descriptor: int, name: str, data: bytes, state: State) -> None:
    path = folder / name
    # A rename would replace a link or a device; those are written through.
    if state == "none" or (path.is_file() and not path.is_symlink()):
        try:
            write_unsynced(descriptor, name, data)
        except OSError as error:
            raise storage_error(path, error) from error
        return
    with open_output(path) as stream:
        stream.write(data)


def _swept(folder: Path) -> set[str]:
    """Return the names in the folder, after removing unfinished files of killed runs."""
    try:
        with os.scandir(folder) as entries:
            names = {entry.name for entry in entries}
    except OSError as error:
        raise StorageError(f"{folder} cannot be read: {error.strerror}") from error
    for name in filter(_PARTIAL.fullmatch, names):
        remove_abandoned(folder / name)
    return names


def names_of(writer: Writer, records: Iterable[Conversation]) -> Iterator[tuple[str, Conversation]]:
    """Give each record its file; the second with the same short id gets its whole id."""
    seen: set[int] = set()
    for record in records:
        # As a number: a set of texts takes twice the memory for millions of files.
        short_id = record.id.int & (1 << 4 * SHORT_ID) - 1
        yield file_name(record, writer.extension, whole_id=short_id in seen), record
        seen.add(short_id)
