"""Reads archives to the end: do they contain what the manifest says?"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from typing import IO

import msgspec

from chatdb.backups.archives import PIECE
from chatdb.backups.contents import Contents, IndexEntry
from chatdb.errors import InvalidInputError
from chatdb.primitives.nesting import TooDeepError, roomy

_END_OF_TABLE = b"\n\\.\n"
_PLAIN_START = b"-- PostgreSQL database dump"
_PLAIN_END = b"-- PostgreSQL database dump complete"
_CLUSTER_END = b"-- PostgreSQL database cluster dump complete"
_TAIL = 4096


class DumpedRows:
    """Counts the rows of each table in the SQL text that pg_restore writes.

    `rows` is keyed by the table's name as it follows COPY, with its schema and quotes.
    """

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self._pending = b""
        self._table: str | None = None

    def feed(self, data: bytes) -> None:
        """Count in the next bytes; at most one line or end mark of them is held back."""
        text = self._pending + data
        while text:
            rest = self._in_table(text) if self._table is not None else self._outside(text)
            if rest is None:
                return
            text = rest
        self._pending = b""

    def _in_table(self, text: bytes) -> bytes | None:
        """Count rows up to the end of the table's data; None if more text is needed."""
        table = self._table or ""
        end = text.find(_END_OF_TABLE)
        if end < 0:
            # The newline before the mark ends the last row, and may be the last byte so far.
            kept = len(text) - (len(_END_OF_TABLE) - 1)
            if kept > 0:
                self.rows[table] += text.count(b"\n", 0, kept)
                text = text[kept:]
            self._pending = text
            return None
        self.rows[table] += text.count(b"\n", 0, end)
        self._table = None
        return text[end + len(_END_OF_TABLE) - 1 :]

    def _outside(self, text: bytes) -> bytes | None:
        start = 0 if text.startswith(b"COPY ") else text.find(b"\nCOPY ") + 1
        if start == 0 and not text.startswith(b"COPY "):
            self._pending = text[-5:]
            return None
        end = text.find(b"\n", start + 1)
        if end < 0:
            self._pending = text[start:] if start == 0 else text[start - 1 :]
            return None
        line = text[start:end]
        if not line.endswith(b"FROM stdin;"):
            return text[end:]
        self._table = line[len(b"COPY ") : line.find(b" (")].decode("utf-8", "replace")
        self.rows[self._table] = 0
        return text[end:]


def rows_that_differ(contents: Contents, schema: str | None, found: dict[str, int]) -> list[str]:
    """Compare the rows in a dump with the manifest; returns the differences."""
    problems = []
    for table, wanted in contents.rows.items():
        names = (f"{schema}.{table}", f'"{(schema or "").replace(chr(34), chr(34) * 2)}".{table}')
        rows = next((found[name] for name in names if name in found), 0)
        if rows != wanted:
            problems.append(f"the archive has {rows} rows of {table}, the manifest says {wanted}")
    return problems


def check_index(stream: IO[bytes], contents: Contents, name: str) -> list[str]:
    """Compare the list of the conversations with the manifest's hashes; returns the differences."""
    found: dict[str, _Running] = defaultdict(_Running)
    for entry in read_index(stream, name):
        found[entry.organization_id].add(entry.id, entry.messages)
    return _differing(found, contents, name)


def read_index(stream: IO[bytes], name: str) -> Iterator[IndexEntry]:
    """Yield the conversations of an index; raises InvalidInputError for a damaged one."""
    decoder = msgspec.json.Decoder(IndexEntry)
    for line in stream:
        try:
            yield decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise InvalidInputError(f"{name} is damaged: {error}") from error


class _Line(msgspec.Struct):
    """The fields of a native line that are counted; its header has no id."""

    id: str | None = None
    # Raw: the messages are counted, not decoded.
    messages: list[msgspec.Raw] = []


def check_native(stream: IO[bytes], contents: Contents, name: str) -> list[str]:
    """Compare one organization's conversations with the manifest; returns the differences."""
    found: dict[str, _Running] = defaultdict(_Running)
    organization = contents.organizations[0].id
    decode = roomy(msgspec.json.Decoder(_Line).decode)
    for line in stream:
        try:
            read = decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, TooDeepError) as error:
            raise InvalidInputError(f"{name} is damaged: {error}") from error
        if read.id is not None:
            found[organization].add(read.id, len(read.messages))
    return _differing(found, contents, name)


def check_plain(stream: IO[bytes], name: str) -> list[str]:
    """Read a plain SQL dump to its end, which pg_dump marks."""
    head = tail = stream.read(PIECE)
    while data := stream.read(PIECE):
        tail = (tail + data)[-_TAIL:]
    if not head:
        return [f"{name} is empty"]
    # Not the last line: newer pg_dumps write \unrestrict after it.
    is_ended = _PLAIN_END in tail[-_TAIL:] or _CLUSTER_END in tail[-_TAIL:]
    if is_ended:
        return []
    if _PLAIN_START in head[:_TAIL]:
        return [f"{name} is truncated: pg_dump's end marker is missing"]
    return [f"{name} is not a dump: it has neither pg_dump's header nor its end marker"]


class _Running:
    """Counts of one organization while its conversations are read."""

    def __init__(self) -> None:
        self.conversations = 0
        self.messages = 0
        self.sha256 = hashlib.sha256()

    def add(self, identifier: str, messages: int) -> None:
        """Count a conversation."""
        self.conversations += 1
        self.messages += messages
        self.sha256.update(f"{identifier} {messages}\n".encode())


def _differing(found: dict[str, _Running], contents: Contents, name: str) -> list[str]:
    problems = []
    for wanted in contents.organizations:
        whose = wanted.key or wanted.id
        running = found.pop(wanted.id, None) or _Running()
        counts = (running.conversations, running.messages)
        if counts != (wanted.conversations, wanted.messages):
            problems.append(
                f"{name} has {counts[0]} conversations with {counts[1]} messages of {whose},"
                f" the manifest says {wanted.conversations} with {wanted.messages}"
            )
        elif running.sha256.hexdigest() != wanted.content_hash:
            problems.append(f"{name} has other conversations of {whose} than the manifest")
    problems += [
        f"{name} has an organization {other} that is not in the manifest" for other in found
    ]
    return problems
