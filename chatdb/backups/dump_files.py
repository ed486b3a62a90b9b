"""Files of pg_dump: recognised by their first bytes, read as what they contain.

Zstandard and gzip around a dump are unpacked on the fly, whatever the file is called.
"""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from chatdb.backups.first_bytes import LONGEST, kind_of_start
from chatdb.backups.names import TOC, Kind, read_file_name
from chatdb.errors import InvalidInputError, StorageError
from chatdb.formats.files.streams import BUFFER, OnBytes, unpacked_stream, utf8_stream

_SQL = re.compile(
    # `---` begins Markdown with front matter, which people do import.
    rb"\s*(?:--(?!-)|/\*|\\restrict\b|\\connect\b"
    rb"|(?:SET|ALTER|COPY)\s+\w[^;]*;|BEGIN\s*;|INSERT\s+INTO\b|SELECT\s+pg_catalog\."
    rb"|(?:CREATE|DROP)\s+(?:UNLOGGED\s+)?(?:TABLE|SCHEMA|EXTENSION|TYPE|DATABASE|FUNCTION)\s)",
    re.IGNORECASE,
)
_OTHER = re.compile(rb"\s*-- (MySQL|MariaDB|phpMyAdmin)\b")
_SQLITE = re.compile(rb"\s*PRAGMA\s+foreign_keys", re.IGNORECASE)
_PACKED = (".gz", ".zst", ".age")


@dataclass(frozen=True, slots=True)
class DumpFile:
    """A file of pg_dump, or a folder in its directory format.

    `database` is the database's name as far as the file's name contains it.
    """

    path: Path
    kind: Kind
    database: str

    @property
    def size(self) -> int:
        """The bytes that `open` will have counted at its end; of a folder, all its files."""
        if self.kind == "directory":
            return sum(each.stat().st_size for each in self.path.iterdir() if each.is_file())
        return self.path.stat().st_size

    @contextmanager
    def open(self, on_bytes: OnBytes | None = None) -> Iterator[IO[bytes]]:
        """Open a file for reading its unpacked contents; UTF-16 SQL is converted to UTF-8.

        `on_bytes` receives the count of bytes of the file itself. Raises StorageError; reading
        raises InvalidInputError if the compressed data is damaged.
        """
        try:
            handle = self.path.open("rb")
        except OSError as error:
            raise StorageError(f"{self.path} cannot be read: {error.strerror or error}") from error
        with handle:
            raw, name = unpacked_stream(handle, str(self.path), on_bytes), str(self.path)
            # PowerShell's `>` writes UTF-16, whatever pg_dump gave it.
            is_text = self.kind == "plain"
            yield cast(
                IO[bytes],
                utf8_stream(raw, name=name) if is_text else io.BufferedReader(raw, BUFFER),
            )


def find_dump(path: Path) -> DumpFile | None:
    """Return the dump in a file or folder, by its first bytes; None for anything else.

    Raises InvalidInputError for a dump of another database system.
    """
    if path.is_dir():
        is_archive = kind_of_start(_start(path / TOC)) == "custom"
        kind: Kind | None = "directory" if is_archive else None
    else:
        kind = _kind(_start(path), str(path))
    return None if kind is None else DumpFile(path, kind, _database(path, kind))


def _kind(start: bytes, name: str) -> Kind | None:
    kind = kind_of_start(start)
    if kind == "custom" or (kind == "tar" and start.startswith(TOC.encode() + b"\0")):
        return kind
    other = _OTHER.match(start)
    if other is not None:
        raise InvalidInputError(
            f"{name} is a dump of {other[1].decode()}, but chatdb reads dumps of PostgreSQL only",
            hint="chatdb formats lists what can be read",
        )
    if _SQLITE.match(start):
        raise InvalidInputError(
            f"{name} is a dump of SQLite",
            hint=f"create the database again and import it: sqlite3 chats.db < {name}",
        )
    return "plain" if _SQL.match(start) else None


def _start(path: Path) -> bytes:
    """Return the first bytes inside a file; empty if it cannot be read."""
    try:
        with path.open("rb") as handle:
            stream = utf8_stream(unpacked_stream(handle, str(path), None), name=str(path))
            return stream.read1(LONGEST)
    # What cannot be read is no dump; the import's own opening reports why.
    except (OSError, InvalidInputError):
        return b""


def _database(path: Path, kind: Kind) -> str:
    """Return the database's name from the file's name, else the file's name without suffixes."""
    if kind == "directory":
        found = read_file_name(path.name) or read_file_name(f"{path.name}.dir")
    else:
        name = path.name
        while Path(name).suffix.lower() in _PACKED:
            name = Path(name).stem
        found = read_file_name(name) or read_file_name(f"{Path(name).stem}.sql")
    return path.stem if found is None else found.database
