"""A worker thread; its exception is raised again by wait()."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

Work = Callable[[Event], object]
"""Checks the event from time to time: it is set when the result is no longer needed."""


class Beside:
    """One task that runs in a thread."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._stopped = Event()
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait for its end and raise its exception."""
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Tell it to end, and wait until it has."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._work(self._stopped)
        except BaseException as error:  # noqa: BLE001 - raised by whoever waits
            self._failure = error


@contextmanager
def beside(work: Work) -> Iterator[Beside]:
    """Start the task; if the block is left early it is told to end, and waited for."""
    running = Beside(work)
    try:
        yield running
    finally:
        running.stop()
