"""The user's editor, for a file of theirs."""

import shlex
import shutil
import subprocess
from pathlib import Path

from chatdb import config as settings
from chatdb.errors import ProgramMissingError, StorageError

_USUAL = ("editor", "nano", "vi")


def edit_file(path: Path) -> None:
    """Run the editor on a file and wait until it is closed.

    Raises ProgramMissingError if there is none, StorageError if it fails.
    """
    typed = settings.editor()
    found = next((name for name in _USUAL if shutil.which(name)), None)
    words = shlex.split(typed) if typed is not None else [found] if found else []
    if not words or shutil.which(words[0]) is None:
        raise ProgramMissingError(
            f"there is no editor {words[0]!r}" if words else "there is no editor",
            hint="name one in EDITOR, or: chatdb config set NAME VALUE",
        )
    code = subprocess.run([*words, str(path)], check=False).returncode
    if code != 0:
        raise StorageError(f"the editor {words[0]} ended with exit code {code}")
