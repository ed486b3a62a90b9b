"""A pg_dump script in one transaction that survives an application's broken objects."""

import re
from dataclasses import dataclass, field

from chatdb.backups.dump_entries import DumpEntry, IsOwn, begins_data, head_of
from chatdb.backups.left_out import LeftOut, write_down
from chatdb.backups.sql_text import Segment
from chatdb.backups.tried_sql import tried

_MARK = "chatdb left out #"
_HEARD = re.compile(r"WARNING:\s+" + _MARK + r"(\d+): (.*)")
_STRICT = frozenset({"TABLE", "SEQUENCE", "SCHEMA", "TABLE ATTACH", "FOREIGN TABLE"})
"""Entries that the rows need: an error in one must end the transaction."""

_MAKES = re.compile(
    rb"\s*(?:CREATE|ALTER|COMMENT|GRANT|REVOKE|REFRESH|SECURITY|CLUSTER)\b", re.IGNORECASE
)
_END = b"-- PostgreSQL database dump complete"
_LARGE_OBJECT = re.compile(rb"\blo_create\('(\d+)'\)")
_COMMENTS = re.compile(rb"(?:\s*--[^\n]*\n|\s+)*")


@dataclass(slots=True)
class TolerantScript:
    """Passes on the statements of a script, wrapping those that may fail.

    `before_data` is run before the first row. `in_place`: objects outside tables may exist already,
    and an existing large object is replaced.
    """

    is_own: IsOwn
    before_data: bytes
    in_place: bool = False
    left_out: dict[DumpEntry, LeftOut] = field(default_factory=dict)
    _entry: DumpEntry | None = None
    _tried: list[tuple[DumpEntry, str]] = field(default_factory=list)
    _has_data: bool = False

    def take(self, segment: Segment) -> bytes:
        """Return the text to run for a segment."""
        if segment.kind != "statement":
            return segment.data
        comments = _COMMENTS.match(segment.data)
        if comments and _END in comments[0]:
            self._entry = None  # What follows was not written by pg_dump.
        self._entry = (comments and head_of(comments[0])) or self._entry
        entry, data = self._entry, segment.data
        if entry is None or not segment.bare.strip():
            return data
        if begins_data(entry):
            first, self._has_data = not self._has_data, True
            data = self._replacing(data) if entry.is_large_object and self.in_place else data
            return b"\n" + self.before_data + b";\n" + data if first else data
        if entry.kind in _STRICT or self.is_own(entry) or not _MAKES.match(segment.bare):
            return data
        self._tried.append(
            (entry, data[comments.end() if comments else 0 :].decode(errors="replace"))
        )
        return tried(data, f"{_MARK}{len(self._tried)}", may_be_there=self.in_place)

    def hear(self, line: str) -> bool:
        """Take a line of psql's output; tell whether it was about an object left out."""
        match = _HEARD.search(line)
        if match is None:
            return False
        entry, statement = self._tried[int(match[1]) - 1]
        write_down(self.left_out, entry, LeftOut(entry.describe(), match[2], statement.strip()))
        return True

    def _replacing(self, data: bytes) -> bytes:
        match = _LARGE_OBJECT.search(data)
        if match is None:
            return data
        there = b"FROM pg_catalog.pg_largeobject_metadata WHERE oid = " + match[1]
        return b"\nSELECT pg_catalog.lo_unlink(oid) " + there + b";\n" + data
