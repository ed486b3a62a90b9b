"""The user's editor, for a file of theirs."""

import shutil
import subprocess
from pathlib import Path

from chatdb import config as settings
from chatdb.cli.paging import words_of
from chatdb.errors import ProgramMissingError, StorageError

_USUAL = ("editor", "nano", "vi")


def edit_file(path: Path) -> None:
    """Run the editor on a file and wait until it is closed.

    Raises ProgramMissingError if there is none, StorageError if it fails.
    """
    typed = settings.editor()
    found = next((name for name in _USUAL if shutil.which(name)), None)
    words = words_of(typed) if typed is not None else [found] if found else []
    try:
        code = subprocess.run([*words, str(path)], check=False).returncode if words else None
    except OSError:
        code = None
    if code is None:
        raise ProgramMissingError(
            f"there is no editor {typed!r}" if typed else "there is no editor",
            hint="name one in EDITOR, or: chatdb config set NAME VALUE",
        )
    if code != 0:
        raise StorageError(f"the editor {words[0]} ended with exit code {code}")
