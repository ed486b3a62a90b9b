"""An answer that is waited for, but not for longer than some seconds."""

from collections.abc import Callable
from threading import Thread
from typing import TypeVar

Answer = TypeVar("Answer")


def in_time(work: Callable[[], Answer], seconds: float) -> Answer | None:
    """Return what the work returns, None if it takes longer; it must not raise.

    It runs in a thread of its own, which is left alone then and ends with the process.
    """
    found: list[Answer] = []
    thread = Thread(target=lambda: found.append(work()), daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None
