"""A line to a daemon's socket that can be cut: the daemon itself is real, and stays."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Relay:
    """Passes on what is said over a socket until a word is said; then it is gone, or silent."""

    def __init__(self, target: str, path: Path) -> None:
        self.address = f"unix://{path}"
        self._target = target.removeprefix("unix://")
        self._word, self._silently = b"", False
        self._is_cut = threading.Event()
        self._ended = threading.Event()
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen(64)
        self._path = path
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_at(self, word: bytes, *, silently: bool) -> None:
        """Cut the line when a request has this in it; silently: it only stops answering."""
        self._word, self._silently = word, silently

    def close(self) -> None:
        """End it and all its connections."""
        self._ended.set()
        self._is_cut.set()
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as daemon, suppress(OSError):
            if self._is_cut.is_set():
                self._after_the_cut()
                return
            daemon.connect(self._target)
            self._pass_on(client, daemon)

    def _pass_on(self, client: socket.socket, daemon: socket.socket) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, daemon)
            selector.register(daemon, selectors.EVENT_READ, client)
            while True:
                for key, _ in selector.select(timeout=0.1):
                    source: socket.socket = key.fileobj  # type: ignore[assignment]
                    data = source.recv(65_536)
                    if self._word and source is client and self._word in data:
                        self._is_cut.set()
                    if not self._is_cut.is_set():
                        key.data.sendall(data)
                    if not data:
                        return
                if self._is_cut.is_set():
                    self._after_the_cut()
                    return

    def _after_the_cut(self) -> None:
        if self._silently:
            self._ended.wait(60)
            return
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._path.unlink(missing_ok=True)


@contextmanager
def relay(target: str, folder: Path) -> Iterator[Relay]:
    """Make a line to the socket `target` (unix://...), in a folder with a short name."""
    line = Relay(target, folder / "relay.sock")
    try:
        yield line
    finally:
        line.close()
