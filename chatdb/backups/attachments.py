"""Kept attachments in a backup: a tar of `<organization id>/<digest>`, compressed and encrypted.

Its members are checked by their names, which are the digests of their bytes.
"""

import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, cast
from uuid import UUID

from chatdb.backups.archives import PIECE, ArchiveWriter
from chatdb.backups.manifest import AttachedFiles
from chatdb.errors import InvalidInputError
from chatdb.primitives.digests import Readable, digest_of

_MEMBER = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/([0-9a-f]{64})")


class AttachedFile(NamedTuple):
    """A member while it is read: whose it is, its digest and its bytes."""

    organization: UUID
    digest: str
    size: int
    stream: Readable


def write_files(writer: ArchiveWriter, files: Iterable[tuple[UUID, str, Path]]) -> tuple[int, int]:
    """Write files; return how many and their bytes. One that is gone by now is left out."""
    count = size = 0
    with tarfile.open(fileobj=cast(IO[bytes], writer), mode="w|", bufsize=PIECE) as archive:
        for organization, digest, path in files:
            try:
                stream = path.open("rb")
            except FileNotFoundError:
                continue
            with stream:
                member = tarfile.TarInfo(f"{organization}/{digest}")
                member.size, member.mode = path.stat().st_size, 0o600
                archive.addfile(member, stream)
            count += 1
            size += member.size
    return count, size


def read_files(data: IO[bytes]) -> Iterator[AttachedFile]:
    """Yield the members, each to be read before the next; raises InvalidInputError."""
    try:
        with tarfile.open(fileobj=data, mode="r|", bufsize=PIECE) as archive:
            for member in archive:
                # Kept in a list by tarfile: a million of them would fill the memory.
                archive.members = []  # type: ignore[attr-defined]
                match = _MEMBER.fullmatch(member.name)
                stream = archive.extractfile(member) if match and member.isfile() else None
                if match is None or stream is None:
                    raise InvalidInputError(f"not an attachment: {member.name!r}")
                yield AttachedFile(UUID(match[1]), match[2], member.size, cast(Readable, stream))
    except (tarfile.TarError, EOFError) as error:
        raise InvalidInputError(f"the attachments are damaged: {error}") from error


def check_files(data: IO[bytes], *, told: AttachedFiles, warnings: list[str]) -> list[str]:
    """Read all to the end; return what differs from what the manifest tells."""
    count = size = 0
    problems: list[str] = []
    for file in read_files(data):
        count += 1
        size += file.size
        # A member that ends too early raises an error.
        if digest_of(file.stream) != file.digest:
            problems.append(f"attachment {file.digest} has other bytes")
    if (count, size) != (told.files, told.bytes):
        problems.append(f"{count} attachments of {size} bytes, not {told.files} of {told.bytes}")
    if told.missing:
        warnings.append(f"{told.missing} attachments were missing when the backup was made")
    return problems
