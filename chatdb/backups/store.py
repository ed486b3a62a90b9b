"""Where backups are kept: one small interface.

A backup is made in a staging folder on this machine and put into the store file by file, its
manifest last. A backup in progress is claimed: other chatdb processes leave it alone, and leftovers
of a killed one can be recognised and removed.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

from chatdb.backups.archives import OnBytes
from chatdb.backups.encryption import Keys


def folder_of(address: str) -> Path | None:
    """Return the folder of this machine that an address names, None for a remote place."""
    return None if is_remote(address) else Path(address.removeprefix("file://")).expanduser()


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a store: its name with `/` between folders, its size, when it was last written."""

    name: str
    bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Staging:
    """A local folder, accessible to the owner only, in which one backup is made.

    `lock` is a descriptor that holds the claim: programs that write here inherit it, so that the
    folder is not taken for a leftover while they still run.
    """

    folder: Path
    lock: int


class Store(Protocol):
    """A place for backups. Names are relative to it; errors are those of `chatdb.errors`."""

    @property
    def address(self) -> str:
        """The address of the place, without secrets."""

    @property
    def keys(self) -> Keys:
        """The recipients of new backups, and the private keys for encrypted ones."""

    def files(self) -> list[StoredFile]:
        """Return every file, by name; none if the place does not exist yet."""

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading; raises NotFoundError."""

    def staging(self, backup: str) -> "Staging | None":
        """Claim the name for a new backup; None if it is taken."""

    def release(self, staging: Staging) -> None:
        """Release the claim and remove the staging folder with its contents."""

    def put(self, path: Path, name: str, on_bytes: OnBytes | None = None) -> None:
        """Store a finished file of the staging folder; it appears completely or not at all.

        `on_bytes` receives the count of bytes sent, if the store is remote.
        """

    def write(self, name: str, data: bytes) -> None:
        """Write a small file atomically, replacing one of that name."""

    def delete(self, name: str) -> None:
        """Remove a file; no error if it does not exist."""

    def leftovers(self) -> list[str]:
        """Return the names of interrupted backups: claimed, with no process working on them."""

    def sweep(self, backup: str) -> None:
        """Remove the remains of an interrupted backup."""

    def local_path(self, name: str) -> Path | None:
        """Return the local file for a program that needs one; None for a remote store."""


def is_remote(address: str) -> bool:
    """Tell whether the address is not a local folder."""
    return "://" in address and not address.lower().startswith("file://")


def redacted_url(address: str) -> str:
    """Return the address without a password and without URL parameters."""
    if not is_remote(address):
        return address
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", address.partition("?")[0])
