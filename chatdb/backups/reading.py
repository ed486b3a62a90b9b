"""A backup's data as a stream: opened, checked against the manifest, unpacked."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import IO

from chatdb.backups.archives import CheckedStream, unpacked
from chatdb.backups.first_bytes import LONGEST, kind_of_start
from chatdb.backups.inventory import Backup
from chatdb.backups.names import Kind
from chatdb.backups.tar_archives import require_whole_tar
from chatdb.errors import InvalidInputError

_SQL = re.compile(
    rb"\s*(?:--|/\*|\\restrict|(?:SET|BEGIN|CREATE|DROP|INSERT|COPY|ALTER)\b)", re.IGNORECASE
)

OnBytes = Callable[[int], object]


@contextmanager
def open_data(backup: Backup, name: str, *, on_bytes: OnBytes | None = None) -> Iterator[IO[bytes]]:
    """Open one of the backup's files for reading its unpacked contents.

    `on_bytes` receives the count of bytes of the file itself. Reading raises InvalidInputError if
    the data is damaged, and at the end if the file does not match the manifest.
    """
    files = () if backup.manifest is None else backup.manifest.files
    file = next((file for file in files if file.name == name), None)
    raw = CheckedStream(backup.store.open(name), file, on_bytes=on_bytes)
    with unpacked(raw, name, backup.store.keys) as stream:
        yield stream


def check_files(backup: Backup, *, on_bytes: OnBytes | None = None) -> None:
    """Compare every file with the manifest; another tool's tar archive must have its end.

    Raises InvalidInputError that names the first file that differs.
    """
    if backup.manifest is None:
        # pg_restore 18 reads a truncated tar archive in an endless loop.
        if backup.kind == "tar":
            for name in backup.archive_names:
                with open_data(backup, name, on_bytes=on_bytes) as data:
                    require_whole_tar(data, name)
        return
    for file in backup.manifest.files:
        with (
            backup.store.open(file.name) as raw,
            CheckedStream(raw, file, on_bytes=on_bytes) as stream,
        ):
            stream.verify()


def require_whole(backup: Backup) -> None:
    """Raise InvalidInputError for a backup that is known to be interrupted or damaged."""
    if backup.state in ("incomplete", "damaged"):
        raise InvalidInputError(
            f"{backup.name} is not a complete backup: {backup.problem}",
            hint="to list the others: chatdb backup list",
        )


def recognised(backup: Backup) -> Backup:
    """Return another tool's backup with its kind by the first bytes, whatever its name says.

    `pg_dump -Fc > relay.sql` is common.
    """
    if backup.manifest is not None or backup.kind == "directory" or not backup.files:
        return backup
    with open_data(backup, backup.files[0].name) as stream:
        start = stream.read(LONGEST)
    return replace(backup, kind=_kind_of(start) or backup.kind)


def packed_bytes(backup: Backup) -> int:
    """Return the size of the files that hold the data."""
    names = set(backup.archive_names)
    return sum(file.bytes for file in backup.files if file.name in names)


def _kind_of(start: bytes) -> Kind | None:
    return kind_of_start(start) or ("plain" if _SQL.match(start) else None)
