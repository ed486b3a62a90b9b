"""The log of an embedded server: its end, new lines, and a limit on its size."""

import os
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

LARGEST_BYTES = 5_000_000
"""Above this size the older part is moved to `server.log.1` when chatdb next looks."""

_POLL_SECONDS = 0.2
_CHUNK = 1 << 20


def last_lines(path: Path, count: int) -> list[str]:
    """Return the last lines of a log without reading all of it; none for a missing one."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - max(_CHUNK, count * 500)))
            newest = deque(stream, maxlen=count)
    except FileNotFoundError:
        return []
    return [_text(line) for line in newest]


def lines_from(path: Path, position: int) -> list[str]:
    """Return the lines after a position in bytes, at most about a megabyte of them."""
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(min(position, size), size - _CHUNK))
            return [_text(line) for line in stream]
    except FileNotFoundError:
        return []


def follow_log(path: Path) -> Iterator[str]:
    """Yield new lines, forever; a log that is truncated is read from the beginning."""
    position = size_of(path)
    rest = b""
    while True:
        size = size_of(path)
        if size < position:
            position, rest = 0, b""
        if size > position:
            with path.open("rb") as stream:
                stream.seek(position)
                chunk = stream.read(_CHUNK)
            position += len(chunk)
            *lines, rest = (rest + chunk).split(b"\n")
            yield from map(_text, lines)
        else:
            time.sleep(_POLL_SECONDS)


def bound(path: Path) -> None:
    """Move the log aside if it is too large; a running server continues in the same file.

    The server must write in append mode, which makes truncating its file safe.
    """
    if size_of(path) <= LARGEST_BYTES:
        return
    older = path.with_name(path.name + ".1")
    older.unlink(missing_ok=True)
    with path.open("rb+") as stream:
        stream.seek(-LARGEST_BYTES, os.SEEK_END)
        kept = stream.read(LARGEST_BYTES)
        descriptor = os.open(older, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "wb") as target:
            target.write(kept)
        stream.truncate(0)


def size_of(path: Path) -> int:
    """Return the size of a file in bytes, 0 for a missing one."""
    with suppress(FileNotFoundError):
        return path.stat().st_size
    return 0


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r\n")
