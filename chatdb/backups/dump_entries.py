"""The entries of a pg_dump dump: from an archive's table of contents, or a script's comments."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

IsOwn = Callable[["DumpEntry"], bool]
"""Tells whether an entry is one of chatdb's own objects, which a restore must have."""

Phase = Literal["pre-data", "data", "post-data"]

_LINE = re.compile(r"(\d+); \d+ \d+ (.*)")
_HEAD = re.compile(
    rb"^-- (?:Data for )?Name: (?P<name>.*); Type: (?P<kind>[A-Z ]+); Schema: (?P<schema>.*);"
    rb" Owner: .*$",
    re.MULTILINE,
)
_SEVERAL_WORDS = (
    *("ACCESS METHOD", "BLOB METADATA", "CHECK CONSTRAINT", "DATABASE PROPERTIES", "DEFAULT ACL"),
    *("EVENT TRIGGER", "FK CONSTRAINT", "FOREIGN DATA WRAPPER", "FOREIGN TABLE", "INDEX ATTACH"),
    *("MATERIALIZED VIEW DATA", "MATERIALIZED VIEW", "OPERATOR CLASS", "OPERATOR FAMILY"),
    *("PROCEDURAL LANGUAGE", "PUBLICATION TABLES IN SCHEMA", "PUBLICATION TABLE", "ROW SECURITY"),
    *("SECURITY LABEL", "SEQUENCE OWNED BY", "SEQUENCE SET", "SHELL TYPE", "STATISTICS DATA"),
    *("SUBSCRIPTION TABLE", "TABLE ATTACH", "TABLE DATA", "TEXT SEARCH CONFIGURATION"),
    *("TEXT SEARCH DICTIONARY", "TEXT SEARCH PARSER", "TEXT SEARCH TEMPLATE", "USER MAPPING"),
)
_DATA = frozenset({"TABLE DATA", "BLOB METADATA", "BLOBS", "SEQUENCE SET"})
_POST_DATA = frozenset(
    {
        *("CHECK CONSTRAINT", "CONSTRAINT", "DEFAULT ACL", "EVENT TRIGGER", "FK CONSTRAINT"),
        *("INDEX", "INDEX ATTACH", "MATERIALIZED VIEW DATA", "POLICY", "PUBLICATION"),
        *("PUBLICATION TABLE", "PUBLICATION TABLES IN SCHEMA", "ROW SECURITY", "RULE"),
        *("STATISTICS", "SUBSCRIPTION", "SUBSCRIPTION TABLE", "TRIGGER"),
    }
)
_OF_ANOTHER = frozenset({"ACL", "COMMENT", "SECURITY LABEL"})
_OF_A_TABLE = frozenset({"MATERIALIZED VIEW DATA", "ROW SECURITY", "TABLE DATA"})
_HOLDERS = frozenset({"TABLE", "FOREIGN TABLE", "MATERIALIZED VIEW", "TABLE DATA"})
_BLOBS = frozenset({"BLOB", "BLOB METADATA"})
_WORDS = {
    "BLOB": "large object",
    "BLOB METADATA": "large object",
    "BLOBS": "contents of large objects",
    "FK CONSTRAINT": "foreign key",
    "MATERIALIZED VIEW DATA": "rows of materialized view",
    "TABLE DATA": "rows of table",
}


@dataclass(frozen=True, slots=True)
class DumpEntry:
    """One entry: `kind` in pg_dump's words (INDEX, TABLE DATA), `schema` "-" for none.

    `name` may have several words: that of a trigger starts with its table. `line` is the line of
    the table of contents, `owner` its last field; both are empty in a script.
    """

    kind: str
    schema: str
    name: str
    id: int = 0
    line: str = ""
    owner: str = ""

    @property
    def place(self) -> str:
        """The name with its schema."""
        return self.name if self.schema == "-" else f"{self.schema}.{self.name}"

    @property
    def is_large_object(self) -> bool:
        """Whether it creates a large object, or several of one owner."""
        return self.kind in _BLOBS

    def describe(self) -> str:
        """Return the entry in words: `index public.tags_norm_idx`."""
        if self.kind in _OF_ANOTHER:
            word = "privileges on" if self.kind == "ACL" else f"{self.kind.lower()} on"
            what, _, name = self.name.partition(" ")
            return f"{word} {what.lower()} {name}"
        words = self.name.split(" ")
        if self.kind.endswith(("CONSTRAINT", "TRIGGER", "POLICY", "RULE")) and len(words) == 2:
            table = words[0] if self.schema == "-" else f"{self.schema}.{words[0]}"
            return f"{_WORDS.get(self.kind, self.kind.lower())} {words[1]} of {table}"
        return f"{_WORDS.get(self.kind, self.kind.lower())} {self.place}"

    def hangs_on(self, other: "DumpEntry") -> bool:
        """Tell whether it depends on another and need not be listed too: its comment, its rows."""
        if self.kind in _OF_ANOTHER:
            return self.name == f"{other.kind} {other.name}"
        is_its_table = other.kind in _HOLDERS and self.kind in _OF_A_TABLE
        return is_its_table and (self.schema, self.name) == (other.schema, other.name)


def entries_of(listing: Iterable[str]) -> Iterator[DumpEntry]:
    """Yield the entries of a table of contents, in order."""
    for line in listing:
        if match := _LINE.match(line):
            kind, rest = _kind_of(match[2])
            schema, _, rest = rest.partition(" ")
            name, _, owner = rest.rpartition(" ")
            yield DumpEntry(kind, schema, name, id=int(match[1]), line=line, owner=owner)


def head_of(comment: bytes) -> DumpEntry | None:
    """Return the entry that the comment before a statement of a script describes."""
    heads = list(_HEAD.finditer(comment))
    if not heads:
        return None
    kind, schema, name = (heads[-1][part].decode(errors="replace") for part in _PARTS)
    return DumpEntry(kind, schema, name)


_PARTS = ("kind", "schema", "name")


def begins_data(entry: DumpEntry) -> bool:
    """Tell whether an entry brings rows, or a large object."""
    return entry.kind in _DATA or entry.is_large_object


def in_phases(entries: Iterable[DumpEntry]) -> dict[Phase, list[DumpEntry]]:
    """Return the entries before, with and after the rows; privileges come last of all.

    An owner who revoked a privilege from himself must still be able to write the rows.
    """
    phases: dict[Phase, list[DumpEntry]] = {"pre-data": [], "data": [], "post-data": []}
    phase: Phase = "pre-data"
    for entry in entries:
        if entry.kind in _POST_DATA:
            phase = "post-data"
        elif entry.kind in _DATA and phase == "pre-data":
            phase = "data"
        phases["post-data" if entry.kind == "ACL" else phase].append(entry)
    return phases


def _kind_of(text: str) -> tuple[str, str]:
    # The list separates its fields by spaces only, so kinds of several words must be known.
    for kind in _SEVERAL_WORDS:
        if text.startswith(kind + " "):
            return kind, text[len(kind) + 1 :]
    kind, _, rest = text.partition(" ")
    return kind, rest
