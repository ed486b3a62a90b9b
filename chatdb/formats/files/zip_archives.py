"""Zip archives, also nested ones: members as streams, nothing extracted under a name.

A zip inside a zip is read in place if it is stored uncompressed, otherwise it is unpacked to an
anonymous temporary file, because reading it needs seeking.
"""

import io
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from struct import unpack_from
from typing import IO, cast

from chatdb.errors import InvalidInputError, StorageError
from chatdb.formats.files import file_kinds as first_bytes
from chatdb.formats.files.file_kinds import FileLook
from chatdb.formats.files.members import MAX_MEMBERS, natural, open_zip, safe_members
from chatdb.formats.files.source_files import UNREADABLE, FoundFile, Opener, SourceFile
from chatdb.formats.files.streams import (
    BUFFER,
    PACKED_BUFFER,
    CountedStream,
    OnBytes,
    UnpackedStream,
    Utf8Stream,
    unpacked,
    utf8_stream,
)
from chatdb.primitives.roomy_folder import roomy_folder

MAX_LEVELS = 2
"""Levels of archives within the given one, or within a given folder."""
MAX_ARCHIVES = 300
"""Each is a file that stays open."""

_LOCAL_HEADER = 30
_LOOK = _LOCAL_HEADER + 1024 + first_bytes.ENOUGH
_NOT_CHATS = ("[Content_Types].xml", "META-INF/", "mimetype")
"""Members of Office documents, books and programs, which are zips too."""


@dataclass(slots=True)
class Opening:
    """Shared by the archives of one source: closing what is open, and limits."""

    stack: ExitStack
    on_bytes: OnBytes | None
    found: FoundFile = field(default_factory=lambda: FoundFile([], []))
    archives: int = 0
    members: int = 0

    def add_inner(
        self, opened: Callable[[], IO[bytes]], name: str, *, level: int, share: float = 1.0
    ) -> None:
        """Add the files of an archive in a folder or archive, or the reason why not."""
        files, ignored = len(self.found.files), len(self.found.ignored)
        if level > MAX_LEVELS or self.archives >= MAX_ARCHIVES:
            deep = f"an archive more than {MAX_LEVELS} levels down"
            reason = deep if level > MAX_LEVELS else f"one of more than {MAX_ARCHIVES} archives"
            self.found.ignore(name, f"{reason}: import it by itself", holds_words=True)
            return
        try:
            names = self.add_zip(opened(), name, level=level, share=share)
        except InvalidInputError as error:
            self.found.ignore(
                name, error.text.removeprefix(f"{name} ").removeprefix("is "), holds_words=True
            )
            return
        if len(self.found.files) == files and len(self.found.ignored) - ignored == len(names):
            self._summarise(name, names, ignored)

    def add_zip(self, handle: IO[bytes], name: str, *, level: int, share: float) -> list[str]:
        """Add the files of a zip; return the names of all of them.

        `share` is the part of the zip's size that it has in the outermost archive. Raises
        InvalidInputError for a damaged or malicious one.
        """
        self.archives += 1
        size = handle.seek(0, io.SEEK_END)
        counted = _Counted(handle)
        archive = open_zip(cast(IO[bytes], counted), name=name)
        self.stack.enter_context(archive)
        infos = safe_members(archive, name=name, packed_size=int(size * share))
        self.members += len(infos)
        if self.members > MAX_MEMBERS:
            raise InvalidInputError(f"{name} and the archives before it have too many members")
        for member in sorted(infos, key=natural):
            one = _Member(archive, counted, infos[member], f"{name}:{member}", share)
            try:
                self._add_member(one, level)
            except UNREADABLE as error:
                self.found.ignore(one.name, f"it cannot be unpacked: {error}", holds_words=True)
        return list(infos)

    def _add_member(self, member: "_Member", level: int) -> None:
        seen = member.look()
        self.found.add_raw(
            member.name,
            member.info.file_size,
            member.unpacked,
            is_json=seen.kind == "json",
        )
        if seen.kind == "archive":
            packed, size = member.info.compress_size, max(member.info.file_size, 1)
            share = member.share * min(1.0, packed / size)
            whole = partial(member.whole, self.stack)
            self.add_inner(whole, member.name, level=level + 1, share=share)
            return
        opener = member.opener(packed=seen.kind == "packed")
        file = SourceFile(member.name, member.info.file_size, opener, self.on_bytes)
        if seen.kind != "other":
            self.found.files.append(file)
            return
        self.found.ignore(member.name, seen.reason, holds_words=seen.holds_words)
        if seen.is_text:
            self.found.texts.append(file)

    def _summarise(self, name: str, names: list[str], ignored: int) -> None:
        """Replace all files of an archive without chats by one line."""
        inside = self.found.ignored[ignored:]
        if any(each.holds_words for each in inside):
            return
        del self.found.ignored[ignored:]
        if any(each.startswith(_NOT_CHATS) for each in names):
            self.found.ignore(name, "a document or program")
        else:
            self.found.ignore(name, "an archive without JSON" if names else "an empty archive")


@dataclass(frozen=True, slots=True)
class _Member:
    """A file in a zip."""

    archive: zipfile.ZipFile
    handle: "_Counted"
    info: zipfile.ZipInfo
    name: str
    share: float

    def look(self) -> FileLook:
        """Tell what it is by its first bytes."""
        head = self._head_at_once()
        if head is None:
            with self.unpacked() as stream:
                head = stream.read(first_bytes.ENOUGH)
        seen = first_bytes.look(head, self.name)
        if seen.kind != "packed":
            return seen
        with ExitStack() as stack:
            return first_bytes.look_inside(seen, self.opener(packed=True)(None, stack))

    def unpacked(self) -> zipfile.ZipExtFile:
        """Open it as it is; it is unpacked as it is read, and nothing counts how large it gets."""
        return cast(zipfile.ZipExtFile, self.archive.open(self.info))

    def opener(self, *, packed: bool) -> Opener:
        """Return a function that opens it as UTF-8; `packed` says that it is compressed itself."""

        def opened(counter: OnBytes | None, stack: ExitStack) -> Utf8Stream:
            packed_size = self._packed_size()
            try:
                member = stack.enter_context(self.unpacked())
            except UNREADABLE as error:
                raise InvalidInputError(f"{self.name} cannot be unpacked: {error}") from error
            raw = UnpackedStream(_little_of(member), name=self.name, packed_size=packed_size)
            inner: io.RawIOBase = CountedStream(cast(IO[bytes], raw), counter)
            if packed:
                inner = unpacked(inner, name=self.name, packed_size=packed_size)
            return utf8_stream(inner, name=self.name, packed_size=packed_size)

        return opened

    def whole(self, stack: ExitStack) -> IO[bytes]:
        """Return it as a seekable file."""
        # Bit 0: encrypted.
        if self.info.compress_type == zipfile.ZIP_STORED and not self.info.flag_bits & 1:
            return cast(IO[bytes], _Slice(self.handle, self._data_offset(), self.info.file_size))
        with ExitStack() as reading:
            member = reading.enter_context(self.unpacked())
            read, packed_size = _little_of(member), self._packed_size()
            raw = UnpackedStream(read, name=self.name, packed_size=packed_size)
            return spooled(io.BufferedReader(raw, BUFFER), self.name, stack)

    def _packed_size(self) -> Callable[[], int]:
        """Return a function that tells how much of the outermost archive has been read since."""
        start = self.handle.total
        # Of the outermost archive: a bomb in a bomb is small at each level.
        return lambda: int((self.handle.total - start) * self.share)

    def _head_at_once(self) -> bytes | None:
        """Return the first bytes by one read; None if only zipfile can read it.

        Opening a member takes 50 microseconds: seconds, where an export has 20,000 pictures.
        """
        method = self.info.compress_type
        if method not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or self.info.flag_bits & 1:
            return None
        self.handle.seek(self.info.header_offset)
        data = self.handle.read(_LOOK)
        if data[:4] != b"PK\x03\x04" or len(data) < _LOCAL_HEADER:
            return None
        start = _LOCAL_HEADER + sum(unpack_from("<HH", data, 26))
        packed = data[start : start + self.info.compress_size]
        if method == zipfile.ZIP_STORED:
            head = packed[: first_bytes.ENOUGH]
        else:
            head = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, first_bytes.ENOUGH)
        return head if len(head) >= min(first_bytes.ENOUGH, self.info.file_size) else None

    def _data_offset(self) -> int:
        self.handle.seek(self.info.header_offset)
        header = self.handle.read(_LOCAL_HEADER)
        if len(header) < _LOCAL_HEADER:
            raise zipfile.BadZipFile("its header is cut")
        names: int = sum(unpack_from("<HH", header, 26))
        return self.info.header_offset + _LOCAL_HEADER + names


def _little_of(member: zipfile.ZipExtFile) -> Callable[[int], bytes]:
    """Return a reader of a member; it reads ahead as many packed bytes as requested."""
    return lambda size: member.read1(min(size, PACKED_BUFFER))


class _Counted(io.RawIOBase):
    """A file that counts the bytes read; `total` is in bytes."""

    def __init__(self, handle: IO[bytes]) -> None:
        self._handle = handle
        self.total = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._handle.seek(offset, whence)

    def tell(self) -> int:
        return self._handle.tell()

    def read(self, size: int | None = -1) -> bytes:
        data = self._handle.read(-1 if size is None else size)
        self.total += len(data)
        return data


class _Slice(io.RawIOBase):
    """A part of a file, as a file of its own."""

    def __init__(self, handle: _Counted, start: int, size: int) -> None:
        self._handle, self._start, self._size = handle, start, size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base: int = (0, self._at, self._size)[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        self._handle.seek(self._start + self._at)
        data = self._handle.read(max(0, min(len(buffer), self._size - self._at)))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)


def spooled(stream: IO[bytes], name: str, stack: ExitStack) -> IO[bytes]:
    """Copy a stream that can be read only once to a file without a name.

    Raises StorageError if there is not enough space, and errors of the stream.
    """
    folder = roomy_folder()
    try:
        spool = stack.enter_context(tempfile.TemporaryFile(dir=folder))  # noqa: SIM115
        shutil.copyfileobj(stream, spool, BUFFER)
        spool.flush()
    except OSError as error:
        raise StorageError(
            f"{name} could not be kept in {folder}: {error.strerror}",
            hint="set TMPDIR to a folder with more space",
        ) from error
    return spool
