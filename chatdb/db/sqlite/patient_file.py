"""A connection to a SQLite file that reports when it waits for another program."""

import errno
import sqlite3
import time
from pathlib import Path
from typing import Any

from chatdb.db import lock_waits
from chatdb.errors import StorageError

NO_LOCKS_TEXT = "{path} is on a file system without locks or shared memory (a network share?)"
NO_LOCKS_HINT = "move the file to a local disk, or use PostgreSQL: --database-url postgresql://"

# SQLite waits in C, where Python's signal handlers do not run.
_STEP_SECONDS = 1.0
# PROTOCOL: several processes raced to open the write-ahead log, and SQLite gave up its own tries.
_BUSY = ("SQLITE_BUSY", "SQLITE_PROTOCOL")
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


class PatientFile(sqlite3.Connection):
    """Waits for a lock one second at a time: that long Ctrl-C is not noticed."""

    path: Path
    busy_seconds: float

    def begin(self, *, write: bool) -> None:
        """Begin a transaction that holds its lock; raises sqlite3.Error."""
        if write:
            self.patiently("BEGIN IMMEDIATE")
        else:
            self.execute("BEGIN")
            # BEGIN takes no lock: the first read does, and would wait in C for the whole timeout.
            self.patiently("SELECT 1 FROM sqlite_master LIMIT 1")

    def commit(self) -> None:
        """Commit, once readers of the file allow it (a file without a write-ahead log)."""
        if self.in_transaction:
            self.patiently("COMMIT")

    def patiently(self, statement: str) -> sqlite3.Cursor:
        """Run a statement that takes or releases a lock, for as long as another program has it."""
        began = time.monotonic()
        told = False
        while True:
            left = self.busy_seconds - (time.monotonic() - began)
            try:
                self._wait_for(min(max(left, 0), _STEP_SECONDS))
                return self.execute(statement)
            except sqlite3.OperationalError as error:
                name = str(getattr(error, "sqlite_errorname", ""))
                waited = time.monotonic() - began
                is_over = waited >= self.busy_seconds or not knows_locks(self.path.parent)
                if not name.startswith(_BUSY) or is_over:
                    raise
                if not told and waited >= lock_waits.SAY_AFTER_SECONDS:
                    told = True
                    lock_waits.say(f"waiting for another program that holds {self.path}")
            except UnicodeDecodeError as error:  # SQLite's message quotes the damaged schema.
                damaged = sqlite3.DatabaseError("malformed database schema")
                damaged.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                damaged.sqlite_errorname = "SQLITE_CORRUPT"
                raise damaged from error
            finally:
                # The statements of the transaction itself wait as long as was asked for.
                self._wait_for(self.busy_seconds)

    def _wait_for(self, seconds: float) -> None:
        self.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")


def knows_locks(folder: Path) -> bool:
    """Tell whether files there can be locked; a network share may refuse it, and SQLite fails.

    SQLite takes the refusal for another program's lock. The probe locks its own file: closing the
    database's file would release the locks that this process has on it.
    """
    import fcntl
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            fcntl.lockf(probe, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _NO_LOCKS
    return True


def no_locks(path: Path) -> StorageError:
    """Return the error for a file where `knows_locks` says no."""
    return StorageError(NO_LOCKS_TEXT.format(path=path), hint=NO_LOCKS_HINT)


def open_file(uri: str, path: Path, *, busy_seconds: float) -> PatientFile:
    """Connect in manual transaction mode; raises sqlite3.Error."""
    # A copy reads its source in a thread beside; no connection is used by two at a time.
    options: dict[str, Any] = {"isolation_level": None, "check_same_thread": False}
    connection = sqlite3.connect(
        uri, uri=True, timeout=busy_seconds, factory=PatientFile, **options
    )
    connection.path, connection.busy_seconds = path, busy_seconds
    return connection
