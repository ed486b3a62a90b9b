"""The files in which deleted conversations are saved, in the native format."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from chatdb.errors import StorageError
from chatdb.formats.files.outputs import open_output
from chatdb.operations.kept.items import FOLDER, deletions_folder
from chatdb.primitives.atomic_write import sweep_abandoned
from chatdb.primitives.own_folder import make_own_folder

if TYPE_CHECKING:
    from chatdb.db.database import Database


def default_keep_path(
    database: "Database", *, now: datetime, prefix: str = "deleted", suffix: str = ".jsonl"
) -> Path:
    """Return where they are saved: beside a SQLite file, else under data/ of this directory."""
    return deletions_folder(database.url) / f"{prefix}_{now:%Y%m%dT%H%M%S_%fZ}{suffix}"


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that must not exist, in a folder for the owner only; raises StorageError.

    Half-written files of killed runs are removed first.
    """
    try:
        make_own_folder(path.parent, mode=0o700)
    except OSError as error:
        raise StorageError(
            f"{path.parent} cannot be created: {error.strerror or error}",
            hint="give another location with --keep-to, or save nothing with --no-keep",
        ) from error
    if path.parent.name == FOLDER:
        sweep_abandoned(path.parent)
    if path.exists():
        raise StorageError(f"{path} already exists", hint="give another file with --keep-to")
    with open_output(path) as stream:
        yield stream
