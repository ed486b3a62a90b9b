"""Which reader reads which file of a source, and why the others are left out."""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from chatdb.errors import InvalidInputError, StorageError
from chatdb.formats import registry
from chatdb.formats.base import FolderReader, IgnoredFile, Reader, Sample
from chatdb.formats.chat_files import SOURCE as CHAT_FILES
from chatdb.formats.files.sampling import MAX_VALUES, sample_of, seen
from chatdb.formats.files.source_files import SourceFile, folder_of
from chatdb.formats.files.sources import Source
from chatdb.formats.products import FILE_NAMES, product_among, product_named

_LARGE = 1 << 20
"""From this size on the first value is checked before the first fifty are read."""
# A list of a million objects would take as long as reading it; beyond, a file is called wordy.
_NODES = 10_000
_WORDY = re.compile(
    r"(?:answer|body|chat|comment|content|conversation|message|note|part|prompt|question|reply"
    r"|response|said|text|transcript|utterance)s?",
    re.IGNORECASE,
)
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Part:
    """Files of a source that one reader reads."""

    reader: Reader
    source: Source


@dataclass(frozen=True, slots=True)
class Sorted:
    """A source by what is read of it, and by which reader; `ignored` are all other files."""

    parts: tuple[Part, ...]
    ignored: tuple[IgnoredFile, ...]

    @property
    def reader_names(self) -> str:
        """The names of the readers in a few words."""
        return ", ".join(part.reader.name for part in self.parts)


def sort_files(source: Source, wanted: Reader | None = None) -> Sorted:
    """Return the readers and their files; `wanted` is tried alone, and gets all files if unsure.

    A file is read by the first reader that recognises it. Raises InvalidInputError that says what
    was seen if no reader recognises any.
    """
    # A single file was meant: what is wrong with it is an error, not a line in a list.
    if len(source.files) == 1 and not source.ignored:
        return Sorted((Part(wanted or registry.detect(source), source),), ())
    sorting = _Sorting(wanted)
    for file in source.files:
        sorting.place(file)
    if not sorting.files:
        only = replace(source, beside=())
        return Sorted((Part(wanted or registry.detect(source), only),), source.ignored)
    beside = sorting.take_beside(source.beside)
    names = tuple(stray.file for stray in sorting.strays if stray.has_names)
    parts = tuple(
        Part(
            reader,
            replace(source, files=tuple(files), ignored=(), beside=beside.get(reader.name, names)),
        )
        for reader, files in sorting.in_order(source)
    )
    for stray in sorting.strays:
        stray.file.pass_over()
    taken = {file.name for files in beside.values() for file in files}
    for text in source.beside:
        if text.name not in taken:
            text.pass_over()
    ignored = (*source.ignored, *(stray.ignored for stray in sorting.strays))
    return Sorted(parts, tuple(each for each in ignored if each.place not in taken))


def require_readable(source: Source) -> None:
    """Raise InvalidInputError that says what was seen unless a reader recognises a file."""
    sorting = _Sorting(None)
    for file in source.files:
        sorting.place(file)
        if sorting.files:
            return
    registry.detect(source)


@dataclass(frozen=True, slots=True)
class _Stray:
    """A file that no reader recognises; `is_known` says that it is another product's.

    `has_names` says that it has the names of files of the conversations beside it.
    """

    file: SourceFile
    ignored: IgnoredFile
    is_known: bool = False
    has_names: bool = False


class _Sorting:
    """Files by their readers, in the order in which readers were first needed."""

    def __init__(self, wanted: Reader | None) -> None:
        self._readers = list(registry.readers())
        self._asked = self._readers if wanted is None else [wanted]
        self.files: dict[str, list[SourceFile]] = {}
        self.strays: list[_Stray] = []

    def place(self, file: SourceFile) -> None:
        """Assign a file to the reader that recognises it, or to none."""
        try:
            sample = sample_of(file, most=1 if file.size > _LARGE else MAX_VALUES)
            found = _recognising(self._asked, sample)
            if found is None and file.size > _LARGE:
                sample = sample_of(file)
                found = _recognising(self._asked, sample)
        except (InvalidInputError, StorageError) as error:
            reason = error.text.removeprefix(f"{file.name} ").removeprefix("is ")
            self.strays.append(_Stray(file, IgnoredFile(file.name, reason, holds_words=True)))
            return
        if found is None:
            self.strays.append(self._stray(file, sample))
        else:
            self.files.setdefault(found.name, []).append(file)

    def take_beside(self, texts: Iterable[SourceFile]) -> dict[str, tuple[SourceFile, ...]]:
        """Return, by reader, the files that lie beside its own: nobody else reads them."""
        taken: dict[str, tuple[SourceFile, ...]] = {}
        for reader in self._readers:
            own = self.files.get(reader.name, ())
            if isinstance(reader, FolderReader) and own:
                folders = {folder_of(file.name) for file in own}
                its, _ = _parted(texts, reader, folders)
                taken[reader.name] = (*its, *self._moved(reader, folders))
        return taken

    def _moved(self, reader: FolderReader, folders: AbstractSet[str]) -> list[SourceFile]:
        """Take JSON files beside a reader's own from the other readers, and from the strays."""
        moved: list[SourceFile] = []
        for name in [name for name in self.files if name != reader.name]:
            its, others = _parted(self.files.pop(name), reader, folders)
            moved += its
            if others:
                self.files[name] = others
        its, _ = _parted([each.file for each in self.strays], reader, folders)
        names = {file.name for file in its}
        self.strays = [each for each in self.strays if each.file.name not in names]
        return moved + its

    def in_order(self, source: Source) -> Iterable[tuple[Reader, list[SourceFile]]]:
        """Yield each reader with its files, the index and the broken ones of a folder of chats."""
        self._adopt()
        place = {file.name: number for number, file in enumerate(source.files)}
        for name, files in self.files.items():
            reader = next(each for each in self._readers if each.name == name)
            yield reader, sorted(files, key=lambda file: place[file.name])

    def _adopt(self) -> None:
        """Give the reader of chat files the unrecognised ones beside them: one may be an index."""
        theirs = self.files.get(CHAT_FILES)
        if theirs is None:
            return
        beside = {_folder_and_suffix(file) for file in theirs}
        kept = []
        for stray in self.strays:
            if stray.is_known or _folder_and_suffix(stray.file) not in beside:
                kept.append(stray)
            else:
                theirs.append(stray.file)
        self.strays = kept

    def _stray(self, file: SourceFile, sample: Sample) -> _Stray:
        """Return why no reader reads a file, and whether it may contain people's words."""
        other = _recognising(self._readers, sample)
        if other is not None:
            reason = f"of the format {other.name}: import it without --from"
            return _Stray(file, IgnoredFile(file.name, reason, holds_words=True), is_known=True)
        product = product_among(sample.values, sample.head) or product_named(file.name)
        if product is not None:
            ignored = IgnoredFile(file.name, product.reason, product.holds_words)
            return _Stray(file, ignored, is_known=True, has_names=product is FILE_NAMES)
        reason = seen("it", sample).removeprefix("it is ").removeprefix("it ")
        holds_words = _has_words(sample.values) if sample.values else sample.trouble is not None
        return _Stray(file, IgnoredFile(file.name, reason, holds_words))


def _recognising(readers: list[Reader], sample: Sample) -> Reader | None:
    return next((each for each in readers if each.recognises(sample)), None)


def _has_words(values: tuple[Any, ...]) -> bool:
    """Tell whether there is text under keys where programs store what people say."""
    pending: list[tuple[bool, Any]] = [(False, value) for value in values]
    for _ in range(_NODES):
        if not pending:
            return False
        wordy, value = pending.pop()
        if isinstance(value, str):
            if wordy and _LETTER.search(value):
                return True
        elif isinstance(value, dict):
            pending += [
                (_WORDY.fullmatch(str(key)) is not None, inner) for key, inner in value.items()
            ]
        elif isinstance(value, list):
            pending += [(wordy, inner) for inner in value]
    return True


def _parted(
    files: Iterable[SourceFile], reader: FolderReader, folders: AbstractSet[str]
) -> tuple[list[SourceFile], list[SourceFile]]:
    """Return the files that lie beside a reader's own in these folders, and the others."""
    its: list[SourceFile] = []
    others: list[SourceFile] = []
    for file in files:
        is_its = not folders.isdisjoint(reader.folders_beside(file.name))
        (its if is_its else others).append(file)
    return its, others


def _folder_and_suffix(file: SourceFile) -> tuple[str, str]:
    """Return the folder or archive of a file, and its extension."""
    return folder_of(file.name), PurePath(file.name).suffix
