"""Folders that chatdb creates for its own files: git ignores what is in them."""

import os
from contextlib import suppress
from pathlib import Path

IGNORE_FILE = ".gitignore"
_EVERYTHING = b"*\n"


def make_own_folder(folder: Path, *, mode: int = 0o777) -> bool:
    """Make a folder for files with chats or passwords; tell whether it was missing.

    It gets a `.gitignore` of `*`. An existing one is unchanged: it may belong to someone else.
    Raises OSError.
    """
    if folder.is_dir():
        return False
    folder.mkdir(mode=mode, parents=True, exist_ok=True)
    ignore_all_in(folder)
    return True


def ignore_all_in(folder: Path) -> None:
    """Have git ignore what is in a folder, unless that has a `.gitignore`. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with (
        suppress(FileExistsError),
        os.fdopen(os.open(folder / IGNORE_FILE, flags, 0o600), "wb") as file,
    ):
        file.write(_EVERYTHING)


def remove_own_folder(folder: Path) -> None:
    """Remove a folder that contains nothing but what `make_own_folder` put there."""
    with suppress(OSError):
        if [entry.name for entry in folder.iterdir()] == [IGNORE_FILE]:
            (folder / IGNORE_FILE).unlink()
        # Fails for a folder with anything in it, as it should.
        folder.rmdir()
