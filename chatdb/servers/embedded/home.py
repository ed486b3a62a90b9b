"""Where an embedded server is kept, and as which user it runs.

PostgreSQL refuses to run as root: as root it is run as `postgres` or `nobody`, who must be able to
enter every folder above the data. They cannot enter a project below /root; its data is then kept in
/var/lib/chatdb, with a copy of the wheel's programs.
"""

import os
import pwd
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

from chatdb.errors import EngineUnavailableError
from chatdb.primitives.folder_lock import lock_folder
from chatdb.servers.base import DevServer, Note
from chatdb.servers.postgres_tools import Program

SYSTEM_FOLDER = Path("/var/lib/chatdb")
"""For root only, if the server's user cannot reach the project."""

_PARTIAL = ".partial-"
_ACCOUNTS = ("postgres", "nobody")
_LONGEST_PATH = 700
"""Bytes; PostgreSQL itself takes 1023 for any file below its data."""


@dataclass(frozen=True, slots=True)
class Account:
    """The user that the server runs as; None as `uid` means the current user."""

    uid: int | None
    gid: int | None
    name: str

    def identity(self) -> dict[str, Any]:
        """Return the arguments with which subprocess runs a program as this user."""
        if self.uid is None:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give a file or folder of ours to this user."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def may_enter(self, folder: Path) -> bool:
        """Tell whether this user may enter the folder and all above it."""
        if self.uid is None:
            return os.access(folder, os.X_OK)
        return all(self._passes(step) for step in (folder, *folder.parents))

    def _passes(self, folder: Path) -> bool:
        try:
            status = folder.stat()
        except OSError:
            return False
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


@dataclass(frozen=True, slots=True)
class Home:
    """The folder of one server and its user; `is_away` if it is outside the project."""

    folder: Path
    account: Account
    is_away: bool

    @property
    def data(self) -> Path:
        """PostgreSQL's data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """The server's log file."""
        return self.folder / "server.log"

    def make(self) -> None:
        """Make the folder if it is missing, for its user only."""
        if self.folder.is_dir():
            return
        above = self.folder.parent
        for step in (*reversed(above.parents), above):
            if step.is_dir():
                continue
            step.mkdir(exist_ok=True)
            if self.account.uid is not None:
                # Enter, not list: the server's user only has to pass through.
                step.chmod(0o711)
        if self.account.uid is not None and not self.account.may_enter(above):
            above.chmod(above.stat().st_mode | 0o011)
        self.folder.mkdir(mode=0o700, exist_ok=True)
        self.account.own(self.folder)


def find_home(server: DevServer) -> Home:
    """Return where the server of a project is kept; creates nothing.

    Raises EngineUnavailableError for root if there is no user to run as.
    """
    inside, away = server.folder.absolute() / "postgresql", _folder_away(server)
    # Data that exist decide: the user or permissions may have changed since.
    for folder in (inside, away):
        if _is_there(folder):
            return Home(folder, _account(folder), is_away=folder == away)
    account = _account()
    # `.chatdb` itself is given open permissions; the folders above it are not ours to change.
    existing = next(step for step in inside.parents[1:] if step.is_dir())
    if account.may_enter(existing) and len(os.fsencode(inside)) <= _LONGEST_PATH:
        return Home(inside, account, is_away=False)
    return Home(away, account, is_away=True)


def reachable_program(program: Program, account: Account, *, note: Note) -> Path:
    """Return the folder to run a server's programs from, copied if its user cannot reach it.

    Raises EngineUnavailableError if it cannot be copied.
    """
    folder = program.path.parent
    if account.may_enter(folder.resolve()):
        return folder
    package = folder.parents[1]
    if folder.parent.name != "pginstall":
        raise EngineUnavailableError(
            f"the user {account.name} cannot enter {folder}",
            reason="no_permission",
            hint=f"allow it: chmod a+x {' '.join(_closed(folder, account))}",
        )
    digest = sha256(os.fsencode(package)).hexdigest()[:8]
    target = SYSTEM_FOLDER / "programs" / f"{program.version[0]}.{program.version[1]}-{digest}"
    if not target.is_dir():
        note(f"copying PostgreSQL's programs to {target}, which the user {account.name} can enter")
        _copy_programs(package, target)
    return target / package.name / "pginstall" / "bin"


def _copy_programs(package: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    _sweep_copies(target.parent)
    partial = target.with_name(f"{target.name}{_PARTIAL}{uuid4().hex[:8]}")
    partial.mkdir()
    lock = lock_folder(partial)
    try:
        for source in (package, package.with_name(package.name + ".libs")):
            if source.is_dir():
                copy = partial / source.name
                # Both folders side by side: the programs find their libraries by a relative path.
                shutil.copytree(source, copy, symlinks=True, copy_function=_link_or_copy)
        for step in (SYSTEM_FOLDER, target.parent, partial, *partial.rglob("*")):
            if step.is_dir() and not step.is_symlink():
                step.chmod(0o755)
        if not target.is_dir():
            partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _sweep_copies(folder: Path) -> None:
    """Remove half-copied files of killed runs: no process has locked them."""
    for left in folder.glob(f"*{_PARTIAL}*"):
        lock = lock_folder(left)
        if lock is not None:
            if any(left.iterdir()):  # Otherwise it is just being made.
                shutil.rmtree(left, ignore_errors=True)
            os.close(lock)


def _link_or_copy(source: str, target: str) -> None:
    """Give everyone the owner's access to a file; use a link if they have it already."""
    mode = Path(source).stat().st_mode
    wanted = mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6
    if mode == wanted:
        with suppress(OSError):
            Path(target).hardlink_to(source)
            return
    shutil.copyfile(source, target)
    Path(target).chmod(wanted & 0o777)


def _is_there(folder: Path) -> bool:
    """Tell whether the folder exists; one that we may not look for counts as missing."""
    try:
        return folder.is_dir()
    except OSError:
        return False


def _account(existing: Path | None = None) -> Account:
    """Return the user to run as; for root that is the owner of an existing folder."""
    if os.geteuid() != 0:
        return Account(None, None, "you")
    if existing is not None and (status := existing.stat()).st_uid != 0:
        return Account(status.st_uid, status.st_gid, f"with the id {status.st_uid}")
    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    raise EngineUnavailableError(
        "PostgreSQL does not run as root, and there is no user postgres or nobody",
        reason="no_permission",
        hint="run chatdb as another user, or create one: useradd --system postgres",
    )


def user_folder() -> Path:
    """Return the user's own folder for data that cannot be kept in a project."""
    return Path("~/.local/share/chatdb").expanduser().absolute()


def _folder_away(server: DevServer) -> Path:
    """Return a folder outside the project; its name contains the project's name."""
    root = SYSTEM_FOLDER if os.geteuid() == 0 else user_folder()
    return root / server.project / "postgresql"


def _closed(folder: Path, account: Account) -> list[str]:
    return [str(step) for step in (folder, *folder.parents) if not account._passes(step)]  # noqa: SLF001
