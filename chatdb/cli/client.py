"""Replacing this process by a client, which gets its signals, terminal and exit code."""

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from chatdb import config as settings

if TYPE_CHECKING:
    from chatdb.operations.dev_db.connect import ClientCall


def become(call: "ClientCall", warn: Callable[[str], None]) -> NoReturn:
    """Replace this process by the client after the warning; raises OSError if it cannot run.

    Nothing may be buffered for stdout: it would be lost.
    """
    if call.note is not None:
        warn(call.note)
    # Python ignores these signals, and the client would inherit that: `chatdb connect -c ... |
    # head`.
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    # By its path: psql searches for itself where argv[0] says.
    words = [str(call.program), *call.words[1:]]
    os.execve(call.program, words, settings.process_environment(call.variables))  # noqa: S606
