"""The native format: JSON Lines, a header and then one whole conversation a line.

Lossless and byte-stable: fields in the order of the records, empty ones left out, JSON columns
canonical. `docs/formats.md` describes it, `docs/native-format.schema.json` is its schema.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BufferedIOBase
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from chatdb.errors import InvalidInputError
from chatdb.formats.base import Sample, Skipped, Tally, WriteOptions
from chatdb.formats.cleaning import clean_conversation
from chatdb.formats.files.streams import lines_of
from chatdb.formats.identity import REPEATED, MessageIds
from chatdb.formats.unread import Counts, Unread
from chatdb.primitives import canonical
from chatdb.primitives.nesting import TOO_DEEP, TooDeepError, roomy
from chatdb.records import DIGEST, Conversation, Message, sorted_embeddings, sorted_files
from chatdb.store.columns import DEFAULTS, JSON, OBJECT, TIME, fields_of

if TYPE_CHECKING:
    from chatdb.formats.files.source_files import SourceFile
    from chatdb.formats.files.sources import Source

FORMAT = "chatdb"
VERSION = 2
"""1 had no files, attached text, kinds and authors; it is read as before."""

_JSON_FIELDS = fields_of("messages", JSON, OBJECT)
_TIMES = fields_of("conversations", TIME)
_MESSAGE_TIMES = fields_of("messages", TIME)
_SNAPSHOT_TIMES = fields_of("snapshots", TIME)
_MOST_POSITIONS = (1 << 31) - 1
_LARGEST = (1 << 63) - 1
_EXPONENT = re.compile(rb"e-?[0-9]+[,}\]]")
_EMBEDDINGS = b',"embeddings":['
_encode = roomy(msgspec.json.Encoder(order="deterministic").encode)
_decode = roomy(msgspec.json.Decoder(Conversation).decode)
_convert = roomy(msgspec.convert)


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
    title = "chatdb's native format"
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
        number = 0
        try:
            for number, line in enumerate(lines_of(stream), 1):
                if number == 1 and _check_header(line, file.name, tally):
                    continue
                if line.isspace():
                    continue
                place = f"{file.name}: line {number}"
                unread = _unread_line(line, place) if defers() else None
                yield _counted_line(line, place, tally) if unread is None else unread
        except InvalidInputError as error:
            # Nothing was read yet: the file is not what it was taken for, and an error says so.
            if number <= 1:
                raise
            tally.skipped += 1
            yield Skipped(f"{file.name}: after line {number}", error.text)


reader = NativeReader()


class NativeWriter:
    """Writes the native format."""

    name = "jsonl"
    title = "chatdb's native format"
    extension = ".jsonl"
    separator = b""

    def __init__(self, options: WriteOptions) -> None:
        self._source = options.source

    def begin(self) -> bytes:
        return header_line(created=datetime.now(UTC), source=self._source)

    def conversation(self, record: Conversation) -> bytes:
        return conversation_line(record)

    def end(self) -> bytes:
        return b""

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


def _unread_line(line: bytes, place: str) -> Unread | None:
    """Return a line as an undecoded conversation; None if it has to be decoded."""
    try:
        ids = _decode_ids(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    counts: Counts = {"messages": len(ids.messages)}
    if ids.kind != "chat":
        counts["kinds"] = {ids.kind: 1}

    def read(tally: Tally) -> list[Conversation | Skipped]:
        return [_counted_line(line, place, tally)]

    return Unread(
        ids.id,
        ids.user_id,
        line,
        None,
        read,
        counts,
        organization=ids.organization,
        organization_name=ids.organization_name,
    )


def _counted_line(line: bytes, place: str, tally: Tally) -> Conversation | Skipped:
    item = _read_line(line, place, tally)
    if isinstance(item, Skipped):
        tally.skipped += 1
    else:
        tally.conversations += 1
        tally.messages += len(item.messages)
        if item.kind != "chat":
            tally.kinds[item.kind] += 1
    return item


def _read_line(line: bytes, place: str, tally: Tally) -> Conversation | Skipped:
    try:
        record = _decode(line)
        # msgspec refuses everything else that would need cleaning.
        dirty = b"\\u0000" in line
    except TooDeepError:
        return Skipped(place, TOO_DEEP)
    except (msgspec.DecodeError, UnicodeDecodeError):
        tolerant = _read_tolerantly(line, place, tally)
        if isinstance(tolerant, Skipped):
            return tolerant
        record, dirty = tolerant, True
    try:
        _in_utc(record)
    except OverflowError as error:
        return Skipped(place, f"not a time that can be stored: {error}", str(record.id))
    # A line written by hand: the primary key would refuse the whole conversation.
    if len({message.id for message in record.messages}) != len(record.messages):
        _give_new_ids(record, tally)
    if dirty:
        clean_conversation(record, tally)
    try:
        if record.files:
            _check_files(record)
    except ValueError as error:
        return Skipped(place, f"not a file: {error}", str(record.id))
    try:
        if record.embeddings:
            _make_vectors(record)
    except ValueError as error:
        return Skipped(place, f"not an embedding: {error}", str(record.id))
    return record


def _check_files(record: Conversation) -> None:
    """Give the files their order; ValueError for a value that no database has or is a path."""
    for file in record.files:
        if not DIGEST.fullmatch(file.digest):
            raise ValueError("the digest is not 64 hexadecimal digits in lower case")
        if not 0 <= file.position <= _MOST_POSITIONS:
            raise ValueError(f"the position {file.position} is not possible")
        if file.size is not None and not 0 <= file.size <= _LARGEST:
            raise ValueError(f"the size {file.size} is not possible")
    record.files = sorted_files(record.files)


def _make_vectors(record: Conversation) -> None:
    """Give the embeddings their order, and their numbers as databases keep them; ValueError."""
    for embedding in record.embeddings:
        embedding.vector = canonical.vector(embedding.vector)
    record.embeddings = sorted_embeddings(record.embeddings)


def _give_new_ids(record: Conversation, tally: Tally) -> None:
    """Give messages that repeat an id in their conversation new ones."""
    ids = MessageIds(record.id)
    for message in record.messages:
        message.id, repeated = ids.of(str(message.id))
        if repeated:
            tally.lossy[REPEATED] += 1


def _read_tolerantly(line: bytes, place: str, tally: Tally) -> Conversation | Skipped:
    """Read a line that msgspec refuses: lone surrogates, odd numbers, unknown fields."""
    try:
        value = canonical.decode(line)
    except UnicodeDecodeError as error:
        return Skipped(place, f"not UTF-8: byte {error.start} of the line: {error.reason}")
    except TooDeepError:
        return Skipped(place, TOO_DEEP)
    except ValueError as error:
        return Skipped(place, f"not JSON: {error}")
    if not isinstance(value, dict):
        return Skipped(place, "not a conversation: the line is not a JSON object")
    identifier = value.get("id")
    try:
        _keep_unknown_fields(value, tally)
        return _convert(value, Conversation)
    except (msgspec.ValidationError, UnicodeError, TooDeepError) as error:
        source_id = identifier if isinstance(identifier, str) else None
        return Skipped(place, f"not a conversation: {error}", source_id)


def _keep_unknown_fields(value: dict[str, Any], tally: Tally) -> None:
    """Move fields that this version does not know into metadata."""
    _move_unknown(value, Conversation.__struct_fields__, "", tally)
    messages = value.get("messages")
    for message in messages if isinstance(messages, list) else []:
        if isinstance(message, dict):
            _move_unknown(message, Message.__struct_fields__, "messages.", tally)


def _move_unknown(value: dict[str, Any], known: tuple[str, ...], prefix: str, tally: Tally) -> None:
    unknown = [name for name in value if name not in known]
    if not unknown or not isinstance(value.setdefault("metadata", {}), dict):
        return
    for name in unknown:
        # A newer chatdb may have written them: an older one must not lose them.
        value["metadata"].setdefault(name, value.pop(name))
        tally.unknown_fields[prefix + name] += 1


def _in_utc(record: Conversation) -> None:
    """Turn times with another offset, or none, into UTC."""
    for name in _TIMES:
        _field_in_utc(record, name)
    for message in record.messages:
        for name in _MESSAGE_TIMES:
            _field_in_utc(message, name)
    for snapshot in record.snapshots:
        for name in _SNAPSHOT_TIMES:
            _field_in_utc(snapshot, name)


def _field_in_utc(record: msgspec.Struct, name: str) -> None:
    value = getattr(record, name)
    # Almost always: msgspec gives times ending in Z this very object.
    if value is None or value.tzinfo is UTC:
        return
    aware = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
    setattr(record, name, aware)


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


def _check_header(line: bytes, name: str, tally: Tally) -> bool:
    """Tell whether the line is a header that this version can read; raises InvalidInputError."""
    try:
        header = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    if not _is_header(header):
        return False
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
    return True
