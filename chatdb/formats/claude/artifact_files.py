"""The files beside an `artifact.json`: the texts of its versions, and what people said about it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from chatdb.errors import InvalidInputError
from chatdb.formats.files.json_records import decode_value
from chatdb.formats.files.members import natural
from chatdb.formats.files.source_files import SourceFile, folder_of
from chatdb.formats.files.streams import (
    BUFFER,
    GROWTH_COUNTS_FROM,
    MAX_GROWTH,
    MAX_VALUE,
    Utf8Stream,
)

LARGEST = 64 << 20
"""Bytes of one file: a message holds its text twice, for showing and for searching."""

_BOMB = "it unpacks like a decompression bomb"
_VERSIONS = "versions/"
_PAGE = "page.md"
_COMMENTS = ("artifact_comments.json", "comments.json")
_INDEX = "index."


def folders_beside(name: str) -> Iterator[str]:
    """Yield each folder whose artifact a file of this name would belong to."""
    folder = folder_of(name)
    if name[len(folder) :] in (_PAGE, *_COMMENTS):
        yield folder
    at = name.find(_VERSIONS)
    while at >= 0:
        if at == 0 or name[at - 1] in "/:":
            yield name[:at]
        at = name.find(_VERSIONS, at + 1)


@dataclass(slots=True)
class VersionFile:
    """A file of a version, by its name within the artifact's folder."""

    name: str
    file: SourceFile


@dataclass(slots=True)
class ArtifactFiles:
    """The files of one artifact, read within limits that hold for all of them together."""

    versions: dict[str, list[VersionFile]] = field(default_factory=dict)
    page: SourceFile | None = None
    comments: list[SourceFile] = field(default_factory=list)
    _read: int = 0
    _packed: int = 0
    _is_bomb: bool = False

    def text(self, file: SourceFile) -> str:
        """Return the text of a file, with U+FFFD for what is no UTF-8.

        Raises InvalidInputError for one that is too large, damaged or suspicious, and StorageError.
        """
        pieces: list[bytes] = []
        size, packed = 0, None
        with file.open() as stream:
            while data := stream.read(BUFFER):
                size += len(data)
                pieces.append(data)
                packed = stream.packed if isinstance(stream, Utf8Stream) else None
                self._check(size, packed)
        self._read += size
        self._packed += packed or 0
        return b"".join(pieces).decode("utf-8", "replace")

    def threads(self) -> Iterator[Any]:
        """Yield what people said about it, a thread each; raises as `text`."""
        for file in self.comments:
            decoded = decode_value(self.text(file).encode())
            if decoded.error is not None:
                raise InvalidInputError(f"it is {decoded.error}")
            value = decoded.value
            found = value.get("threads") if isinstance(value, dict) else value
            yield from found if isinstance(found, list) else ()

    def _check(self, size: int, packed: int | None) -> None:
        total = self._read + size
        if self._is_bomb:
            raise InvalidInputError(_BOMB)
        if size > LARGEST:
            raise InvalidInputError(f"it is larger than {LARGEST >> 20} MB")
        if total > MAX_VALUE:
            raise InvalidInputError(f"the artifact is larger than {MAX_VALUE >> 20} MB in all")
        if packed is None or total <= GROWTH_COUNTS_FROM // 2:
            return
        self._is_bomb = total > MAX_GROWTH * max(self._packed + packed, 1)
        if self._is_bomb:
            raise InvalidInputError(_BOMB)


def files_of(folder: str, beside: list[SourceFile]) -> ArtifactFiles:
    """Return the files of the artifact in a folder, among those beside it."""
    found = ArtifactFiles()
    for file in sorted(beside, key=lambda each: natural(each.name)):
        name = file.name.removeprefix(folder)
        if name == _PAGE:
            found.page = file
        elif name in _COMMENTS:
            found.comments.append(file)
        elif name.startswith(_VERSIONS):
            inside = name.removeprefix(_VERSIONS)
            version, is_folder, _ = inside.partition("/")
            if not is_folder:
                version = version.rpartition(".")[0] or version
            found.versions.setdefault(version, []).append(VersionFile(inside, file))
    for files in found.versions.values():
        files.sort(key=lambda each: not each.name.rpartition("/")[2].startswith(_INDEX))
    return found
