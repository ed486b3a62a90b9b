"""The names and ids of the files that ChatGPT's messages point to.

A message names a file by a pointer such as `sediment://file_0a1b`. What the user called it stands
in other members of the export: `{"file_0a1b.dat": "till.png"}`, or a list of the library's files.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chatdb.errors import InvalidInputError, StorageError
from chatdb.formats.files.json_records import decode_value
from chatdb.formats.files.json_stream import Element, JsonStream
from chatdb.formats.files.source_files import SourceFile

MOST = 200_000
"""Names kept in memory, some 50 MB: more than any account has files."""

_SUFFIX = ".dat"
SCHEMES = ("file-service://", "sediment://")
_ID = re.compile(r"file[-_][0-9A-Za-z_-]+")
_POINTERS = ("asset_pointer", "image_url")
_INSIDE = ("audio_asset_pointer", "video_container_asset_pointer", "screenshot")
"""Where a pointer has its pointer."""

Fields = dict[str, Any]


def read_names(files: Iterable[SourceFile]) -> dict[str, str]:
    """Return the names of files by their ids; of two names the first counts."""
    names: dict[str, str] = {}
    for file in files:
        for identifier, name in _names_of(file):
            if len(names) >= MOST:
                return names
            names.setdefault(identifier, name)
    return names


def name_files(entries: list[Any], names: Mapping[str, str]) -> None:
    """Add the file's id and its name to the entries that lack them."""
    for entry in entries:
        if not isinstance(entry, dict):
            continue
        identifier = entry.get("id")
        if not identifier:
            identifier = entry.get("file_id") or _pointed_at(entry)
            if isinstance(identifier, str) and identifier:
                entry["id"] = identifier
        if names and isinstance(identifier, str) and not entry.get("name") and identifier in names:
            entry["name"] = names[identifier]


def _pointed_at(entry: Fields) -> str | None:
    """Return the id of the file that a pointer names, or one inside it."""
    inside = [each for name in _INSIDE if isinstance(each := entry.get(name), dict)]
    for each in (entry, *inside):
        for pointer in (each.get(name) for name in _POINTERS):
            if isinstance(pointer, str) and pointer.startswith(SCHEMES):
                address = pointer.partition("://")[2]
                known = _ID.search(address)
                return known[0] if known else re.split("[#?/]", address, maxsplit=1)[0] or None
    return None


def _names_of(file: SourceFile) -> Iterator[tuple[str, str]]:
    """Yield ids and names; a file that breaks off gives those before."""
    try:
        with file.open(counting=False) as stream:
            for element in JsonStream(stream):
                if not isinstance(element, Element):
                    return
                value = decode_value(element.data).value
                if isinstance(value, dict):
                    yield from _names_in(value)
    except (InvalidInputError, StorageError):
        return


def _names_in(value: Fields) -> Iterator[tuple[str, str]]:
    listed = value.get("file_id"), value.get("file_name")
    if isinstance(listed[0], str):
        if isinstance(listed[1], str) and listed[1]:
            yield listed[0], listed[1]
        return
    for key, name in value.items():
        if key.endswith(_SUFFIX) and isinstance(name, str) and name:
            yield key.removesuffix(_SUFFIX), name
