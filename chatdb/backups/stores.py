"""Opens the store of an address: a local folder, or a place that fsspec reaches."""

from chatdb.backups.encryption import NO_KEYS, Keys
from chatdb.backups.folder_store import FolderStore
from chatdb.backups.store import Store, folder_of


def open_store(address: str, keys: Keys = NO_KEYS) -> Store:
    """Return the store of a folder's path or of a URL that fsspec knows (`s3://bucket/folder`).

    Does not contact it yet. Raises ProgramMissingError if a package is missing, UsageError.
    """
    folder = folder_of(address)
    if folder is not None:
        return FolderStore(folder, keys)
    # fsspec and a provider's library take half a second to import.
    from chatdb.backups.remote import RemoteStore

    return RemoteStore(address, keys)
