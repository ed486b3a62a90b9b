"""The doctor's checks of a SQLite file, which change nothing in it."""

import os
import shlex
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chatdb.db.sqlite.copies import damages
from chatdb.operations.doctor.findings import Check, Finding, error, info, ok, warning
from chatdb.primitives.sizes import size_text

_LARGE_LOG_BYTES = 64_000_000
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseFile:
    """An open file; `deep` reads all of it, and tests its write lock."""

    connection: sqlite3.Connection
    path: Path
    deep: bool

    @property
    def quoted(self) -> str:
        """The path, quoted for a shell."""
        return shlex.quote(str(self.path))

    def value(self, query: str) -> object:
        """Return the first value of a query."""
        return self.connection.execute(query).fetchone()[0]


def _reachable(file: DatabaseFile) -> Iterator[Finding]:
    file.value("SELECT count(*) FROM sqlite_master")
    size = int(str(file.value("PRAGMA page_count"))) * int(str(file.value("PRAGMA page_size")))
    yield ok(f"{file.path} can be read ({size_text(size)})")


def _rights(file: DatabaseFile) -> Iterator[Finding]:
    mode = file.path.stat().st_mode
    folder = file.path.absolute().parent
    if not os.access(file.path, os.W_OK):
        yield warning(
            f"{file.path} cannot be written by this user",
            f"chmod u+w {file.quoted}; or run chatdb as its owner",
        )
    elif not os.access(folder, os.W_OK):
        yield warning(
            f"{folder} cannot be written: SQLite makes files beside the database when it writes",
            f"chmod u+w {shlex.quote(str(folder))}",
        )
    elif mode & _OTHERS:
        yield warning(
            f"{file.path} contains chats, and other users can read it (mode "
            f"{stat.S_IMODE(mode):o})",
            f"chmod 600 {file.quoted}",
        )
    else:
        yield ok(f"only its owner can read {file.path}")


def _journal(file: DatabaseFile) -> Iterator[Finding]:
    mode = str(file.value("PRAGMA journal_mode"))
    # A read-only file is opened as immutable: its log is not seen.
    if mode == "wal" or _is_marked_wal(file.path):
        yield ok("readers do not block the writer (write-ahead log)")
    else:
        yield info(
            f"the journal mode is {mode}: a long read blocks every writer",
            'chatdb connect -c "PRAGMA journal_mode=WAL"',
        )


def _is_marked_wal(path: Path) -> bool:
    """Read the journal mode in the header (https://www.sqlite.org/fileformat.html, offset 18)."""
    with path.open("rb") as stream:
        return stream.read(20)[18:] == b"\2\2"


def _log_size(file: DatabaseFile) -> Iterator[Finding]:
    log = file.path.with_name(file.path.name + "-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > _LARGE_LOG_BYTES:
        yield warning(
            f"the write-ahead log has grown to {size_text(size)}: a reader may be blocking it",
            'chatdb connect -c "PRAGMA wal_checkpoint(TRUNCATE)"',
        )
    else:
        yield ok(f"the write-ahead log is small ({size_text(size)})")


def _lock(file: DatabaseFile) -> Iterator[Finding]:
    """Take the write lock and release it, only if deep: another writer may notice it."""
    if not file.deep:
        return
    file.connection.execute("PRAGMA busy_timeout=500")
    file.connection.execute("PRAGMA query_only=OFF")
    try:
        file.connection.execute("BEGIN IMMEDIATE")
        file.connection.execute("ROLLBACK")
    except sqlite3.OperationalError as failure:
        if getattr(failure, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
            yield warning(
                "another program is writing, or holds the write lock",
                f"see which: lsof {file.quoted}",
            )
            return
        raise
    finally:
        file.connection.execute("PRAGMA query_only=ON")
    yield ok("no process holds the write lock")


def _integrity(file: DatabaseFile) -> Iterator[Finding]:
    if not file.deep:
        return
    said = _quick_check(file.connection)
    if said:
        yield error(
            f"{file.path} is damaged: {'; '.join(said[:_SHOWN])}",
            f"restore it from a backup; to save the readable part: sqlite3 {file.quoted} .recover",
        )
        return
    broken = file.connection.execute("PRAGMA foreign_key_check").fetchmany(1000)
    if broken:
        tables = ", ".join(sorted({str(row[0]) for row in broken}))
        count = f"{len(broken)}{'' if len(broken) < 1000 else ' or more'}"
        yield error(
            f"{count} rows of {tables} refer to rows that do not exist",
            'chatdb connect -c "PRAGMA foreign_key_check"',
        )
        return
    yield ok("every page and every reference is intact")


def _quick_check(connection: sqlite3.Connection) -> list[str]:
    """Return what SQLite says about the pages; heavy damage ends the check itself."""
    try:
        said = "\n".join(str(row[0]) for row in connection.execute("PRAGMA quick_check(10)"))
        return damages(line for line in said.split("\n") if not line.startswith("*** "))
    except sqlite3.DatabaseError as failure:
        if getattr(failure, "sqlite_errorname", "").startswith("SQLITE_CORRUPT"):
            return [str(failure)]
        raise


FILE_CHECKS: tuple[Check[DatabaseFile], ...] = (
    Check("database-reachable", _reachable),
    Check("file-rights", _rights),
    Check("file-journal", _journal),
    Check("file-log", _log_size),
    Check("file-lock", _lock),
    Check("file-integrity", _integrity),
)
"""The checks of a SQLite file, in this order."""
