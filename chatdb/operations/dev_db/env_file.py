"""Sets one variable in a `.env`, leaving everything else unchanged byte for byte."""

import os
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from chatdb.db.url import DatabaseUrl, parse_url
from chatdb.errors import ConfigurationError, StorageError
from chatdb.primitives.atomic_write import atomic_write

_MARK = "\ufeff"
_LINE_END = re.compile(r"(?:\r\n|\n|\r)\Z")


VARIABLE = "DATABASE_URL"


def put_database_url(path: Path, url: DatabaseUrl) -> bool:
    """Write the URL, including its password, as DATABASE_URL; tell whether anything changed.

    Every special character is percent-encoded, so that every reader of the file understands it. The
    URL of another database stays as a comment. Raises StorageError.
    """
    values = [item.value for item in _bindings(_text(path)) if item.key == VARIABLE]
    keep_old = any(value and not _is_same(value, url, any_port=True) for value in values)
    return set_variable(path, VARIABLE, url.exposed(), keep_old=keep_old)


def remove_database_url(path: Path, url: DatabaseUrl, *, dry_run: bool = False) -> bool:
    """Remove DATABASE_URL where it is this server's URL; tell whether it was there.

    Other statements and comments stay. Raises StorageError.
    """
    path = path.resolve()
    text = _text(path)
    kept = [_MARK] if text.startswith(_MARK) else []
    parts = _bindings(text)
    ours = [
        item
        for item in parts
        if item.key == VARIABLE and item.value and not item.error and _is_same(item.value, url)
    ]
    if not ours:
        return False
    kept += [item.original.string for item in parts if item not in ours]
    if not dry_run:
        _replace(path, "".join(kept))
    return True


def set_variable(path: Path, name: str, value: str, *, keep_old: bool) -> bool:
    """Write `name=value` in the file, which may not exist yet; tell whether anything changed.

    `value` must need no quotes. With `keep_old` an old value stays as a comment. The file is
    replaced atomically, keeps its mode and owner, and a new one is accessible to the user only.
    Raises StorageError.
    """
    path = path.resolve()
    text = _text(path)
    # The parser drops the byte order mark.
    parts = [_MARK] if text.startswith(_MARK) else []
    found = False
    for item in _bindings(text):
        if item.key != name or item.error:
            parts.append(item.original.string)
            continue
        if item.value != value and keep_old:
            parts.append(_commented(item.original.string))
        if not found:
            parts.append(_rewritten(item, name, value))
        found = True
    if not found:
        end = "\r\n" if "\r\n" in text else "\n"
        is_whole = not text or _LINE_END.search(text) is not None
        parts.append(("" if is_whole else end) + f"{name}={value}{end}")
    changed = "".join(parts)
    if changed == text:
        return False
    _replace(path, changed)
    return True


def _is_same(value: str, url: DatabaseUrl, *, any_port: bool = False) -> bool:
    """Tell whether a value is this server's URL, whatever its password."""
    try:
        old = parse_url(value)
    except ConfigurationError:
        return False
    port = url.port if any_port else old.port
    return replace(old, port=port, password=url.password) == url


def _bindings(text: str) -> list[Binding]:
    return list(parse_stream(StringIO(text, newline="")))


def _rewritten(item: Binding, name: str, value: str) -> str:
    """Return the statement with its original beginning (blank lines, `export`) and end."""
    original = item.original.string
    start = re.match(rf"\s*(?:export\s+)?(?=['\"]?{re.escape(name)})", original)
    end = _LINE_END.search(original)
    return (start[0] if start else "") + f"{name}={value}" + (end[0] if end else "")


def _commented(original: str) -> str:
    start = re.match(r"\s*", original)
    blank = start[0] if start else ""
    text = original[len(blank) :]
    if not _LINE_END.search(text):
        text += "\n"
    return blank + "".join("# " + line for line in text.splitlines(keepends=True))


def _text(path: Path) -> str:
    if not path.exists():
        return ""
    if not path.is_file():
        raise StorageError(
            f"{path} cannot be changed: it is not a regular file", hint="set DATABASE_URL by hand"
        )
    # Bytes that are not UTF-8 pass through unchanged.
    return path.read_bytes().decode("utf-8", "surrogateescape")


def _replace(path: Path, text: str) -> None:
    with atomic_write(path) as stream:
        stream.write(text.encode("utf-8", "surrogateescape"))
        if path.exists():
            old, new = path.stat(), stream.fileno()
            # Only root may give a file to another user.
            if os.geteuid() == 0:
                os.fchown(new, old.st_uid, old.st_gid)
            os.fchmod(new, old.st_mode & 0o7777)
