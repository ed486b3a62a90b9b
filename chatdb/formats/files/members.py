"""The files of a zip or a folder: safe names, limits on their number, and their order."""

import re
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO

from chatdb.errors import InvalidInputError
from chatdb.formats.files.streams import MAX_RATIO, RATIO_COUNTS_FROM

MAX_MEMBERS = 100_000
"""More than any export has; a list of this size takes some 50 MB."""
MAX_FOLDER_DEPTH = 8

_USUAL_ENTRY = 128
"""Bytes of a member in an archive's list: one of fewer than 46 takes 500 of memory."""
_DRIVE = re.compile(r"[A-Za-z]:")
_DIGITS = re.compile(r"(\d+)")

OnLeftOut = Callable[[Path, str], object]


def open_zip(handle: IO[bytes], *, name: str) -> zipfile.ZipFile:
    """Open a zip for reading; raises InvalidInputError if it is damaged or too large.

    The size of its list is checked before the list is read into memory.
    """
    # zipfile reads the whole list into memory before it can be counted.
    if _list_size(handle) > MAX_MEMBERS * _USUAL_ENTRY:
        raise InvalidInputError(f"{name} has more members than any chat export")
    try:
        return zipfile.ZipFile(handle)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise InvalidInputError(f"{name} is a damaged zip archive: {error}") from error


def safe_members(
    archive: zipfile.ZipFile, *, name: str, packed_size: int
) -> dict[str, zipfile.ZipInfo]:
    """Return the files of a zip by name; `packed_size` is the archive's own.

    Raises InvalidInputError if a member would be unpacked outside the archive's folder or is a
    link, if there are too many, or if all together unpack to more than the limit for bombs: such an
    archive is malicious, and nothing in it is trusted.
    """
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise InvalidInputError(f"{name} has {len(infos)} members: more than any chat export")
    total = sum(info.file_size for info in infos)
    if total > RATIO_COUNTS_FROM and total > MAX_RATIO * packed_size:
        raise InvalidInputError(
            f"{name} unpacks to more than {MAX_RATIO} times its size ({total} bytes): it looks like"
            " a decompression bomb",
            hint="if you trust it, unpack it yourself and give chatdb the unpacked folder",
        )
    files: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        # Windows programs write zips with backslashes, and ..\ leads out as ../ does.
        path = info.filename.replace("\\", "/")
        if path.startswith("/") or _DRIVE.match(path) or ".." in path.split("/"):
            raise InvalidInputError(f"{name} has a member with an unsafe path: {info.filename!r}")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise InvalidInputError(f"{name} has a member that is a link: {info.filename!r}")
        if not path.endswith("/"):
            files[path] = info
    return files


def folder_files(folder: Path, on_left_out: OnLeftOut) -> dict[str, Path]:
    """Return the regular files under a folder by relative name; unreadable subfolders are skipped.

    `on_left_out` receives what is not read: folders too deep or behind links, and what cannot be
    listed. Raises OSError for the folder itself.
    """
    found: dict[str, Path] = {}
    pending = [(folder, 0)]
    while pending:
        here, depth = pending.pop()
        try:
            paths = list(here.iterdir())
        except OSError as error:
            if here is folder:
                raise
            on_left_out(here, f"a folder that cannot be read: {error.strerror or error}")
            continue
        for path in paths:
            if path.is_dir():
                # It may lead to the folder above, and so round in a circle.
                if path.is_symlink():
                    on_left_out(path, "a link to a folder: import that folder by itself")
                elif depth == MAX_FOLDER_DEPTH:
                    on_left_out(path, f"a folder more than {depth} levels down")
                else:
                    pending.append((path, depth + 1))
            elif path.is_file():
                found[path.relative_to(folder).as_posix()] = path
            else:
                on_left_out(path, "not a readable file: a broken link, a pipe or a device")
    return found


def natural(name: str) -> list[tuple[int, str]]:
    """Order `conversations-9` before `conversations-10`; a key for sorting."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(name)]


def _list_size(handle: IO[bytes]) -> int:
    """Return the bytes of a zip's list of members according to its end, 0 if it has no end."""
    end = handle.seek(0, 2)
    # The end record is 22 bytes, and a comment of up to 65,535 follows it.
    handle.seek(max(0, end - 66_000))
    tail = handle.read()
    at = tail.rfind(b"PK\x05\x06")
    try:
        size = int(struct.unpack_from("<L", tail, at + 12)[0]) if at >= 0 else 0
        # ZIP64: the true size stands in a record before.
        if size == 0xFFFFFFFF:
            handle.seek(struct.unpack_from("<Q", tail, at - 12)[0])
            size = int(struct.unpack_from("<Q", handle.read(48), 40)[0])
    except (struct.error, OSError, ValueError):
        return 0
    return size
