"""Files that chatdb adds to a project that uses it: written atomically, never over others."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import chatdb
from chatdb.errors import StorageError, UsageError
from chatdb.formats.files.outputs import open_output
from chatdb.servers.compose.file import FILE_NAME, shipped_compose_file

Action = Literal["written", "replaced", "extended", "kept", "unchanged"]

ENV_EXAMPLE = ".env.example"
GITIGNORE = ".gitignore"
PRODUCTION_FILES = ("docker-compose.production.yml", "Dockerfile.chatdb")
IGNORED = (
    ".env",
    ".env.partial",
    ".chatdb/",
    "data/chatdb.db*",
    "*.before_[0-9]*Z.db*",
    "*_before_restore_[0-9]*",
    "chatdb-deleted/",
    "backups/",
)
"""Files with passwords or chats, which do not belong in a repository: everything chatdb writes.

Copies of a file before a migration or a restore are beside it, wherever that is.
"""

_TEMPLATES = Path(chatdb.__file__).parent / "project_files"
_PUBLIC_MODE = 0o644
_MOST_OLD = 1000


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """The outcome for one file; `kept`: a different one exists, and was left unchanged.

    `old` is where the replaced file went; `missing` are the lines that a kept `.gitignore` lacks.
    """

    path: str
    action: Action
    old: str | None = None
    missing: tuple[str, ...] = ()


def put_file(path: Path, text: str, *, force: bool, dry_run: bool = False) -> ProjectFile:
    """Write the file unless another exists; with `force` that one is kept as `NAME.old`.

    If that name is taken it is `NAME.old.2` and so on. Raises StorageError.
    """
    data = text.encode()
    if path.exists() and not path.is_file():
        raise StorageError(
            f"{path} already exists and is not a regular file", hint="move it away first"
        )
    try:
        found = path.read_bytes() if path.is_file() else None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}") from error
    if found == data:
        return ProjectFile(str(path), "unchanged")
    if found is not None and not force:
        return ProjectFile(str(path), "kept")
    old = None if found is None else _name_for_old(path, found)
    if not dry_run:
        if old is not None and found is not None:
            _write(old, found)
        _write(path, data)
    return ProjectFile(
        str(path), "written" if old is None else "replaced", None if old is None else str(old)
    )


def _name_for_old(path: Path, data: bytes) -> Path:
    """Return the first name that is free, or has these bytes already."""
    names = (f"{path.name}.old", *(f"{path.name}.old.{number}" for number in range(2, _MOST_OLD)))
    for place in map(path.with_name, names):
        if not os.path.lexists(place) or (place.is_file() and place.read_bytes() == data):
            return place
    raise StorageError(f"{path}.old and many more already exist", hint="remove some of them")


def init_project(
    folder: Path,
    env_example: str,
    *,
    production: bool,
    force: bool,
    dry_run: bool,
    database: Path | None = None,
) -> list[ProjectFile]:
    """Add the development compose file and `.env.example` to a project.

    `production` adds the compose file for production and the files to build chatdb's image. In a
    git repository `.gitignore` gets what must not be committed, including the file `database` if it
    is in the project; an existing `.gitignore` only with `force`. With `dry_run` nothing is
    written, the folder is not created, and the answer is the same. Raises UsageError if the folder
    is a file, StorageError.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", hint="give the project's folder")
    if not dry_run:
        folder.mkdir(parents=True, exist_ok=True)
    files = [
        put_file(folder / name, text, force=force, dry_run=dry_run)
        for name, text in _texts(env_example, production=production)
    ]
    if (folder / GITIGNORE).exists() or _is_repository(folder):
        lines = (*IGNORED, *_lines_of(database, folder))
        files.append(_ignore(folder / GITIGNORE, lines, force=force, dry_run=dry_run))
    return files


def _texts(env_example: str, *, production: bool) -> Iterator[tuple[str, str]]:
    yield FILE_NAME, shipped_compose_file().read_text(encoding="utf-8")
    yield ENV_EXAMPLE, env_example
    for name in PRODUCTION_FILES if production else ():
        yield name, (_TEMPLATES / name).read_text(encoding="utf-8")


def _lines_of(database: Path | None, folder: Path) -> Iterator[str]:
    """Yield patterns that make git ignore a SQLite file in the project and the files beside it."""
    if database is None:
        return
    path, root = database.absolute(), folder.absolute()
    if path.is_relative_to(root):
        name = re.sub(r"([][*?!#\\ ])", r"\\\1", path.relative_to(root).as_posix())
        if f"{name}*" not in IGNORED:
            yield f"{name}*"


def _ignore(path: Path, ignored: Sequence[str], *, force: bool, dry_run: bool) -> ProjectFile:
    """Add the missing lines after the existing ones."""
    found = path.read_bytes() if path.exists() else b""
    present = {
        line.strip().removeprefix("/") for line in found.decode(errors="replace").split("\n")
    }
    missing = tuple(line for line in ignored if not _covers(present, line))
    if not missing:
        return ProjectFile(str(path), "unchanged")
    if found and not force:
        return ProjectFile(str(path), "kept", missing=missing)
    if not dry_run:
        ending = b"" if not found or found.endswith(b"\n") else b"\n"
        _write(path, found + ending + "".join(f"{line}\n" for line in missing).encode())
    return ProjectFile(str(path), "extended" if found else "written")


def _covers(present: set[str], line: str) -> bool:
    """Tell whether a line of the file covers it: `data/` covers the database in it."""
    folder = line.partition("/")[0]
    return not present.isdisjoint({line, line.rstrip("/"), f"{folder}/", folder})


def _is_repository(folder: Path) -> bool:
    place = folder.absolute()
    return any((parent / ".git").exists() for parent in (place, *place.parents))


def _write(path: Path, data: bytes) -> None:
    """Write completely or not at all; nothing in these files is secret."""
    with open_output(path) as stream:
        stream.write(data)
    if path.is_file():
        path.chmod(_PUBLIC_MODE)


def lines_to_add(files: Sequence[ProjectFile]) -> list[str]:
    """Return the lines that a kept `.gitignore` lacks."""
    return [line for file in files for line in file.missing]
