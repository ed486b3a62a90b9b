"""Puts kept attachments into a folder beside transcripts, which link them."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec

from chatdb.errors import UnreadableFileError
from chatdb.formats.attachment_links import FOLDER, linked_name
from chatdb.primitives.atomic_write import PARTIAL, PRIVATE, storage_error
from chatdb.primitives.file_store import FOLDER_MODE, FileStore
from chatdb.records import Conversation, MessageFile, organization_id_of


def with_placed_files(
    records: Iterable[Conversation],
    store: FileStore,
    folder: Path,
    organization_key: str,
    on_unreadable: Callable[[MessageFile], object],
) -> Iterator[Conversation]:
    """Yield the records with those of their files that are in the folder now.

    A file that is there already is left alone; the folder is synced with the transcripts.
    `on_unreadable` receives those whose bytes cannot be read. Raises StorageError.
    """
    place = folder / FOLDER
    for record in records:
        if not record.files:
            yield record
            continue
        key = record.organization or organization_key
        placed: list[MessageFile] = []
        for file in record.files:
            try:
                if _place(file, store, place, key):
                    placed.append(file)
            except UnreadableFileError:
                on_unreadable(file)
        yield msgspec.structs.replace(record, files=placed)


def _place(file: MessageFile, store: FileStore, place: Path, key: str) -> bool:
    """Copy a file unless it is there; False without its bytes. Raises StorageError."""
    organization = organization_id_of(key)
    size = store.size_of(organization, file.digest)
    if size is None:
        return False
    path = place / linked_name(file)
    partial = path.with_name(path.name + PARTIAL)
    try:
        if path.is_file() and path.stat().st_size == size:
            return True
        place.mkdir(mode=FOLDER_MODE, exist_ok=True, parents=True)
        with partial.open("wb", buffering=0) as stream:
            for piece in store.pieces(organization, file.digest):
                stream.write(piece)
        partial.chmod(PRIVATE)
        partial.replace(path)
    except UnreadableFileError:
        partial.unlink(missing_ok=True)
        raise
    except OSError as error:
        raise storage_error(path, error) from error
    return True
