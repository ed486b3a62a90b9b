"""A pager for long text on a terminal, as in git."""

import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, cast

from chatdb import config as settings


def page(chunks: Iterable[str], command: str) -> bool:
    """Send text to the pager and wait until it is closed; False if there is none.

    Chunks are produced as the pager reads; leaving it early ends them.
    """
    with opened(command) as pipe:
        if pipe is None:
            return False
        for chunk in chunks:
            pipe.write(chunk)
    return True


@contextmanager
def opened(command: str) -> Iterator["IO[str] | None"]:
    """Start the pager for the duration of the block, which ends when the pager is left early.

    `command` is a shell-like command line such as "less -S"; with an empty one or "cat", and if it
    cannot be started, the block gets None.
    """
    process = _started(command)
    if process is None:
        yield None
        return
    # The pager writes to the same terminal: what came before must not follow its text.
    sys.stdout.flush()
    pipe = cast("IO[str]", process.stdin)
    try:
        with suppress(BrokenPipeError):
            yield pipe
    finally:
        with suppress(BrokenPipeError):
            pipe.close()
        _wait(process)


def _started(command: str) -> "subprocess.Popen[str] | None":
    words = words_of(command)
    if not words or words == ["cat"]:
        return None
    with suppress(OSError):
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            env=settings.pager_environment(),
            encoding="utf-8",
            errors="replace",
        )
    return None


def words_of(command: str) -> list[str]:
    """Return the words of a shell-like command line, none of one with an open quote."""
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _wait(process: "subprocess.Popen[str]") -> None:
    """Wait until the pager ends, leaving Ctrl-C to it."""
    while True:
        with suppress(KeyboardInterrupt):
            process.wait()
            return
