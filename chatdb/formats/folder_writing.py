"""Records into a folder, a file for each conversation: made again from the same at any time.

So its files are not synced one by one, which costs more than all the rest, but together at the
end; and a run that ended half-way is gone on with by running it again.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

from chatdb.atomic_write import remove_abandoned, sync_file_system, write_unsynced
from chatdb.errors import StorageError
from chatdb.formats.base import Writer
from chatdb.formats.file_names import SHORT_ID, file_name
from chatdb.formats.outputs import open_output
from chatdb.formats.writing import Written
from chatdb.records import Conversation

_PARTIAL = re.compile(r"\d{4}-\d\d-\d\d_.+_([0-9a-f]{12}|[0-9a-f]{32})\.[a-z]+\.partial")
"""What a killed run may have left: `file_name` and the ending of an unfinished file."""

State = Literal["none", "same", "other", "link"]
"""Of a file: missing, as it would be written, something else, a link that leads nowhere."""


def write_folder(
    folder: Path,
    writer: Writer,
    records: Iterable[Conversation],
    written: Written,
    *,
    force: bool,
    on_kept: Callable[[str], object],
) -> None:
    """Write a file for each record, each whole or not at all; other files are left alone.

    A file that holds the same already is done. One that holds something else is left as it is and
    told to `on_kept`, unless `force`. What killed runs left unfinished is removed. Raises
    StorageError.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sweep(folder)
    except OSError as error:
        raise StorageError(f"{folder} cannot be made: {error.strerror}") from error
    for path, record in _named(folder, writer, records):
        data = writer.begin() + writer.conversation(record) + writer.end()
        state = _state(path, data, writer)
        if state == "same":
            written.unchanged += 1
        elif state == "other" and not force:
            written.kept += 1
            on_kept(str(path))
        else:
            _write(path, data, state)
            written.files += 1
            written.count(record)
    if written.files:
        sync_file_system(folder)


def _state(path: Path, data: bytes, writer: Writer) -> State:
    """Tell what stands under a name; an empty file is what a power cut leaves of one of ours."""
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


def _write(path: Path, data: bytes, state: State) -> None:
    if state == "none" or path.is_file():
        write_unsynced(path.resolve() if path.is_symlink() else path, data)
        return
    with open_output(path) as stream:
        stream.write(data)


def _sweep(folder: Path) -> None:
    """Remove what killed runs left unfinished."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if _PARTIAL.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                remove_abandoned(Path(entry.path))


def _named(
    folder: Path, writer: Writer, records: Iterable[Conversation]
) -> Iterator[tuple[Path, Conversation]]:
    """Give each record its file; the second with the same short id gets its whole id."""
    seen: set[int] = set()
    for record in records:
        short_id = record.id.int & (1 << 4 * SHORT_ID) - 1
        name = file_name(record, writer.extension, whole_id=short_id in seen)
        seen.add(short_id)
        yield folder / name, record
