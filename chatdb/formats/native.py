"""The native format: JSON Lines, a header and then one whole conversation a line.

Lossless and byte-stable: fields in the order of the records, empty ones left out, JSON columns
canonical. `docs/formats.md` describes it, `docs/native-format.schema.json` is its schema.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from chatdb.errors import InvalidInputError
from chatdb.formats.base import Sample, Skipped, Tally, WriteOptions, Writer
from chatdb.formats.files.streams import lines_of
from chatdb.formats.native_record import read_line
from chatdb.formats.unread import Counts, Unread
from chatdb.primitives import canonical
from chatdb.primitives.nesting import roomy
from chatdb.records import Conversation, Message
from chatdb.store.columns import DEFAULTS, JSON, OBJECT, fields_of

if TYPE_CHECKING:
    from chatdb.formats.files.source_files import SourceFile
    from chatdb.formats.files.sources import Source

FORMAT = "chatdb"
VERSION = 2
"""1 had no files, attached text, kinds and authors; it is read as before."""

_JSON_FIELDS = fields_of("messages", JSON, OBJECT)
_EXPONENT = re.compile(rb"e-?[0-9]+[,}\]]")
_EMBEDDINGS = b',"embeddings":['
_encode = roomy(msgspec.json.Encoder(order="deterministic").encode)


class Header(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The first line of a file: `created` is when it was written, `source` by what."""

    format: str
    version: int
    created: datetime | None = None
    source: str | None = None


_decode_header = msgspec.json.Decoder(Header).decode


def header_line(*, created: datetime, source: str | None = None) -> bytes:
    """Return the first line of a native file."""
    return _encode(Header(format=FORMAT, version=VERSION, created=created, source=source)) + b"\n"


def conversation_line(record: Conversation) -> bytes:
    """Return a conversation as a line; reading it back gives an equal record and the same line."""
    # msgspec leaves out a default where it is the very object, which a database does not return.
    for name, usual in DEFAULTS:
        if getattr(record, name) == usual:
            setattr(record, name, usual)
    line = _encode(record)
    # The numbers of embeddings, which come last, are right already: see `canonical.vector`.
    end = line.rfind(_EMBEDDINGS) if record.embeddings else len(line)
    if line.find(b"-0.0", 0, end) >= 0 or _EXPONENT.search(line, 0, end):
        line = _encode(_with_canonical_numbers(record))
    return line + b"\n"


class NativeReader:
    """Reads the native format, plain or compressed."""

    name = "jsonl"
    version = 1

    def recognises(self, sample: Sample) -> bool:
        first = sample.values[0] if sample.values else None
        return sample.layout == "objects" and _is_header(first)

    def read(
        self,
        source: "Source",
        tally: Tally,
        *,
        source_name: str | None = None,  # noqa: ARG002 - a native line says itself where it is from
    ) -> Iterator[Conversation | Skipped]:
        """Yield the conversations as they were written, including their sources and hashes.

        Raises InvalidInputError if the file has a newer version than this chatdb knows.
        """
        for item in self.read_unread(source, tally, defers=lambda: False):
            if not isinstance(item, Unread):
                yield item

    def read_unread(
        self,
        source: "Source",
        tally: Tally,
        *,
        source_name: str | None = None,  # noqa: ARG002 - as above
        defers: Callable[[], bool],
    ) -> Iterator[Conversation | Skipped | Unread]:
        """Yield what `read` does, conversations undecoded for as long as `defers` says."""
        for file in source.files:
            with file.open() as stream:
                yield from self._read_file(file, stream, tally, defers)

    def _read_file(
        self,
        file: "SourceFile",
        stream: BufferedIOBase,
        tally: Tally,
        defers: Callable[[], bool],
    ) -> Iterator[Conversation | Skipped | Unread]:
        number = version = 0
        try:
            for number, line in enumerate(lines_of(stream), 1):
                if number == 1:
                    version = _version_of(line, file.name, tally)
                    if version:
                        continue
                if line.isspace():
                    continue
                reading = _Line(line, f"{file.name}: line {number}", has_attached_text=version > 1)
                unread = reading.unread() if defers() else None
                yield reading.read(tally) if unread is None else unread
        except InvalidInputError as error:
            # Nothing was read yet: the file is not what it was taken for, and an error says so.
            if number <= 1:
                raise
            tally.skipped += 1
            yield Skipped(f"{file.name}: after line {number}", error.text)


reader = NativeReader()


class NativeWriter(Writer):
    """Writes the native format."""

    name = "jsonl"
    extension = ".jsonl"

    def __init__(self, options: WriteOptions) -> None:
        self._source = options.source

    def begin(self) -> bytes:
        return header_line(created=datetime.now(UTC), source=self._source)

    def conversation(self, record: Conversation) -> bytes:
        self.messages = len(record.messages)
        return conversation_line(record)

    def is_same(self, one: bytes, other: bytes) -> bool:
        heads, lines = zip(*(file.split(b"\n", 1) for file in (one, other)), strict=True)
        return lines[0] == lines[1] and _undated(heads[0]) == _undated(heads[1])


def make_writer(options: WriteOptions) -> NativeWriter:
    """Return a writer; the native format omits nothing, whatever the options."""
    return NativeWriter(options)


def _undated(head: bytes) -> Header | bytes:
    """Return a header without its time; anything else unchanged."""
    try:
        return msgspec.structs.replace(_decode_header(head), created=None)
    except msgspec.DecodeError:
        return head


class _Nothing(msgspec.Struct, gc=False):
    """A message that is not decoded any further."""


class _Ids(msgspec.Struct, gc=False):
    id: UUID
    user_id: str | None = None
    organization: str | None = None
    organization_name: str | None = None
    kind: str = "chat"
    messages: list[_Nothing] = []


_decode_ids = msgspec.json.Decoder(_Ids).decode


@dataclass(frozen=True, slots=True)
class _Line:
    """A line with its place; version 1 had no attached text."""

    line: bytes
    place: str
    has_attached_text: bool

    def unread(self) -> Unread | None:
        """Return it as an undecoded conversation; None if it has to be decoded."""
        try:
            ids = _decode_ids(self.line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        counts: Counts = {"messages": len(ids.messages)}
        if ids.kind != "chat":
            counts["kinds"] = {ids.kind: 1}
        return Unread(
            ids.id,
            ids.user_id,
            self.line,
            None,
            lambda tally: [self.read(tally)],
            counts,
            organization=ids.organization,
            organization_name=ids.organization_name,
        )

    def read(self, tally: Tally) -> Conversation | Skipped:
        """Decode and count it."""
        item = read_line(self.line, self.place, tally, has_attached_text=self.has_attached_text)
        if isinstance(item, Skipped):
            tally.skipped += 1
            return item
        tally.conversations += 1
        tally.messages += len(item.messages)
        if item.kind != "chat":
            tally.kinds[item.kind] += 1
        return item


def _with_canonical_numbers(record: Conversation) -> Conversation:
    """Copy a record with the numbers of its JSON columns in canonical form."""

    def normal(value: Any) -> Any:
        return None if value is None else canonical.decode(canonical.encode(value))

    def normal_message(message: Message) -> Message:
        changes = {name: normal(getattr(message, name)) for name in _JSON_FIELDS}
        return msgspec.structs.replace(message, **changes)

    return msgspec.structs.replace(
        record,
        metadata=normal(record.metadata),
        messages=[normal_message(message) for message in record.messages],
        snapshots=[
            msgspec.structs.replace(snapshot, state=normal(snapshot.state))
            for snapshot in record.snapshots
        ],
    )


def _is_header(value: Any) -> bool:
    return isinstance(value, dict) and value.get("format") == FORMAT and "version" in value


def _version_of(line: bytes, name: str, tally: Tally) -> int:
    """Return the version of a header that can be read, 0 for another line.

    Raises InvalidInputError for a version that cannot.
    """
    try:
        header = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0
    if not _is_header(header):
        return 0
    version = header["version"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise InvalidInputError(f"{name} has an invalid format version {version!r}")
    if version > VERSION:
        raise InvalidInputError(
            f"{name} has version {version} of the native format; this chatdb reads up to version "
            f"{VERSION}",
            hint="to upgrade chatdb: pip install --upgrade chatdb-cli",
        )
    tally.versions[f"{FORMAT} {version}"] += 1
    return version
