"""Writes a file in a thread: compression and the kernel's copying run in parallel."""

import os
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO, Self

PIECE = 1 << 20
"""Bytes passed on at once; a smaller file needs no thread."""
AT_MOST = 4
"""Pieces that may wait: memory is bounded, and a slow disk delays the writer."""
SYNC_EVERY = 64
"""Pieces between syncs: nearly everything is on disk already when the last one arrives."""


class WriteBehind:
    """Takes bytes for a stream over a regular file, whose descriptor is for syncing it.

    An error of the stream is raised by a later `write`, or at the end of the context. If the
    context ends with an error, waiting pieces are dropped.
    """

    def __init__(self, stream: BinaryIO, descriptor: int) -> None:
        self._stream = stream
        self._descriptor = descriptor
        self._parts: list[bytes] = []
        self._size = 0
        # Queues in C: an interrupt leaves no lock of them held.
        self._pieces: SimpleQueue[bytes | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        for _ in range(AT_MOST):
            self._room.put(None)
        self._thread: Thread | None = None
        self._failure: BaseException | None = None

    def write(self, data: bytes) -> int:
        """Write the bytes."""
        self._parts.append(bytes(data))
        self._size += len(data)
        if self._size >= PIECE:
            self._hand_on()
        return len(data)

    def flush(self) -> None:
        """Pass on the bytes written so far; they may not be in the file yet."""
        if self._parts:
            self._hand_on()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, _trace: object) -> None:
        if self._thread is None:
            if error is None:
                self._stream.write(b"".join(self._parts))
            return
        if error is not None:
            self._failure = self._failure or error
        elif self._parts:
            self._pieces.put(b"".join(self._parts))
        self._pieces.put(None)
        self._thread.join()
        if error is None and self._failure is not None:
            raise self._failure

    def _hand_on(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._thread is None:
            self._thread = Thread(target=self._write_on, daemon=True)
            self._thread.start()
        self._room.get()
        self._pieces.put(b"".join(self._parts))
        self._parts, self._size = [], 0

    def _write_on(self) -> None:
        count = 0
        while (piece := self._pieces.get()) is not None:
            self._room.put(None)
            if self._failure is not None:
                continue
            try:
                self._stream.write(piece)
                count += 1
                if count % SYNC_EVERY == 0:
                    os.fsync(self._descriptor)
            except BaseException as error:  # noqa: BLE001 - raised by the thread that writes to us
                self._failure = error
