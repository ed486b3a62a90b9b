"""The contract of formats that are tables: written from rows, a conversation at a time."""

from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, Protocol, runtime_checkable

from chatdb.formats.tables.rows import ConversationRows

if TYPE_CHECKING:
    from chatdb.formats.files.folder_writing import LockedFolder
    from chatdb.formats.files.writing import Written


@runtime_checkable
class TableWriter(Protocol):
    """Turns rows into a file, or into files in a folder that it arranges itself."""

    name: str
    extension: str

    def write_table(
        self, stream: IO[bytes], conversations: Iterable[ConversationRows], written: "Written"
    ) -> None:
        """Write the messages as one file."""
        ...

    def write_tables(
        self, folder: "LockedFolder", conversations: Iterable[ConversationRows]
    ) -> None:
        """Write all tables into the folder."""
        ...
