"""Checks that a tar archive of pg_dump is complete, before pg_restore reads it.

pg_restore 18 loops forever on a truncated one.
"""

import tarfile
from typing import IO, cast

from chatdb.errors import InvalidInputError

_PIECE = 1 << 20
_END = bytes(1024)
"""Two blocks of zeros, which end every tar archive."""


def require_whole_tar(stream: IO[bytes], name: str) -> None:
    """Read a tar archive to its end; raises InvalidInputError if it is truncated or damaged."""
    tail = _Tail(stream)
    try:
        # `r|` reads as a stream: the archive may be compressed or remote.
        with tarfile.open(fileobj=cast(IO[bytes], tail), mode="r|") as archive:
            for _ in archive:
                pass
    except (tarfile.TarError, EOFError) as error:
        raise InvalidInputError(f"{name} is a damaged tar archive: {error}") from error
    while tail.read(_PIECE):
        pass
    # tarfile takes the end of the file for the end of the archive.
    if tail.end != _END:
        raise InvalidInputError(f"{name} is a tar archive without its end: it is truncated")


class _Tail:
    """A stream that remembers the last bytes that were read."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.end = b""

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self.end = (self.end + data)[-len(_END) :] if len(data) < len(_END) else data[-len(_END) :]
        return data
