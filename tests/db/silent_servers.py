"""Servers that are no good: silent, of another kind, or gone after the login."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

_LOGGED_IN = b"R\x00\x00\x00\x08\x00\x00\x00\x00" + b"Z\x00\x00\x00\x05I"


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """Listen on a free port and hand each connection to `answer`; give the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept: list[socket.socket] = []

        def accept() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    kept.append(client)
                    with suppress(OSError):
                        answer(client)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            for client in kept:
                client.close()
            thread.join(timeout=5)


def silent(client: socket.socket) -> None:
    """Take the connection and say nothing."""


def web_server(client: socket.socket) -> None:
    """Answer as a web server does."""
    client.recv(1024)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def hangs_up(client: socket.socket) -> None:
    """Close the connection at once."""
    client.shutdown(socket.SHUT_RDWR)


def silent_after_login(client: socket.socket) -> None:
    """Let everybody in, as a pooler does whose server is away, and answer no query."""
    first = client.recv(1024)
    if first[4:8] in (b"\x04\xd2\x16\x2f", b"\x04\xd2\x16\x30"):  # asks for TLS or GSSAPI
        client.sendall(b"N")
        client.recv(1024)
    client.sendall(_LOGGED_IN)
