"""Texts remembered between runs under short names, a file each in a private folder.

Losing them is harmless: a folder that cannot be written or read remembers nothing.
"""

import os
import re
import time
from base64 import b32encode
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

SHORT_NAME = re.compile(r"@[a-z2-7]{9}")
"""What a short name looks like; no shell reads anything into it."""
_MOST_FILES = 500
_KEPT_SECONDS = 30 * 86_400
_LONGEST = 1 << 16
"""Characters; what is longer is not remembered."""


def remember(folder: Path | None, owner: str, text: str) -> str | None:
    """Keep a text for its owner, and return its short name; None if it could not be kept.

    The same text has the same name, and one owner's names mean nothing to another. The newest 500
    are kept, for 30 days.
    """
    content = f"{owner}\n{text}"
    if folder is None or len(content) > _LONGEST:
        return None
    digest = sha256(content.encode(errors="surrogatepass")).digest()
    name = "@" + b32encode(digest[:6]).decode().lower()[:9]
    with suppress(OSError, ValueError):
        write_small(folder / name, content)
        _sweep(folder)
        return name
    return None


def recall(folder: Path | None, owner: str, name: str) -> str | None:
    """Return the text that its owner remembered under a short name, None if there is none."""
    if folder is None or SHORT_NAME.fullmatch(name) is None:
        return None
    found, _, text = (read_small(folder / name) or "").partition("\n")
    return text if found == owner else None


def write_small(path: Path, text: str) -> None:
    """Replace a file of mode 0600 at once, whoever else does so too; make its private folder.

    Raises OSError, and ValueError for text that is no UTF-8.
    """
    path.parent.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(mode=0o700, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def read_small(path: Path) -> str | None:
    """Return the text of a small file, None if it cannot be read."""
    try:
        # With its line ends as they were written.
        with path.open(encoding="utf-8", newline="") as file:
            return file.read(2 * _LONGEST)
    except (OSError, ValueError):
        return None


def _sweep(folder: Path) -> None:
    """Remove what is old, or more than the newest; somebody else may be doing the same."""
    found = sorted(_ages(folder))
    for age, path in found:
        if age > _KEPT_SECONDS:
            with suppress(OSError):
                path.unlink()
    for _, path in found[_MOST_FILES:]:
        with suppress(OSError):
            path.unlink()


def _ages(folder: Path) -> Iterator[tuple[float, Path]]:
    now = time.time()
    with os.scandir(folder) as entries:
        for entry in entries:
            with suppress(OSError):
                yield now - entry.stat(follow_symlinks=False).st_mtime, Path(entry.path)
