"""Copies the bytes of kept attachments from one database's folder into another's."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from chatdb.db.database import Database
from chatdb.operations.attachments.check import told
from chatdb.primitives.file_store import BYTES_AT_ONCE, FILES_AT_ONCE, FileStore
from chatdb.primitives.watch import Watch
from chatdb.store.every_organization import EVERY, chosen


@dataclass(slots=True, kw_only=True)
class MovedAttachments:
    """How many files were copied and their bytes; `missing` were not in the source's folder."""

    copied: int = 0
    bytes: int = 0
    missing: int = 0


def copy_attachments(
    source: Database, read: FileStore, written: FileStore, watch: Watch
) -> MovedAttachments:
    """Copy what the rows of the source tell of and the other folder has not; raises StorageError.

    Before the rows: an interrupted copy that is run again goes on.
    """
    moved = MovedAttachments()
    if read.folder.resolve() == written.folder.resolve():
        return moved
    with source.transaction() as connection:
        organizations = list(chosen(connection, source.dialect, EVERY))
    watch.begin("copying attachments", None)
    for organization in organizations:
        for part in _parts(source, read, written, organization.id, moved):
            _copy(organization.id, part, read, written, moved, watch)
    return moved


def _parts(
    source: Database,
    read: FileStore,
    written: FileStore,
    organization: UUID,
    moved: MovedAttachments,
) -> Iterator[list[str]]:
    """Yield what is to be copied, as much as is written at once."""
    part: list[str] = []
    size = 0
    for digest, _ in told(source, organization):
        there = read.size_of(organization, digest)
        if there is None:
            moved.missing += written.size_of(organization, digest) is None
        elif written.size_of(organization, digest) != there:
            part.append(digest)
            size += there
        if len(part) >= FILES_AT_ONCE or size >= BYTES_AT_ONCE:
            yield part
            part, size = [], 0
    if part:
        yield part


def _copy(
    organization: UUID,
    digests: list[str],
    read: FileStore,
    written: FileStore,
    moved: MovedAttachments,
    watch: Watch,
) -> None:
    with written.held(), written.incoming(organization) as incoming:
        for digest in digests:
            with read.path(organization, digest).open("rb", buffering=0) as stream:
                added = incoming.add(stream)
            # A damaged one gets its own name in the folder, and counts as missing.
            moved.missing += added.digest != digest
            moved.copied += added.digest == digest
            moved.bytes += added.size
            watch.advance(added.size)
