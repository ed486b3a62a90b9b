"""Notices that the reader of stdout is gone while there is nothing to write.

`chatdb ... -f | head` would otherwise wait for a line that may never come.
"""

import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ends_with_reader() -> Iterator[None]:
    """Raise BrokenPipeError in the block as soon as the reader of stdout is gone.

    Does nothing where stdout is no pipe, or where Ctrl-C is ignored.
    """
    try:
        descriptor = sys.stdout.fileno()
    except OSError:
        yield
        return
    lock, gone, is_over = threading.Lock(), threading.Event(), threading.Event()
    waiting = threading.get_ident()

    def watch() -> None:
        poll = select.poll()
        poll.register(descriptor, 0)  # POLLERR and POLLHUP are reported without being requested.
        poll.poll()
        with lock:
            if not is_over.is_set():
                gone.set()
                signal.pthread_kill(waiting, signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    except KeyboardInterrupt:
        if gone.is_set():
            raise BrokenPipeError from None
        raise
    finally:
        with lock:
            is_over.set()
