"""One conversation as a page in a temporary file, for a browser."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from chatdb.db.database import Database
from chatdb.formats.files.writing import Written
from chatdb.operations.exporting.exports import find_within
from chatdb.operations.exporting.files import ExportOptions, export_file
from chatdb.primitives.atomic_write import storage_error
from chatdb.primitives.file_store import FileStore
from chatdb.primitives.own_folder import ignore_all_in
from chatdb.primitives.private_folder import is_users_folder, users_folders
from chatdb.store.every_organization import Scope
from chatdb.store.selecting import ConversationFilter

_PREFIX = "chatdb-pages-"
_KEPT_SECONDS = 86_400
"""How long a page stays: a browser may load it again when its tab is restored."""


def write_page(
    database: Database,
    text: str,
    *,
    organization_key: Scope,
    user_id: str | None = None,
    all_branches: bool = False,
    include_hidden: bool = False,
    store: FileStore | None = None,
) -> tuple[Path, Written]:
    """Write the conversation that `text` names as HTML; return the file and what is in it.

    Small pictures of the store are in it. Only this user can read it. Pages of earlier calls are
    removed when they are a day old. Raises NotFoundError and UsageError as `find_within`,
    StorageError.
    """
    ids = find_within(database, [text], organization_key=organization_key, user_id=user_id)
    (identifier,) = (each for found in ids.values() for each in found)
    options = ExportOptions(
        wanted=ConversationFilter(user_id=user_id),
        organization_key=organization_key,
        ids_within=ids,
        format_name="html",
        all_branches=all_branches,
        include_hidden=include_hidden,
    )
    folder = _folder(Path(tempfile.gettempdir()))
    path = folder / f"{identifier.hex[-8:]}-{time.time_ns():x}.html"
    written = export_file(
        database, path, options, force=False, on_read=lambda *_: None, store=store
    )
    return path, written


def _folder(parent: Path) -> Path:
    """Return this user's own folder for pages, without those of earlier days.

    A new one where somebody else has one of its name, or may write to it. Raises StorageError.
    """
    folder = parent / f"{_PREFIX}{os.geteuid()}"
    others = (each for each in users_folders(parent, _PREFIX) if each != folder)
    _remove_old(others, shutil.rmtree)
    try:
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            ignore_all_in(folder)
        # /tmp belongs to everybody: a folder or link of this name may be somebody else's.
        if not is_users_folder(folder) or folder.lstat().st_mode & 0o077:
            return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    except OSError as error:
        raise storage_error(folder, error) from error
    _remove_old(folder.glob("*.html"), os.unlink)
    return folder


def _remove_old(places: Iterable[Path], remove: Callable[[Path], object]) -> None:
    for place in places:
        with suppress(OSError):
            if place.lstat().st_mtime < time.time() - _KEPT_SECONDS:
                remove(place)
