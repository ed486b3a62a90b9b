"""Recognises a file by its first bytes: readable, a container of files, or neither."""

import io
import json
import re
from dataclasses import dataclass
from typing import Literal

from chatdb.formats.products import product_among

ENOUGH = 512
"""First bytes that identify a file; web pages name themselves within them."""

_JSON = re.compile(
    rb'\s*(?:\{\s*(?:["}]|\Z)|\[\s*(?:[\[{"\]\-0-9]|true|false|null|N|\Z)|(?:null)?\s*\Z)',
    re.ASCII,
)
_SAYS_JSON = re.compile(r".+\.(?:json|jsonl|ndjson)", re.IGNORECASE)
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_PAGE = re.compile(rb"\s*(?:<!--.*?-->\s*)*<(?:!doctype html|html)", re.IGNORECASE | re.DOTALL)
_ALONE = "chatdb imports it by itself"

_SIGNATURES: tuple[tuple[bytes, int, str, str | None], ...] = (
    (b"\x89PNG", 0, "a picture (PNG)", "image/png"),
    (b"\xff\xd8\xff", 0, "a picture (JPEG)", "image/jpeg"),
    (b"GIF8", 0, "a picture (GIF)", "image/gif"),
    (b"WEBP", 8, "a picture (WebP)", "image/webp"),
    (b"ftypheic", 4, "a picture (HEIC)", "image/heic"),
    (b"ftypavif", 4, "a picture (AVIF)", "image/avif"),
    (b"WAVE", 8, "audio (WAV)", "audio/wav"),
    (b"ID3", 0, "audio (MP3)", "audio/mpeg"),
    (b"\xff\xfb", 0, "audio (MP3)", "audio/mpeg"),
    (b"\xff\xf3", 0, "audio (MP3)", "audio/mpeg"),
    (b"OggS", 0, "audio (Ogg)", "audio/ogg"),
    (b"fLaC", 0, "audio (FLAC)", "audio/flac"),
    (b"ftypM4A", 4, "audio (MP4)", "audio/mp4"),
    (b"ftyp", 4, "a video, audio or picture (MP4)", "video/mp4"),
    (b"\x1aE\xdf\xa3", 0, "a video (WebM)", "video/webm"),
    (b"%PDF", 0, "a document (PDF)", "application/pdf"),
    (b"\x00\x05\x16\x07", 0, "a resource fork of macOS", None),
    (b"\x00\x00\x00\x01Bud1", 0, "settings of a folder on macOS", None),
)
"""Bytes, where they stand in a file, what it is then, and its media type."""
_DATABASES: tuple[tuple[bytes, str], ...] = (
    (b"SQLite format 3\x00", f"a SQLite database; {_ALONE}"),
    (b"PGDMP", f"a dump of PostgreSQL; {_ALONE}"),
    (b"--\n-- PostgreSQL database", f"a dump of PostgreSQL; {_ALONE}"),
)
PACKED = {b"\x1f\x8b": "application/gzip", b"\x28\xb5\x2f\xfd": "application/zstd"}
ARCHIVES = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True, slots=True)
class FileLook:
    """The meaning of the first bytes: `json` may be read, `packed` and `archive` contain files.

    For anything else `reason` says what it is, `is_text` whether it can be read as text, and
    `holds_words` whether it may contain people's words that are nowhere else.
    """

    kind: Literal["json", "packed", "archive", "other"]
    reason: str = ""
    holds_words: bool = False
    is_text: bool = False


_JSON_LOOK, _PACKED_LOOK, _ARCHIVE_LOOK = FileLook("json"), FileLook("packed"), FileLook("archive")


def look(head: bytes, name: str) -> FileLook:
    """Tell what begins with these bytes: the first `ENOUGH` of a file, or all of it.

    The name only decides whether a file that is not JSON should be: then it is damaged.
    """
    known = _known(head)
    if known is not None:
        return known
    text = _utf8(head)
    if _JSON.match(text):
        return _JSON_LOOK
    product = product_among((), head)
    if product is not None:
        return FileLook("other", product.reason, product.holds_words, is_text=True)
    if _SAYS_JSON.fullmatch(name):
        return FileLook("other", "no JSON, though its name says so", holds_words=True)
    if CONTROL.search(text):
        return FileLook("other", "no text")
    what = "a web page" if _PAGE.match(text) else "text that is no JSON"
    return FileLook("other", what, is_text=True)


def _known(head: bytes) -> FileLook | None:
    """Recognise it by bytes that nothing else begins with."""
    if head.startswith(ARCHIVES):
        return _ARCHIVE_LOOK
    if head.startswith(tuple(PACKED)):
        return _PACKED_LOOK
    signed = signature(head)
    if signed is not None:
        return FileLook("other", signed[0])
    for magic, what in _DATABASES:
        if head.startswith(magic):
            return FileLook("other", what, holds_words=True)
    return None


def signature(head: bytes) -> tuple[str, str | None] | None:
    """Return what a file is by bytes that no text has, and its media type."""
    for magic, place, what, media_type in _SIGNATURES:
        if head.startswith(magic, place):
            return what, media_type
    return None


def look_inside(packed: FileLook, stream: io.BufferedIOBase) -> FileLook:
    """Recognise a compressed file by its unpacked stream: `packed` if it may be read."""
    inside = look(stream.read1(ENOUGH), "")
    return packed if inside.kind == "json" else FileLook("other", "compressed, and no JSON")


def _utf8(head: bytes) -> bytes:
    """Return the head as UTF-8 without byte order mark, as its stream will be read."""
    encoding = json.detect_encoding(head)
    if encoding == "utf-8":
        return head
    return head.decode(encoding, "ignore").encode("utf-8", "surrogatepass")
