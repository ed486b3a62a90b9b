"""Media types of files by their first bytes, else by their names."""

import re
from mimetypes import MimeTypes
from pathlib import PurePath

_MAGIC: tuple[tuple[bytes, int, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", 0, "image/png"),
    (b"\xff\xd8\xff", 0, "image/jpeg"),
    (b"GIF87a", 0, "image/gif"),
    (b"GIF89a", 0, "image/gif"),
    (b"WEBP", 8, "image/webp"),
    (b"ftypheic", 4, "image/heic"),
    (b"ftypavif", 4, "image/avif"),
    (b"%PDF-", 0, "application/pdf"),
    (b"WAVE", 8, "audio/wav"),
    (b"OggS", 0, "audio/ogg"),
    (b"fLaC", 0, "audio/flac"),
    (b"ID3", 0, "audio/mpeg"),
    (b"\xff\xfb", 0, "audio/mpeg"),
    (b"\xff\xf3", 0, "audio/mpeg"),
    (b"ftypM4A", 4, "audio/mp4"),
    (b"ftyp", 4, "video/mp4"),
    (b"\x1aE\xdf\xa3", 0, "video/webm"),
    (b"\x1f\x8b", 0, "application/gzip"),
)
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
# Without the files of this machine: the same name has the same type everywhere.
_by_name = MimeTypes(filenames=())
_MORE = {
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".epub": "application/epub+zip",
    ".md": "text/markdown",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}


def media_type(head: bytes, name: str | None) -> str | None:
    """Return the media type of a file that begins like this; None for what nothing tells."""
    for magic, place, kind in _MAGIC:
        if head.startswith(magic, place):
            return kind
    named = _named(name)
    if head.startswith(_ZIP):
        # Documents of office programs and books are zips, too: only their names tell.
        return named if named is not None and not named.startswith("text/") else "application/zip"
    is_text = bool(head) and _is_text(head)
    # `.ts` is a film to one and a program to another.
    if named is not None and not (is_text and named.startswith(("audio/", "video/"))):
        return named
    return "text/plain" if is_text else None


def _named(name: str | None) -> str | None:
    if name is None:
        return None
    suffix = PurePath(name).suffix.lower()
    return _MORE.get(suffix) or _by_name.guess_type(f"a{suffix}")[0]


def _is_text(head: bytes) -> bool:
    """Tell whether it is UTF-8 without control characters; its last character may be cut."""
    if _CONTROL.search(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3
    return True
