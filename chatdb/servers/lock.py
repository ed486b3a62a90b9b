"""One chatdb at a time on a server: a lock released when the process that holds it ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chatdb.servers.base import Note


@contextmanager
def only_one(path: Path, note: Note) -> Iterator[int]:
    """Hold the lock file during the block; wait, with a note, while another process holds it.

    Yields the file's descriptor: a program that inherits it keeps the lock if this process is
    killed, until it ends itself.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("another chatdb is working on this server; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
