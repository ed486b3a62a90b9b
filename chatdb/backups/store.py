"""Where backups are kept: one small interface.

A backup is made in a staging folder on this machine and put into the store file by file, its
manifest last. What is being made is claimed: another chatdb leaves it alone, and what a killed
one left behind can be told and removed.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Protocol

from chatdb.backups.archives import OnBytes
from chatdb.backups.encryption import Keys


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a store: its name with `/` between folders, its size, when it was last written."""

    name: str
    bytes: int
    modified_at: datetime


@dataclass(frozen=True, slots=True)
class Staging:
    """A folder of this machine, for the owner alone, where one backup is being made.

    `lock` is a descriptor that keeps the claim: a program that writes here inherits it, so that
    the folder is not taken for a leftover while that program still runs.
    """

    folder: Path
    lock: int


class Store(Protocol):
    """A place for backups. Names are relative to it; errors are those of `chatdb.errors`."""

    @property
    def address(self) -> str:
        """The place for people, without anything secret."""

    @property
    def keys(self) -> Keys:
        """Whom new backups are encrypted to, and what opens those that are."""

    def files(self) -> list[StoredFile]:
        """Return every file, by name; none where the place does not exist yet."""

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading; raises NotFoundError."""

    def staging(self, backup: str) -> "Staging | None":
        """Claim the name for a backup that is to be made; None when it is taken."""

    def release(self, staging: Staging) -> None:
        """Give the claim up and remove the staging folder with all that is left in it."""

    def put(self, path: Path, name: str, on_bytes: OnBytes | None = None) -> None:
        """Take a finished file of the staging folder: it appears as a whole or not at all.

        `on_bytes` is told of what was sent, where it is sent somewhere.
        """

    def write(self, name: str, data: bytes) -> None:
        """Write a small file as a whole, in the place of one of that name."""

    def delete(self, name: str) -> None:
        """Remove a file; one that is not there is no matter."""

    def leftovers(self) -> list[str]:
        """Return the names of backups whose making was broken off: claimed, and nobody at it."""

    def sweep(self, backup: str) -> None:
        """Remove what is left of such a backup's making."""

    def local_path(self, name: str) -> Path | None:
        """Return the file for a program that needs one; None for a store elsewhere."""


def is_remote(address: str) -> bool:
    """Tell whether the address is not a folder of this machine."""
    return "://" in address and not address.lower().startswith("file://")


def redacted_url(address: str) -> str:
    """Return the address for people: without a password, and without what follows a `?`."""
    if not is_remote(address):
        return address
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1:***@", address.partition("?")[0])
