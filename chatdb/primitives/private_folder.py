"""A temporary folder for what people wrote, readable by the owner only.

A killed process leaves it behind; the next process that needs one removes it.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def private_folder(purpose: str) -> Iterator[Path]:
    """Make a folder below TMPDIR and remove it at the end, removing those of killed runs first.

    Its name begins with `chatdb-` and the purpose.
    """
    prefix = f"chatdb-{purpose}-"
    _sweep(Path(tempfile.gettempdir()), prefix)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def users_folders(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield the user's own folders whose names begin with the prefix."""
    for folder in parent.glob(f"{prefix}*"):
        # /tmp belongs to everybody: a link of this name could lead anywhere.
        if is_users_folder(folder):
            yield folder


def is_users_folder(folder: Path) -> bool:
    """Tell whether it is a folder of the user's own, and no link."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _sweep(parent: Path, prefix: str) -> None:
    """Remove our own folders that no process has locked, unless they are just being made."""
    for folder in users_folders(parent, prefix):
        with suppress(OSError):
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # An empty one may belong to a process that is about to lock it.
                if any(folder.iterdir()):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
