"""Pictures by strangers: which of them a page shows, told by their first bytes."""

import struct
from dataclasses import dataclass

from chatdb.formats.files.media_types import media_type

LARGEST = 1_000_000
"""Bytes of a picture that is put into a page."""
MOST_PIXELS = 20_000_000
"""A picture of few bytes may take gigabytes once it is unpacked."""
KINDS = {
    "image/png": "png",
    "image/jpeg": "jpg",
    "image/gif": "gif",
    "image/webp": "webp",
}
"""What is shown, with its ending; SVG can have anything in it and is not."""


@dataclass(frozen=True, slots=True)
class PictureHead:
    """The media type of a picture, its width and height in pixels."""

    kind: str
    width: int
    height: int


def picture_of(data: bytes) -> PictureHead | None:
    """Return what a picture says of itself; None for one that is not to be shown."""
    kind = media_type(data[:512], None) or ""
    if kind not in KINDS or len(data) > LARGEST:
        return None
    size = size_of(data, KINDS[kind])
    if size is None or not 0 < size[0] * size[1] <= MOST_PIXELS:
        return None
    return PictureHead(kind, *size)


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
