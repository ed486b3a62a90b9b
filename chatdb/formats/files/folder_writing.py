"""Records into a folder, one file for each conversation: reproducible at any time.

So its files are not synced one by one, which costs more than all the rest, but together at the end;
and an interrupted run is resumed by running it again.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from chatdb.errors import RefusedError, StorageError
from chatdb.formats.base import Writer
from chatdb.formats.files.file_names import SHORT_ID, file_name
from chatdb.formats.files.outputs import open_output
from chatdb.formats.files.writing import Written
from chatdb.primitives.atomic_write import (
    remove_abandoned,
    storage_error,
    sync_file_system,
    write_unsynced,
)
from chatdb.primitives.folder_lock import lock_folder
from chatdb.records import Conversation

_PARTIAL = re.compile(r"\d{4}-\d\d-\d\d_.+_([0-9a-f]{12}|[0-9a-f]{32})\.[a-z]+\.partial")
"""What a killed run may have left: `file_name` and the ending of an unfinished file."""

State = Literal["none", "same", "other", "link"]
"""The state of a file: missing, as it would be written, something else, a broken link."""


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
    `on_kept`, unless `force`. Unfinished files of killed runs are removed. Raises RefusedError
    while another process writes into the folder, StorageError.
    """
    with _locked(folder) as (descriptor, there):
        for name, record in _named(writer, records):
            data = writer.begin() + writer.conversation(record) + writer.end()
            state = _state(folder / name, data, writer) if name in there else "none"
            if state == "same":
                written.unchanged += 1
            elif state == "other" and not force:
                written.kept += 1
                on_kept(str(folder / name))
            else:
                _write(folder, descriptor, name, data, state)
                written.files += 1
                written.count(record)
        if written.files:
            sync_file_system(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[tuple[int, set[str]]]:
    """Make the folder, hold its lock, and yield its descriptor and the names in it."""
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
        yield descriptor, _swept(folder)
    finally:
        os.close(descriptor)


def _state(path: Path, data: bytes, writer: Writer) -> State:
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
        return "same" if writer.is_same(path.read_bytes(), data) else "other"
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


def _named(writer: Writer, records: Iterable[Conversation]) -> Iterator[tuple[str, Conversation]]:
    """Give each record its file; the second with the same short id gets its whole id."""
    seen: set[int] = set()
    for record in records:
        # As a number: a set of texts takes twice the memory for millions of files.
        short_id = record.id.int & (1 << 4 * SHORT_ID) - 1
        yield file_name(record, writer.extension, whole_id=short_id in seen), record
        seen.add(short_id)
