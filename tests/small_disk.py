"""A disk that is soon full: a small file system in memory, which only root can mount."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.programs import leave_out


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """Mount a disk of so many megabytes at the folder; the test is skipped where nobody may."""
    folder.mkdir(exist_ok=True)
    options = f"size={megabytes}m,mode=755"
    words = ["mount", "-t", "tmpfs", "-o", options, "chatdb-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(words, check=False, capture_output=True).returncode:
        leave_out("only root can mount a small disk", "make test")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def enlarge(disk: Path, megabytes: int) -> None:
    """Make room on such a disk."""
    subprocess.run(["mount", "-o", f"remount,size={megabytes}m", disk], check=True)
