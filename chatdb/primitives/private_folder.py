"""A temporary folder for what people wrote, readable by the owner only.

A killed process leaves it behind; the next process that needs one removes it.
"""

import fcntl
import os
import shutil
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


def _sweep(parent: Path, prefix: str) -> None:
    """Remove our own folders that no process has locked, unless they are just being made."""
    for folder in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            # /tmp belongs to everybody: a link of this name could lead anywhere.
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # An empty one may belong to a process that is about to lock it.
                if any(folder.iterdir()):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(lock)
