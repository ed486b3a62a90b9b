"""Reads pg_restore's messages on the entries that it could not restore."""

import re
from dataclasses import dataclass

from chatdb.errors import DatabaseLockedError, DatabaseUnreachableError, StorageError

_START = re.compile(r"^(?:\S*/)?pg_restore: ")
_ENTRY = re.compile(r"^from TOC entry (\d+);")
_NOISE = re.compile(r"^(?:could not execute query: )?(?:ERROR:\s+)?")
_COPY = re.compile(r'^COPY failed for table "(.*?)": ')
_COMMAND = "Command was: "
_IGNORED = "warning: errors ignored on restore"
# A damaged archive may give an error for each of millions of objects.
_MOST = 10_000

NO_FAULT_OF_THE_OBJECT = (DatabaseLockedError, DatabaseUnreachableError, StorageError)
"""Server errors that would affect every object: the restore ends with them."""


@dataclass(slots=True)
class RestoreError:
    """One error: the id of the entry (0: unknown), the server's message, and the statement.

    `table` is set if rows of it could not be loaded.
    """

    entry: int
    text: str
    table: str | None = None
    statement: str = ""


class RestoreErrors:
    """Parses the output of a pg_restore that reports every entry (--verbose)."""

    def __init__(self) -> None:
        self.errors: list[RestoreError] = []
        self.has_ended = False
        """Whether it finished and reported that it had ignored errors."""
        self._entry = 0
        self._is_open = self._in_statement = False

    def hear(self, line: str) -> None:
        """Take the next line of its stderr."""
        match = _START.match(line)
        if match is None:
            self._go_on(line)
            return
        said = line[match.end() :]
        self._is_open = self._in_statement = False
        if entry := _ENTRY.match(said):
            self._entry = int(entry[1])
        elif said.startswith("error: ") and len(self.errors) < _MOST:
            text = said.removeprefix("error: ")
            copied = _COPY.match(text)
            text = _NOISE.sub("", text[copied.end() if copied else 0 :]).strip()
            self.errors.append(RestoreError(self._entry, text, copied and copied[1]))
            self._is_open = True
        self.has_ended = self.has_ended or said.startswith(_IGNORED)

    def _go_on(self, line: str) -> None:
        if not self._is_open:
            return
        if line.startswith(_COMMAND):
            self._in_statement = True
            self.errors[-1].statement = line.removeprefix(_COMMAND)
        elif self._in_statement:
            self.errors[-1].statement += "\n" + line
