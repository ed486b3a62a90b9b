"""Brings the kept attachments of a backup back."""

from collections.abc import Callable
from itertools import groupby
from operator import attrgetter
from uuid import UUID

from chatdb.backups.attachments import read_files
from chatdb.backups.inventory import Backup
from chatdb.backups.reading import open_data
from chatdb.errors import InvalidInputError
from chatdb.primitives.file_store import FileStore
from chatdb.primitives.watch import Watch


def restore_attachments(
    backup: Backup,
    store: FileStore,
    watch: Watch,
    *,
    wanted: Callable[[UUID, str], bool] = lambda _organization, _digest: True,
) -> int:
    """Put those of the attachments that are wanted and not there into the folder; return how many.

    Raises InvalidInputError for damaged ones, StorageError.
    """
    told = None if backup.manifest is None else backup.manifest.attachments
    if told is None:
        return 0
    count = 0
    watch.begin("restoring attachments", told.bytes)
    with open_data(backup, told.name) as data, store.held():
        for organization, files in groupby(read_files(data), attrgetter("organization")):
            with store.incoming(organization) as incoming:
                for file in files:
                    watch.advance(file.size)
                    is_there = store.size_of(organization, file.digest) == file.size
                    if is_there or not wanted(organization, file.digest):
                        continue
                    if incoming.add(file.stream).digest != file.digest:
                        raise InvalidInputError(
                            f"{backup.name}: attachment {file.digest} has other bytes",
                            hint="restore it from another backup: chatdb backup list",
                        )
                    count += 1
    return count
