"""Running code without the rights of root, where the tests run as root."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# All imports come first: the other user may not be able to read the packages.
_DROP = """
import os, sys
from pathlib import Path
import chatdb.formats.files.outputs, chatdb.formats.registry, chatdb.formats.files.sources
from chatdb.errors import StorageError
list(chatdb.formats.registry.readers())
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    exec(sys.argv[2])
except StorageError as error:
    print(error.text)
else:
    sys.exit("no error")
"""


@contextmanager
def unprivileged_folder() -> Iterator[Path]:
    """Yield a folder that every user may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def error_without_rights(code: str, path: Path) -> str:
    """Run code with a path as its first argument as nobody; return its StorageError's text."""
    process = subprocess.run(
        [sys.executable, "-c", _DROP, path, code], capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    return process.stdout
