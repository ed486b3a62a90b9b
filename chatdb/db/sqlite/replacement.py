"""SQLite files that are swapped by renaming, while no program writes to either."""

import errno
import fcntl
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from chatdb.db.connect import connect_sqlite
from chatdb.db.contract.replacement import MARK, KeptDatabase, Replacement, new_mark, read_mark
from chatdb.db.migrating.revision import translated
from chatdb.db.url import DatabaseUrl
from chatdb.errors import DatabaseLockedError, RefusedError, StorageError
from chatdb.primitives.atomic_write import PARTIAL, claim_partial, sweep_abandoned, sync_folder
from chatdb.primitives.own_folder import make_own_folder

_SIDES = ("-wal", "-shm", "-journal")
"""SQLite's files beside a database; a left-over log would be read into the next file."""

NEW = ".restoring"
_COPIED_AT = "%Y%m%dT%H%M%S%fZ"
_MIGRATION_COPY = re.compile(r"\.before_[^_]+_(\d{8}T\d{6}\d{3})Z\.db")
# A swap by mistake beside a running application should fail soon, but outlast a short commit.
_BUSY_SECONDS = 2.0
_DAMAGED = ("SQLITE_NOTADB", "SQLITE_CORRUPT")
_IN_USE = ("SQLITE_BUSY", "SQLITE_LOCKED")
_PROC = Path("/proc")


class SqliteReplacement(Replacement):
    """The path of a file; that of its target if it is a link."""

    def __init__(self, url: DatabaseUrl) -> None:
        self.url = url
        # Renaming over a link would replace the link and leave its target as it was.
        self._path = url.sqlite_path.resolve()

    def is_there(self) -> bool:
        return self._path.exists()

    def kept(self) -> list[KeptDatabase]:
        start, end = self._path.stem + MARK, self._path.suffix
        found = []
        for path in self._path.parent.glob("*" + MARK + "*"):
            if path.name.startswith(start) and path.name.endswith(end):
                told = read_mark(path.name.removeprefix(start).removesuffix(end))
                if told is not None:
                    size = path.stat().st_size
                    found.append((told, KeptDatabase(name=str(path), kept_at=told[0], bytes=size)))
        return [kept for _, kept in sorted(found, key=lambda item: item[0])]

    def kept_by_migrations(self) -> list[KeptDatabase]:
        """Return the copies that migrations left of the file, oldest first.

        They are beside the given path, even if it is a link.
        """
        found = {}
        for place in (self._path, self.url.sqlite_path.absolute()):
            for path in place.parent.glob("*.before_*.db"):
                at = _migrated_at(path.name.removeprefix(place.stem))
                if at is not None and path.name.startswith(place.stem):
                    kept = KeptDatabase(name=str(path), kept_at=at, bytes=path.stat().st_size)
                    found[path.resolve()] = kept
        return sorted(found.values(), key=lambda kept: (kept.kept_at, kept.name))

    def find_kept(self, name: str | None) -> KeptDatabase:
        """Return the file a restore kept, or the given one of a migration."""
        for kept in self.kept_by_migrations():
            if name is not None and Path(name).resolve() == Path(kept.name).resolve():
                return kept
        return super().find_kept(name)

    def require_rights(self) -> None:
        folder = self._path.parent
        if folder.exists() and not os.access(folder, os.W_OK | os.X_OK):
            raise StorageError(
                f"{folder} cannot be written, so {self._path.name} cannot be replaced",
                hint="check the permissions of the folder",
            )

    def require_alone(self) -> None:
        if self.is_there():
            with self._held():
                pass

    @contextmanager
    def new(self) -> Iterator[DatabaseUrl]:
        path = self._path.with_name(self._path.name + NEW)
        with _storage_errors(path):
            make_own_folder(path.parent)
            descriptor = _claimed(path)
        try:
            yield DatabaseUrl(dialect_name="sqlite", path=path)
        finally:
            with suppress(FileNotFoundError):
                # After a swap the path is the old file's name, or somebody else's file.
                if os.path.samestat(os.fstat(descriptor), path.lstat()):
                    _remove(path)
            os.close(descriptor)

    def put(self, new: DatabaseUrl, *, force: bool) -> KeptDatabase | None:  # noqa: ARG002
        """Swap the files; `force` has no effect: no program can be made to close a file."""
        return self._put(new.sqlite_path)

    def put_back(self, kept: KeptDatabase, *, force: bool) -> KeptDatabase | None:  # noqa: ARG002
        path = Path(kept.name)
        users = _users(path)
        if users:
            raise _in_use(path, users)
        return self._put(path)

    def drop_kept(self, name: str) -> None:
        path = Path(self.find_kept(name).name)
        with _storage_errors(path):
            _remove(path)
            sync_folder(path.parent)

    def _put(self, path: Path) -> KeptDatabase | None:
        with _storage_errors(self._path):
            _complete(path)
            aside = self._aside()
            if not self.is_there():
                _keep_sides(self._path, aside)
                path.replace(self._path)
                _bring_log(path, self._path)
                sync_folder(self._path.parent)
                return None
            # Before the swap: the application must be able to open the new file at once.
            _take_over_rights(self._path, path)
            with self._held() as is_damaged:
                # A link first, then the rename: at no moment does
                # the database's name point to nothing.
                _keep(self._path, aside)
                if is_damaged:
                    _keep_sides(self._path, aside)
                path.replace(self._path)
                _bring_log(path, self._path)
                # A rename is on the disk only with its folder.
                sync_folder(self._path.parent)
        return next(each for each in self.kept() if each.name == str(aside))

    @contextmanager
    def _held(self) -> Iterator[bool]:
        """Lock the file exclusively; yields whether it is damaged, so that no lock is possible.

        Its log has been moved into it. Leaving write-ahead mode is possible only while no other
        program has the file open. Everything that happens to the file happens before its connection
        closes.
        """
        with translated(self.url):
            # SQLite's locks show only transactions: an idle program
            # holds none and would go on writing here.
            users = _users(self._path)
            if users:
                raise _in_use(self._path, users)
            connection = connect_sqlite(self.url, busy_seconds=_BUSY_SECONDS)
            with closing(connection):
                try:
                    mode = _lock(connection)
                except sqlite3.DatabaseError as error:
                    name = str(getattr(error, "sqlite_errorname", ""))
                    if name.startswith(_IN_USE):
                        raise _in_use(self._path, _users(self._path)) from error
                    if not name.startswith(_DAMAGED):
                        raise
                    mode = None
                if mode is None:
                    yield True
                    return
                before = self._path.stat()
                try:
                    # Again under the lock: a program may have opened the file in between.
                    if users := _users(self._path):
                        raise _in_use(self._path, users)
                    yield False
                finally:
                    connection.execute("ROLLBACK")
                    # Only a file that was not swapped away: this
                    # connection still has the old one open.
                    if mode == "wal" and os.path.samestat(before, self._path.stat()):
                        connection.execute("PRAGMA journal_mode=WAL")

    def _aside(self) -> Path:
        def named(mark: str) -> Path:
            return self._path.with_name(f"{self._path.stem}{MARK}{mark}{self._path.suffix}")

        return named(new_mark(lambda mark: named(mark).exists()))


def _migrated_at(ending: str) -> datetime | None:
    """Return the time at the end of the name of a migration's copy; None for another file."""
    match = _MIGRATION_COPY.fullmatch(ending)
    try:
        return match and datetime.strptime(f"{match[1]}000Z", _COPIED_AT).replace(tzinfo=UTC)
    except ValueError:
        return None


def _lock(connection: sqlite3.Connection) -> str:
    """Lock the file for this connection alone, without a log; return its previous mode."""
    mode = str(connection.execute("PRAGMA journal_mode").fetchone()[0])
    # The first read recovers the log; a damaged file fails here, before anything is changed.
    connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.Error:
        if mode == "wal":
            with suppress(sqlite3.Error):
                connection.execute("PRAGMA journal_mode=WAL")
        raise
    return mode


def _complete(path: Path) -> None:
    """Move everything into the file itself, with write-ahead mode from its next use on.

    A damaged one that is put back is left unchanged.
    """
    url = DatabaseUrl(dialect_name="sqlite", path=path)
    try:
        with translated(url), closing(connect_sqlite(url, busy_seconds=0)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            # A log left beside a renamed file would be read into whatever gets its name next.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except Exception as error:
        cause = error.__cause__ or error
        if not str(getattr(cause, "sqlite_errorname", "")).startswith(_DAMAGED):
            raise
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _take_over_rights(old: Path, new: Path) -> None:
    told = old.stat()
    new.chmod(told.st_mode & 0o7777)
    # Only root may give a file to another user.
    with suppress(PermissionError):
        os.chown(new, told.st_uid, told.st_gid)


def _keep(path: Path, aside: Path) -> None:
    """Give the file a second name; a copy if the file system does not support links."""
    try:
        aside.hardlink_to(path)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
            raise
        _keep_copy(path, aside)


def _keep_copy(path: Path, aside: Path) -> None:
    """Copy the file under a lock that marks it as in progress; a killed one's copy is removed."""
    sweep_abandoned(aside.parent, path.stem + MARK)
    partial = aside.with_name(aside.name + PARTIAL)
    descriptor = claim_partial(partial, aside, [])
    try:
        shutil.copy2(path, partial)
        partial.rename(aside)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


def _keep_sides(path: Path, aside: Path) -> None:
    """Move files beside a damaged or missing file out of the next one's way, to `aside`."""
    for side in _SIDES:
        beside = path.with_name(path.name + side)
        if beside.exists():
            beside.rename(aside.with_name(aside.name + side))


def _bring_log(source: Path, target: Path) -> None:
    """Let the logs of a damaged file that is put back follow it."""
    for side in _SIDES:
        beside = source.with_name(source.name + side)
        if beside.exists():
            beside.rename(target.with_name(target.name + side))


def _remove(path: Path) -> None:
    for side in ("", *_SIDES):
        path.with_name(path.name + side).unlink(missing_ok=True)


def _claimed(path: Path) -> int:
    """Make the file empty, this process's alone: the lock ends with the process."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(path, flags, 0o600)
        try:
            # flock, not SQLite's own kind of lock: closing any
            # descriptor of the file would end that one.
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The holder may have removed the file between open and lock: then no path leads to it.
            if os.path.samestat(os.fstat(descriptor), path.lstat()):
                os.ftruncate(descriptor, 0)
                for side in _SIDES:
                    path.with_name(path.name + side).unlink(missing_ok=True)
                return descriptor
        except BlockingIOError as error:
            os.close(descriptor)
            raise DatabaseLockedError(
                f"another chatdb is creating {path}",
                hint="wait for it, then run the command again",
            ) from error
        except FileNotFoundError:
            pass
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _users(path: Path) -> list[str]:
    """Name the other processes that have the file open, if the system allows it."""
    try:
        wanted = path.stat()
        processes = [item for item in _PROC.iterdir() if item.name.isdigit()]
    except OSError:
        return []
    found = []
    for process in processes:
        if process.name == str(os.getpid()):
            continue
        with suppress(OSError):
            for descriptor in (process / "fd").iterdir():
                with suppress(OSError):
                    if os.path.samestat(descriptor.stat(), wanted):
                        name = (process / "comm").read_text(errors="replace").strip()
                        found.append(f"pid {process.name}: {name}")
                        break
    return found


def _in_use(path: Path, users: list[str]) -> RefusedError:
    lines = [f"  {user}" for user in users] or ["  a program that cannot be identified"]
    return RefusedError(
        "\n".join([f"{path} is in use; nothing was changed:", *lines]),
        hint="end these programs, then run the command again",
    )


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path} cannot be replaced: {error.strerror or error}",
            hint="check the folder's permissions, and its free space",
        ) from error
