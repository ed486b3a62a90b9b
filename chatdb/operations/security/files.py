"""Checks which files with chats or passwords other users of this machine can read."""

import shlex
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from chatdb.operations.doctor.public import Check, Finding, error, ok, warning

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_ENTER = stat.S_IXGRP | stat.S_IXOTH
_BESIDE = ("-wal", "-shm", "-journal")
_SHOWN = 3
_MOST = 100_000
"""Files of a folder that are checked; problems of backups affect the first ones too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuredFiles:
    """Where files may be: the project's folder, a database file, backups, saved deletions ..."""

    folder: Path
    database: Path | None
    backups: tuple[Path, ...]
    kept: tuple[Path, ...]
    attachments: tuple[Path, ...] = ()


def _database(files: SecuredFiles) -> Iterator[Finding]:
    if files.database is None:
        return
    path = files.database
    if not path.exists():
        yield ok(f"{path} does not exist yet; a new file is accessible to its owner only")
        return
    open_ones = _open([path, *(path.with_name(path.name + ending) for ending in _BESIDE)])
    if open_ones:
        yield error(
            f"other users of this machine can open {_named(open_ones)}, which contains all chats",
            f"chmod 600 {_quoted(open_ones)}",
        )
    else:
        yield ok(f"only its owner can open {path} and the files beside it")


def _copies(files: SecuredFiles) -> Iterator[Finding]:
    """Check the copies of a database file beside it, made by migrations or by hand."""
    if files.database is None or not files.database.parent.is_dir():
        return
    path = files.database
    own = {path.name, *(path.name + ending for ending in _BESIDE)}
    copies = (
        each
        for each in path.parent.iterdir()
        if each.name.startswith(path.stem) and each.name not in own and each.is_file()
    )
    open_ones = _open(copies)
    if open_ones:
        yield warning(
            f"other users can open copies of the database: {_named(open_ones)}",
            f"chmod 600 {_quoted(open_ones)}",
        )
    else:
        yield ok(f"other users cannot open any copy beside {path}")


def _backups(files: SecuredFiles) -> Iterator[Finding]:
    yield from _folders("backups", files.backups)


def _kept(files: SecuredFiles) -> Iterator[Finding]:
    yield from _folders("saved deletions", files.kept)


def _attachments(files: SecuredFiles) -> Iterator[Finding]:
    yield from _folders("kept attachments", files.attachments)


def _folders(what: str, folders: Iterable[Path]) -> Iterator[Finding]:
    present = [folder for folder in folders if folder.is_dir()]
    found = [path for folder in present for path in _open(_files_below(folder))]
    if found:
        yield warning(
            f"other users can open {what}: {_named(found)}",
            f"chmod -R go= {_quoted(dict.fromkeys(_top_of(path, present) for path in found))}",
        )
    elif present:
        yield ok(f"only their owner can open {what} in {_named(present)}")


def _environment(files: SecuredFiles) -> Iterator[Finding]:
    """Check `.env` and the like; an example file contains no secret."""
    settings = [
        path
        for path in files.folder.glob(".env*")
        if path.is_file() and "example" not in path.name and "sample" not in path.name
    ]
    open_ones = _open(settings)
    if open_ones:
        yield warning(
            f"other users can open {_named(open_ones)}, which contains passwords",
            f"chmod 600 {_quoted(open_ones)}",
        )
    elif settings:
        yield ok(f"only its owner can open {_named(settings)}")


def _files_below(folder: Path) -> Iterator[Path]:
    count = 0
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path
            count += 1
            if count >= _MOST:
                return


def _open(paths: Iterable[Path]) -> list[Path]:
    """Return those that other users can open, reaching them through their folder."""
    found = []
    for path in paths:
        try:
            mode = path.stat().st_mode
            folder = path.absolute().parent.stat().st_mode
        except OSError:
            continue
        if mode & _OTHERS and folder & _ENTER:
            found.append(path)
    return found


def _top_of(path: Path, folders: Iterable[Path]) -> Path:
    return next(folder for folder in folders if path.is_relative_to(folder))


def _named(paths: Iterable[Path]) -> str:
    names = [str(path) for path in paths]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _quoted(paths: Iterable[Path]) -> str:
    return " ".join(shlex.quote(str(path)) for path in list(paths)[:_SHOWN])


FILE_SECURITY: tuple[Check[SecuredFiles], ...] = (
    Check("database-file", _database),
    Check("database-copies", _copies),
    Check("backup-files", _backups),
    Check("kept-files", _kept),
    Check("attachment-files", _attachments),
    Check("settings-files", _environment),
)
"""The checks of files, in this order."""
