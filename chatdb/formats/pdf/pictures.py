"""Pictures in a document: looked at before they are handed on, for they come from strangers."""

import base64
import binascii
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from chatdb.formats.pictures import KINDS, LARGEST, picture_of
from chatdb.primitives.atomic_write import storage_error

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
        picture = picture_of(data)
        if picture is None:
            return None
        name = f"{len(self._known) + 1}.{KINDS[picture.kind]}"
        path = self._folder / name
        try:
            path.write_bytes(data)
        except OSError as error:
            raise storage_error(path, error) from error
        if not self._is_readable(self._folder, name):
            path.unlink()
            return None
        self.pixels += picture.width * picture.height
        return name, _width(picture.width, picture.height)


def _width(width: int, height: int) -> float:
    return max(1.0, round(min(width * _POINTS, _WIDEST, _HIGHEST * width / height), 1))
