"""Which files of an export archive or folder hold conversations, and which names are unsafe."""

import re
import stat
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from chatdb.errors import InvalidInputError

MAX_MEMBERS = 1_000_000
MAX_FOLDER_DEPTH = 4

_CONVERSATIONS = re.compile(r"conversations(-\d+)?\.jsonl?(\.gz|\.zst)?", re.IGNORECASE)
_READABLE = re.compile(r".+\.(json|jsonl|ndjson)(\.gz|\.zst)?", re.IGNORECASE)
_DRIVE = re.compile(r"[A-Za-z]:")
_DIGITS = re.compile(r"(\d+)")


def choose(names: Sequence[str], *, packed: bool) -> tuple[list[str], list[str]]:
    """Split names into those to read, in order, and the rest.

    The conversations of an export, split or not, in any folder; where there are none, every
    JSON and JSON Lines file. Hidden files and macOS resource forks never count, nor compressed
    files unless `packed`.
    """
    visible = [name for name in names if not _is_hidden(name)]
    if not packed:
        visible = [name for name in visible if not name.lower().endswith((".gz", ".zst"))]
    chosen = [name for name in visible if _CONVERSATIONS.fullmatch(_base(name))]
    if not chosen:
        chosen = [name for name in visible if _READABLE.fullmatch(_base(name))]
    wanted = set(chosen)
    return sorted(chosen, key=_natural), sorted(name for name in names if name not in wanted)


def safe_members(archive: zipfile.ZipFile, *, name: str) -> dict[str, zipfile.ZipInfo]:
    """Return the files of a zip by name.

    Raises InvalidInputError when a member would leave the archive's folder if it were unpacked,
    is a link, is encrypted, or when there are too many: such an archive was made to do harm or
    cannot be read, and nothing in it is trusted.
    """
    infos = archive.infolist()
    if len(infos) > MAX_MEMBERS:
        raise InvalidInputError(f"{name} has {len(infos)} members: more than any chat export")
    files: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        path = info.filename.replace("\\", "/")
        if path.startswith("/") or _DRIVE.match(path) or ".." in path.split("/"):
            raise InvalidInputError(f"{name} has a member with an unsafe path: {info.filename!r}")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise InvalidInputError(f"{name} has a member that is a link: {info.filename!r}")
        if not path.endswith("/"):
            files[path] = info
    return files


def folder_files(folder: Path) -> dict[str, Path]:
    """Return the regular files under a folder, at most a few levels deep, by relative name."""
    found: dict[str, Path] = {}
    pending = [(folder, 0)]
    while pending:
        here, depth = pending.pop()
        for path in here.iterdir():
            if path.is_dir():
                if depth < MAX_FOLDER_DEPTH and not path.is_symlink():
                    pending.append((path, depth + 1))
            elif path.is_file():
                found[path.relative_to(folder).as_posix()] = path
    return found


def _base(name: str) -> str:
    return PurePosixPath(name).name


def _is_hidden(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return any(part.startswith(".") or part == "__MACOSX" for part in parts)


def _natural(name: str) -> list[tuple[int, str]]:
    """Order `conversations-9` before `conversations-10`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _DIGITS.split(name)]
