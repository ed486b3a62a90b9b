"""Becoming another program: signals, terminal and exit code are its own from then on."""

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from chatdb import config as settings

if TYPE_CHECKING:
    from chatdb.workflows.connect import ClientCall


def become(call: "ClientCall", warn: Callable[[str], None]) -> NoReturn:
    """Replace this process by the client, warning of it first; raises OSError if it does not run.

    Nothing may wait to be written to stdout: it would be lost.
    """
    if call.note is not None:
        warn(call.note)
    # Python ignores these, and what is ignored stays so: `chatdb connect -c ... | head`.
    for name in ("SIGPIPE", "SIGXFSZ"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    # By its path: psql looks for itself where the name in its words says.
    words = [str(call.program), *call.words[1:]]
    os.execve(call.program, words, settings.process_environment(call.variables))  # noqa: S606
