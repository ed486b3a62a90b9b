"""A pager for long text on a terminal, as git does it."""

import shlex
import subprocess
import sys
from collections.abc import Iterable

from chatdb import config as settings


def page(chunks: Iterable[str], command: str) -> bool:
    """Send text to the pager and wait until the reader has closed it; False when there is none.

    `command` is a shell-like command line such as "less -S"; empty or "cat" means no pager.
    The chunks are taken as the pager reads: leaving it early ends them.
    """
    words = _words(command)
    if not words or words == ["cat"]:
        return False
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.PIPE, env=settings.pager_environment(), encoding="utf-8"
        )
    except OSError:
        return False
    sys.stdout.flush()
    assert process.stdin is not None  # noqa: S101  (PIPE was asked for)
    try:
        for chunk in chunks:
            process.stdin.write(chunk)
    except BrokenPipeError:
        pass
    finally:
        _finish(process)
    return True


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []


def _finish(process: "subprocess.Popen[str]") -> None:
    """Close the pager's input and wait; Ctrl-C is the pager's business meanwhile."""
    if process.stdin is not None:
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass
    while True:
        try:
            process.wait()
        except KeyboardInterrupt:
            continue
        return
