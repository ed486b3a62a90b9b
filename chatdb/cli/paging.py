"""A pager for long text on a terminal, as in git."""

import shlex
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import IO, cast

from chatdb import config as settings


def page(chunks: Iterable[str], command: str) -> bool:
    """Send text to the pager and wait until it is closed; False if there is none.

    `command` is a shell-like command line such as "less -S"; empty or "cat" means no pager. Chunks
    are produced as the pager reads; leaving it early ends them.
    """
    words = _words(command)
    if not words or words == ["cat"]:
        return False
    try:
        process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            env=settings.pager_environment(),
            encoding="utf-8",
            errors="replace",
        )
    except OSError:
        return False
    # The pager writes to the same terminal: what came before must not follow its text.
    sys.stdout.flush()
    pipe = cast("IO[str]", process.stdin)
    try:
        with suppress(BrokenPipeError):
            for chunk in chunks:
                pipe.write(chunk)
    finally:
        with suppress(BrokenPipeError):
            pipe.close()
        _wait(process)
    return True


def _words(command: str) -> list[str]:
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
