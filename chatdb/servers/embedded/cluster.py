"""PostgreSQL's data directory: created completely or not at all, and marked as chatdb's."""

import re
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from chatdb.errors import RefusedError, ServerFailedError
from chatdb.servers.base import DevServer
from chatdb.servers.embedded.home import Home

_MARK = "chatdb.made"
"""A file in the data directory: without it chatdb neither starts nor removes the directory."""

_LOCALES = ("C.UTF-8", "en_US.UTF-8", "C.utf8")
_PARTIAL = "data.partial-"
_LAST_LINES = 12
_SEE_LOG = "to see the whole log: chatdb dev-db logs --lines 200"
_FULL_DISK = re.compile(r"No space left|[Cc]heck free disk space|[Dd]isk quota exceeded")

CLEAN_ENVIRONMENT = ("/usr/bin/env", "-u", "PGDATA", "-u", "PGOPTIONS", "LC_ALL=C")
"""Prefix of a server program: shields it from the developer's own PostgreSQL settings.

On macOS a server without LC_ALL refuses to start.
"""


def has_data(home: Home) -> bool:
    """Tell whether there is data; raises RefusedError for a directory chatdb did not create."""
    if not home.data.is_dir():
        return False
    if not (home.data / _MARK).is_file():
        raise RefusedError(
            f"{home.data} exists, but chatdb did not create it: it is left alone",
            hint="move it away, then run: chatdb dev-db up",
        )
    return True


def data_major(home: Home) -> int | None:
    """Return the major version that created the data; None if there is none.

    Raises RefusedError for data chatdb did not create, ServerFailedError for damaged data.
    """
    if not has_data(home):
        return None
    try:
        return int((home.data / "PG_VERSION").read_text())
    except (ValueError, FileNotFoundError) as error:
        raise ServerFailedError(
            f"the data in {home.data} is damaged: PG_VERSION cannot be read",
            hint="restore the data from a copy; to start over: chatdb dev-db down --volumes",
        ) from error


def make_data(home: Home, programs: Path, server: DevServer) -> None:
    """Create the data directory under another name first, so that it is never incomplete.

    Raises ServerFailedError with the output of initdb.
    """
    name = f"{_PARTIAL}{uuid4().hex[:8]}"
    partial, password = home.folder / name, home.folder / f"{name}.password"
    try:
        # Before it has a content: written first, it would be readable for a moment.
        password.touch(mode=0o600)
        password.write_text(server.password + "\n", encoding="utf-8")
        home.account.own(password)
        _initialise(home, partial, programs, server, password)
        mark = partial / _MARK
        mark.write_text(f"for the project {server.project}\n", encoding="utf-8")
        home.account.own(mark)
        partial.rename(home.data)
    finally:
        password.unlink(missing_ok=True)
        shutil.rmtree(partial, ignore_errors=True)


def _initialise(
    home: Home, partial: Path, programs: Path, server: DevServer, password: Path
) -> None:
    # Not synced file by file, which is half of the time here. A power cut within the half minute
    # before the system writes by itself could only cost a database that is still empty.
    words = [
        *(programs / "initdb", "-D", partial, "-U", server.user, "--pwfile", password),
        *("-A", "scram-sha-256", "-E", "UTF8", "--no-sync", "--no-instructions"),
    ]
    for locale in _LOCALES:
        done = subprocess.run(
            [*CLEAN_ENVIRONMENT, *map(str, words), "--locale", locale],
            cwd=home.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
            **home.account.identity(),
        )
        if done.returncode == 0:
            return
        # Not every system has each of these locales; any other error is not of the locale.
        if "invalid locale name" not in done.stdout:
            break
        shutil.rmtree(partial, ignore_errors=True)
    raise failed(
        "PostgreSQL's initdb failed",
        done.stdout.splitlines(),
        hint="run it again: chatdb dev-db up; to use another PostgreSQL: CHATDB_PG_BINDIR",
    )


def failed(what: str, lines: Sequence[str], *, hint: str = _SEE_LOG) -> ServerFailedError:
    """Return the error with the end of a log; `hint` is used if the log suggests none."""
    shown = [line for line in lines if line.strip()][-_LAST_LINES:]
    log = "\n".join(shown)
    text = what
    if _FULL_DISK.search(log):
        text += ": the disk is full"
        hint = "free some space, then run again: chatdb dev-db up"
    elif "pre-existing shared memory" in log:
        text += ": part of a killed server is still running"
        hint = "wait for it to end, then run again: chatdb dev-db up"
    if shown:
        text += ":\n" + "\n".join(f"  {line}" for line in shown)
    return ServerFailedError(text, hint=hint)


def remove_partial(home: Home) -> None:
    """Remove what a killed initdb left behind."""
    for path in home.folder.glob(f"{_PARTIAL}*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def remove_data(home: Home) -> None:
    """Remove the data directory and everything that belongs to the server.

    Raises RefusedError for one that chatdb did not create.
    """
    has_data(home)
    remove_partial(home)
    if home.data.is_dir():
        # Renamed first: a half-removed directory must never be taken for a database.
        doomed = home.folder / f"{_PARTIAL}{uuid4().hex[:8]}"
        home.data.rename(doomed)
        shutil.rmtree(doomed)
    for name in ("server.log", "server.log.1", "server.json", "server.lock"):
        (home.folder / name).unlink(missing_ok=True)
    with suppress(OSError):
        home.folder.rmdir()
        if home.is_away:
            home.folder.parent.rmdir()
