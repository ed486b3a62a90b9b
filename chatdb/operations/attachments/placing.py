"""Puts kept attachments into a folder beside transcripts, which link them."""

import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from chatdb.formats.attachment_links import FOLDER, linked_name
from chatdb.primitives.atomic_write import PARTIAL, PRIVATE, storage_error
from chatdb.primitives.file_store import FOLDER_MODE, FileStore
from chatdb.records import Conversation, MessageFile, organization_id_of


def with_placed_files(
    records: Iterable[Conversation], store: FileStore, folder: Path, organization_key: str
) -> Iterator[Conversation]:
    """Yield the records with those of their files that are in the folder now.

    A file that is there already is left alone; the folder is synced with the transcripts. Raises
    StorageError.
    """
    place = folder / FOLDER
    for record in records:
        if not record.files:
            yield record
            continue
        key = record.organization or organization_key
        placed = [each for each in record.files if _place(each, store, place, key)]
        yield msgspec.structs.replace(record, files=placed)


def _place(file: MessageFile, store: FileStore, place: Path, key: str) -> bool:
    """Copy a file unless it is there; False without its bytes."""
    organization = organization_id_of(key)
    size = store.size_of(organization, file.digest)
    if size is None:
        return False
    path = place / linked_name(file)
    try:
        if path.is_file() and path.stat().st_size == size:
            return True
        place.mkdir(mode=FOLDER_MODE, exist_ok=True, parents=True)
        partial = path.with_name(path.name + PARTIAL)
        shutil.copyfile(store.path(organization, file.digest), partial)
        partial.chmod(PRIVATE)
        partial.replace(path)
    except OSError as error:
        raise storage_error(path, error) from error
    return True
