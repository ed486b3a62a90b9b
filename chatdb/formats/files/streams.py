"""Byte streams between a file and a reader: counted, unpacked within limits, always UTF-8."""

import codecs
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO

import zstandard

from chatdb.errors import InvalidInputError

OnBytes = Callable[[int], object]

BUFFER = 1 << 20
MAX_RATIO = 400
"""Chat text packs 3 to 30 times smaller; deflate and Zstandard bombs start in the hundreds."""
RATIO_COUNTS_FROM = 64 << 20
"""A small file may pack to almost nothing (one repeated message), which is harmless."""
MAX_UNPACKED = 1 << 40
MAX_VALUE = 1 << 30
"""No conversation is 1 GB; a larger one is refused before memory runs out."""
GROWTH_COUNTS_FROM = 64 << 20
MAX_GROWTH = 60
"""A value that grows beyond this many bytes must not exceed this ratio to its packed size."""
COST_COUNTS_FROM = 128 << 20
MAX_COST = 300
"""The same for the memory of a decoded value: `[],[],[]` takes 24 times its size, a conversation
about 5 times."""
COSTS_FROM = 4 << 20
"""Values up to this size are decoded without this check."""
_LINE = 16 << 20
_ASTRAL = re.compile(rb"[\xf0-\xf4]")

_GZIP, _ZSTANDARD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_ZSTANDARD_INPUT = 512
"""Input per step: as much Zstandard unpacks to 16 MB at most, whatever the file claims."""
PACKED_BUFFER = 1 << 16
"""Packed bytes read ahead: they count as read, so they must be few."""
_TRUSTED = "if you trust it, unpack it yourself and give chatdb the unpacked file"
_DAMAGE = (zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, EOFError, zstandard.ZstdError)


class CountedStream(io.RawIOBase):
    """Passes bytes on and counts them: `total` and the callback."""

    def __init__(self, raw: IO[bytes], on_bytes: OnBytes | None) -> None:
        self._raw = raw
        self._on_bytes = on_bytes
        self.total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        count: int = self._raw.readinto(buffer)  # type: ignore[attr-defined]
        self.total += count
        if self._on_bytes is not None and count:
            self._on_bytes(count)
        return count


class ZstandardStream(io.RawIOBase):
    """Unpacks Zstandard frames; unlike the library's reader it detects a truncated file."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed = packed
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._started = False
        self._ready, self._at = memoryview(b""), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while self._at == len(self._ready):
            data = self._packed.read(_ZSTANDARD_INPUT)
            if not data:
                if self._started:
                    raise EOFError("the compressed data ends early")
                return 0
            self._ready, self._at = memoryview(self._unpack(data)), 0
        count = min(len(buffer), len(self._ready) - self._at)
        buffer[:count] = self._ready[self._at : self._at + count]
        self._at += count
        return count

    def _unpack(self, data: bytes) -> bytes:
        pieces = []
        while data:
            self._started = True
            pieces.append(self._frame.decompress(data))
            data = b""
            if self._frame.eof:
                # A file may have several frames: files joined by `cat`, or a parallel compressor's.
                data = self._frame.unused_data
                self._frame = zstandard.ZstdDecompressor().decompressobj()
                self._started = False
        return b"".join(pieces)


class UnpackedStream(io.RawIOBase):
    """The unpacked side of a compressed file: damage and bombs become InvalidInputError.

    `read` must return what it has before it fails (`read1`), so that data before damage is kept.
    """

    def __init__(
        self, read: Callable[[int], bytes], *, name: str, packed_size: Callable[[], int]
    ) -> None:
        self._read = read
        self._name = name
        self.packed_size = packed_size
        self._total = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        try:
            data = self._read(len(buffer))
        except _DAMAGE as error:
            raise InvalidInputError(
                f"{self._name} is damaged after {self._total} unpacked bytes: {error}"
            ) from error
        count = len(data)
        self._total += count
        if self._total > RATIO_COUNTS_FROM:
            self._refuse_bomb()
        buffer[:count] = data
        return count

    def _refuse_bomb(self) -> None:
        if self._total > MAX_UNPACKED or self._total > MAX_RATIO * max(self.packed_size(), 1):
            raise InvalidInputError(
                f"{self._name} unpacks to more than {MAX_RATIO} times its size "
                f"({self._total} bytes so far): it looks like a decompression bomb",
                hint=_TRUSTED,
            )


class TranscodedStream(io.RawIOBase):
    """Turns UTF-16 or UTF-32 into UTF-8."""

    def __init__(self, raw: io.BufferedIOBase, encoding: str, *, name: str) -> None:
        self._raw = raw
        self._name = name
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._offset = 0
        self._ready = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        while not self._ready and not self._ended:
            data = self._raw.read1(BUFFER)
            self._ended = not data
            try:
                text = self._decoder.decode(data, final=self._ended)
            except UnicodeDecodeError as error:
                raise InvalidInputError(
                    f"{self._name} is not valid {self._encoding.upper()} near byte "
                    f"{self._offset + error.start}: {error.reason}"
                ) from error
            self._offset += len(data)
            self._ready = text.encode("utf-8", "surrogatepass")
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count


class Utf8Stream(io.BufferedReader):
    """A buffered stream of UTF-8 that knows how much of an archive it was unpacked from.

    `packed_size` returns the bytes of the archive, None if it was not packed.
    """

    def __init__(
        self, raw: io.RawIOBase, name: str, packed_size: Callable[[], int] | None = None
    ) -> None:
        super().__init__(raw, BUFFER)
        self._source = name
        self._packed_size = packed_size

    def require_growth(self, size: int) -> None:
        """Raise InvalidInputError for a value that grows like a decompression bomb."""
        if size > GROWTH_COUNTS_FROM and self._is_more_than(MAX_GROWTH, size):
            raise self._bomb(f"a single value of more than {size} bytes")

    def require_room(self, value: bytes) -> None:
        """Raise InvalidInputError for a value whose decoding would take too much memory."""
        if self._packed_size is None or len(value) < COSTS_FROM:
            return
        structure = value.count(b",") + value.count(b"[") + value.count(b"{")
        wide = not value.isascii() and _ASTRAL.search(value) is not None
        cost = len(value) * (6 if wide else 3) + 64 * structure
        if cost > COST_COUNTS_FROM and self._is_more_than(MAX_COST, cost):
            raise self._bomb(f"a single value that takes {cost >> 20} MB of memory")

    @property
    def packed(self) -> int | None:
        """The bytes of the archive read for this stream so far; None if it was not packed."""
        return None if self._packed_size is None else self._packed_size()

    def _is_more_than(self, times: int, size: int) -> bool:
        return self._packed_size is not None and size > times * max(self._packed_size(), 1)

    def _bomb(self, what: str) -> InvalidInputError:
        return InvalidInputError(
            f"{self._source} unpacks to {what}: it looks like a decompression bomb", hint=_TRUSTED
        )


def lines_of(stream: io.BufferedIOBase) -> Iterator[bytes]:
    """Yield the lines of a stream with their ends.

    Raises InvalidInputError for a line larger than a value may be.
    """
    while line := stream.readline(_LINE):
        if len(line) == _LINE and not line.endswith(b"\n"):
            line = _long_line(stream, line)
        if len(line) > COSTS_FROM and isinstance(stream, Utf8Stream):
            stream.require_room(line)
        yield line


def _long_line(stream: io.BufferedIOBase, start: bytes) -> bytes:
    pieces, size = [start], len(start)
    while not pieces[-1].endswith(b"\n"):
        if size > MAX_VALUE:
            raise InvalidInputError(f"a line is larger than {MAX_VALUE} bytes")
        if isinstance(stream, Utf8Stream):
            stream.require_growth(size)
        piece = stream.readline(_LINE)
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def utf8_stream(
    raw: io.RawIOBase, *, name: str, packed_size: Callable[[], int] | None = None
) -> Utf8Stream:
    """Return a buffered stream of UTF-8 without byte order mark.

    UTF-16 and UTF-32, with a mark or recognised by their zero bytes, are transcoded; anything else
    is passed on and checked when decoded. `packed_size` returns how many packed bytes it came from.
    """
    if packed_size is None and isinstance(raw, UnpackedStream):
        packed_size = raw.packed_size
    stream = Utf8Stream(raw, name, packed_size)
    head = stream.peek(4)[:4]
    encoding = json.detect_encoding(head) if head else "utf-8"
    # A byte order mark is no JSON: every parser would fail at it.
    if encoding == "utf-8-sig":
        stream.read(3)
    elif encoding != "utf-8":
        transcoded = TranscodedStream(stream, encoding, name=name)
        return Utf8Stream(transcoded, name, packed_size)
    return stream


def unpacked_stream(handle: IO[bytes], name: str, on_bytes: OnBytes | None) -> io.RawIOBase:
    """Return a file's contents from the start, unpacked if its first bytes say it is packed.

    `on_bytes` receives the count of bytes of the file itself.
    """
    handle.seek(0)
    magic = handle.read(4)
    handle.seek(0)
    counted = CountedStream(handle, on_bytes)
    if magic[:2] != _GZIP and magic != _ZSTANDARD:
        return counted
    return unpacked(counted, name=name, packed_size=lambda: counted.total)


def unpacked(packed: io.RawIOBase, *, name: str, packed_size: Callable[[], int]) -> UnpackedStream:
    """Return the unpacked contents of a stream compressed by gzip or Zstandard."""
    buffered = io.BufferedReader(packed, PACKED_BUFFER)
    read: Callable[[int], bytes]
    if buffered.peek(2)[:2] == _GZIP:
        read = gzip.GzipFile(fileobj=buffered).read1
    else:
        read = ZstandardStream(buffered).read
    return UnpackedStream(read, name=name, packed_size=packed_size)
