"""Pictures in a document: looked at before they are handed on, for they come from strangers."""

import base64
import binascii
import hashlib
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chatdb.formats.files.media_types import media_type
from chatdb.primitives.atomic_write import storage_error

LARGEST = 1_000_000
"""Bytes of a picture that is shown."""
MOST_PIXELS = 20_000_000
"""A picture of few bytes may take gigabytes once it is unpacked."""
_ENDINGS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
}
"""What is shown; SVG can have anything in it and is not."""
_WIDEST, _HIGHEST = 470.0, 380.0
"""Points of a page that a picture may take."""
_POINTS = 0.6
"""Points of a pixel, where there is room."""

Check = Callable[[Path, str], bool]
"""Tells of a file in a folder whether it can be read."""


class PictureFolder:
    """The pictures of the document that is under way, as files in its folder."""

    def __init__(self, is_readable: Check) -> None:
        self._is_readable = is_readable

    def begin(self, folder: Path) -> None:
        """Begin with another document."""
        self._folder = folder
        self._known: dict[bytes, tuple[str, float] | None] = {}
        self.pixels = 0

    def add_encoded(self, data: str) -> list[Any] | None:
        """Return a picture in base64 as a node; None for one that cannot be shown."""
        if len(data) > LARGEST * 4 // 3 + 4:
            return None
        try:
            found = self.add(base64.b64decode(data, validate=True))
        except binascii.Error:
            return None
        return None if found is None else ["img", *found]

    def add(self, data: bytes) -> tuple[str, float] | None:
        """Return the name of a picture's file and its width in points; None if not to be shown."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._known:
            self._known[digest] = self._added(data)
        return self._known[digest]

    def _added(self, data: bytes) -> tuple[str, float] | None:
        ending = _ENDINGS.get(media_type(data[:512], None) or "")
        if ending is None or len(data) > LARGEST:
            return None
        size = size_of(data, ending)
        if size is None or not 0 < size[0] * size[1] <= MOST_PIXELS:
            return None
        name = f"{len(self._known) + 1}.{ending}"
        path = self._folder / name
        try:
            path.write_bytes(data)
        except OSError as error:
            raise storage_error(path, error) from error
        if not self._is_readable(self._folder, name):
            path.unlink()
            return None
        self.pixels += size[0] * size[1]
        return name, _width(*size)


def _width(width: int, height: int) -> float:
    return max(1.0, round(min(width * _POINTS, _WIDEST, _HIGHEST * width / height), 1))


def size_of(data: bytes, ending: str) -> tuple[int, int] | None:
    """Return the width and height of a picture in pixels, as its first bytes tell."""
    try:
        match ending:
            case "png":
                return struct.unpack(">II", data[16:24])
            case "gif":
                return struct.unpack("<HH", data[6:10])
            case "webp":
                return _size_of_webp(data)
        return _size_of_jpeg(data)
    except (struct.error, IndexError):
        return None


def _size_of_webp(data: bytes) -> tuple[int, int] | None:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", data[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return _three(data, 24) + 1, _three(data, 27) + 1
    return None


def _three(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")


def _size_of_jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    while data[at] == 0xFF:
        kind = data[at + 1]
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        # A marker without anything after it, or one with its length.
        has_length = kind not in (0x01, 0xFF) and not 0xD0 <= kind <= 0xD8
        (length,) = struct.unpack(">H", data[at + 2 : at + 4]) if has_length else (0,)
        at += (2 if kind != 0xFF else 1) + length
    return None
