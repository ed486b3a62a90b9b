"""Media types of files by their first bytes, else by their names."""

from mimetypes import MimeTypes
from pathlib import PurePath

from chatdb.formats.files.file_kinds import ARCHIVES, CONTROL, PACKED, signature

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
    signed = signature(head)
    if signed is not None:
        return signed[1]
    for magic, kind in PACKED.items():
        if head.startswith(magic):
            return kind
    named = _named(name)
    if head.startswith(ARCHIVES):
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
    if CONTROL.search(head):
        return False
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 3
    return True
