"""Which file of an export an entry of a message's attachments means.

An entry names a file by an id (`id`, `asset_pointer`, `file_uuid` ...), and the export's file has a
name that begins with it: `file-abc-photo.png`, `file-abc.dat`, `file_00ab-sanitized.png`, in
whatever folder or archive. An entry without such a file may have one of its own name.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from chatdb.formats.files.source_files import RawFile

_IDS = ("id", "file_id", "asset_pointer", "file_uuid", "document_id", "uuid")
_NAMES = ("name", "file_name", "filename", "title")
_SIZES = ("size", "file_size", "size_bytes")
_DEPTH = 3
"""Levels of an entry that are searched for ids: a recording has those of its sound and pictures."""
_SHORTEST = 6
"""Characters of an id: what is shorter begins the names of many files."""
_MOST_STARTS = 16
_WORD_END = re.compile(r"(?<=[0-9A-Za-z])(?=[^0-9A-Za-z])")
_POINTER = re.compile(r"[a-z][a-z-]*://([^#?/]+)")


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that an entry means: its place among the entries, and its name for people.

    `is_named` says that the entry tells the name: else it is a part of the file's own.
    """

    position: int
    name: str
    file: RawFile
    is_named: bool = True


class FileIndex:
    """The files of exports by what entries call them, the first of each name."""

    def __init__(self, files: Iterable[RawFile] = ()) -> None:
        self._starts: dict[str, RawFile] = {}
        self._whole: dict[str, RawFile] = {}
        self._names: dict[str, list[RawFile]] = {}
        self.add(files)

    def add(self, files: Iterable[RawFile]) -> None:
        """Add the files of another source."""
        for file in files:
            base = base_name(file)
            starts = [base[: match.start()] for match in _WORD_END.finditer(base)]
            for start in starts[:_MOST_STARTS]:
                if len(start) >= _SHORTEST:
                    self._starts.setdefault(start, file)
            stem, _, _ = base.rpartition(".")
            self._whole.setdefault(stem or base, file)
            self._starts.setdefault(base, file)
            # JSON that an entry only names may be the export's own, about the person.
            if not file.is_json:
                self._names.setdefault(base, []).append(file)

    @property
    def is_empty(self) -> bool:
        """Tell whether there are no files."""
        return not self._starts

    def find(self, entry: Any) -> RawFile | None:
        """Return the file that an entry means, None if it is not there."""
        for identifier in ids_of(entry):
            found = self._whole.get(identifier) or self._starts.get(identifier)
            if found is not None:
                return found
        name = name_of(entry)
        alike = self._names.get(name, ()) if name is not None else ()
        return alike[0] if len(alike) == 1 and _fits(entry, alike[0]) else None


def files_of(entries: Any, index: FileIndex) -> list[Attached]:
    """Return the files of a message by ascending position; one that two entries mean, once.

    Of the two that one counts which names it.
    """
    found: dict[str, Attached] = {}
    named: set[str] = set()
    for position, entry in enumerate(entries_of(entries)):
        file = index.find(entry)
        if file is None or file.name in named:
            continue
        name = name_of(entry)
        if name is not None:
            named.add(file.name)
        if name is not None or file.name not in found:
            shown = name or _without_id(base_name(file), entry)
            found[file.name] = Attached(position, shown, file, name is not None)
    return sorted(found.values(), key=lambda each: each.position)


def missing_files(entries: Any, index: FileIndex) -> int:
    """Count the entries that name a file by an id which no file of the export has."""
    return sum(
        any(True for _ in ids_of(entry)) and index.find(entry) is None
        for entry in entries_of(entries)
    )


def base_name(file: RawFile) -> str:
    """Return the last part of a file's place: `a.zip:dir/b.png` is `b.png`."""
    return re.split(r"[/\\:]", file.name)[-1]


def name_of(entry: Any) -> str | None:
    """Return the name of an entry as its source tells it."""
    for key in _NAMES if isinstance(entry, dict) else ():
        name = entry.get(key)
        if isinstance(name, str) and name.strip():
            return name
    return None


def ids_of(entry: Any) -> Iterator[str]:
    """Yield the ids by which an entry may name a file, the outer ones first."""
    pending: list[tuple[int, Any]] = [(0, entry)]
    for depth, value in pending:
        if isinstance(value, list):
            pending += [(depth + 1, each) for each in value if depth < _DEPTH]
        if not isinstance(value, dict):
            continue
        for key in _IDS:
            text = value.get(key)
            if isinstance(text, str) and len(identifier := _id_in(text)) >= _SHORTEST:
                yield identifier
        pending += [
            (depth + 1, each)
            for each in value.values()
            if depth < _DEPTH and isinstance(each, dict | list)
        ]


def _id_in(text: str) -> str:
    """Return the id of a pointer (`sediment://file_00ab`), or the text itself."""
    pointer = _POINTER.match(text)
    return text if pointer is None else pointer[1]


def entries_of(entries: Any) -> Sequence[Any]:
    """Return the entries of a message's attachments, which may be a single one or none."""
    if entries is None:
        return ()
    return entries if isinstance(entries, list) else (entries,)


def _fits(entry: Any, file: RawFile) -> bool:
    """Tell whether a file has the size that an entry gives, if it gives any."""
    sizes = [entry.get(key) for key in _SIZES]
    told = [size for size in sizes if isinstance(size, int) and not isinstance(size, bool)]
    return not told or file.size in told


def _without_id(base: str, entry: Any) -> str:
    """Return a file's own name without the id that it begins with."""
    for identifier in ids_of(entry):
        rest = base.removeprefix(identifier)
        if rest != base and rest.startswith("-") and len(rest) > 1:
            return rest[1:]
    return base
