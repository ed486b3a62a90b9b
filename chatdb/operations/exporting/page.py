"""One conversation as a page in a temporary file, for a browser."""

import os
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from chatdb.db.database import Database
from chatdb.formats.files.writing import Written
from chatdb.operations.exporting.exports import find_within
from chatdb.operations.exporting.files import ExportOptions, export_file
from chatdb.primitives.file_store import FileStore
from chatdb.primitives.own_folder import make_own_folder
from chatdb.store.every_organization import Scope
from chatdb.store.selecting import ConversationFilter

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
    """Return this user's own folder for pages, without those of earlier days."""
    folder = parent / f"chatdb-pages-{os.geteuid()}"
    make_own_folder(folder, mode=0o700)
    found = folder.lstat()
    # /tmp belongs to everybody: a folder or link of this name may be somebody else's.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        return Path(tempfile.mkdtemp(prefix="chatdb-pages-"))
    for page in folder.glob("*.html"):
        with suppress(OSError):
            if page.lstat().st_mtime < time.time() - _KEPT_SECONDS:
                page.unlink()
    return folder
