"""Copies of a SQLite file by the backup API: a plain copy would miss the write-ahead log."""

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from chatdb.db.connect import connect_sqlite
from chatdb.db.url import DatabaseUrl

# 16 MB a step: progress and Ctrl-C come between two steps.
_PAGES_PER_STEP = 4096
# SQLite lists up to 100 lines; the error shows the first.
_DAMAGES = 5
_OF_SEARCH_INDEX = "inverted index for FTS5 table"


def copy_file(
    url: DatabaseUrl, target: Path, *, on_bytes: Callable[[int, int], object] | None = None
) -> None:
    """Copy one state of the database into a new file of mode 0600, whatever others write.

    `on_bytes` receives how many bytes are copied and how many there are. Raises sqlite3.Error,
    FileExistsError.
    """
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    copy_into(url, target, on_bytes=on_bytes)


def copy_into(
    url: DatabaseUrl, target: Path, *, on_bytes: Callable[[int, int], object] | None = None
) -> None:
    """Like `copy_file`, for a file that exists already."""
    with closing(connect_sqlite(url)) as source, closing(sqlite3.connect(target)) as copy:
        copy.execute("PRAGMA synchronous=OFF")  # The caller syncs the file once, at the end.
        # Without an explicit transaction the copy would start again at every write of others.
        source.execute("BEGIN")
        page = source.execute("PRAGMA page_size").fetchone()[0]
        # BEGIN alone reads nothing: only the first read holds the state that is copied.
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()

        def told(_status: int, remaining: int, total: int) -> None:
            if on_bytes is not None:
                on_bytes((total - remaining) * page, total * page)

        source.backup(copy, pages=_PAGES_PER_STEP, progress=told, sleep=0)
        source.rollback()


def open_copy(path: Path) -> sqlite3.Connection:
    """Open a finished copy for reading: nothing is written beside it, no other process has it."""
    # immutable: no -shm file is made beside a copy that is about to be packed or renamed.
    uri = f"file:{quote(str(path.absolute()))}?mode=ro&immutable=1"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def damages_of(path: Path) -> list[str]:
    """Return what `PRAGMA integrity_check` finds in a finished copy; empty if it is intact.

    A damaged full-text index does not count: it can be rebuilt from the messages.
    """
    try:
        with closing(open_copy(path)) as copy:
            rows = copy.execute(f"PRAGMA integrity_check({_DAMAGES})").fetchall()
    except sqlite3.DatabaseError as error:
        name = str(getattr(error, "sqlite_errorname", ""))
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            return [str(error)]
        raise
    return damages(str(row[0]) for row in rows)


def damages(lines: Iterable[str]) -> list[str]:
    """Return the lines of SQLite's integrity checks that report damage to the messages.

    From 3.44 on they also report the full-text index, which has a separate check.
    """
    return [line for line in lines if line != "ok" and _OF_SEARCH_INDEX not in line]
