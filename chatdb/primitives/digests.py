"""The SHA-256 of a file's bytes in lower-case hexadecimal, read in flat memory."""

import hashlib
import re
from collections.abc import Callable, Iterator
from typing import Protocol

DIGEST = re.compile(r"[0-9a-f]{64}")
"""How a file's digest is written: it is also the name of the file that has its bytes."""
CHUNK = 1 << 20
"""Bytes read at once: they are hashed and written before the next ones are read."""


class Readable(Protocol):
    """A file that is read into memory of ours."""

    def readinto(self, buffer: memoryview, /) -> int | None:
        """Read into the buffer; return how many bytes it has now, 0 at the end."""


def pieces(source: Readable) -> Iterator[memoryview]:
    """Yield the bytes of a file in pieces, each in the memory of the one before."""
    buffer = memoryview(bytearray(CHUNK))
    while count := source.readinto(buffer):
        yield buffer[:count]


def digest_of(source: Readable, on_bytes: Callable[[int], object] = lambda _: None) -> str:
    """Read a file to its end and return its digest; its errors are raised as they are."""
    digest = hashlib.sha256()
    for piece in pieces(source):
        digest.update(piece)
        on_bytes(len(piece))
    return digest.hexdigest()
