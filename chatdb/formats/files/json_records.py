"""The loop that readers of JSON formats share: value by value, from bytes to records."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from chatdb.errors import InvalidInputError
from chatdb.formats.base import Sample, Skipped, Tally
from chatdb.formats.beginnings import Beginnings, FirstMessage
from chatdb.formats.cleaning import clean_conversation
from chatdb.formats.fields import kind_of
from chatdb.formats.files.duplicate_keys import MOST_NAMED, TWICE, Dropped, dropped_values
from chatdb.formats.files.json_stream import Element, JsonStream
from chatdb.formats.files.source_files import SourceFile
from chatdb.formats.files.sources import Source
from chatdb.formats.identity import conversation_id, source_hash
from chatdb.formats.unread import Unread, bytes_digest, with_bytes
from chatdb.primitives.garbage import rare_collections
from chatdb.primitives.nesting import TOO_DEEP, TooDeepError, roomy, with_room
from chatdb.records import Conversation

decode_any = msgspec.json.Decoder().decode
_tolerant = roomy(json.JSONDecoder(strict=False).decode)
_ESCAPED_NUL = b"\\u0000"
_FILE_ID = re.compile(rb"file[-_][0-9A-Za-z_-]+")
ODD_SHAPE = (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError)
"""Errors of a conversion for an unknown shape: that entry is skipped and listed."""


class BadRecordError(Exception):
    """A source record that is not a conversation; the text says why."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded value, or why there is none; `dirty` if texts in it may need cleaning."""

    value: Any = None
    dirty: bool = False
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Peeked:
    """A record's own claims, without decoding: its id in the source, and its user."""

    source_id: str
    user_id: str | None = None


@dataclass(slots=True)
class RecordContext:
    """What a conversion needs besides the record itself; `place` is where that is.

    `defers` tells whether records are left undecoded if possible. `file_names` has the names of
    files by their ids, where other files of the source tell them.
    """

    tally: Tally
    source_name: str | None
    beginnings: Beginnings
    defers: Callable[[], bool] | None = None
    file_names: Mapping[str, str] = field(default_factory=dict)
    place: str = ""
    skips: list[tuple[str, str, str | None]] = field(default_factory=list)

    def made_id(
        self, messages: Iterable[FirstMessage], *, about: Sequence[str], former: UUID
    ) -> UUID:
        """Return the id of a conversation that has none, derived from its beginning."""
        made = self.beginnings.made(messages, place=self.place, about=about, former=former)
        self.tally.other_ids = made.others
        return made.id

    def drop(self, dropped: Dropped) -> None:
        """Count the values that a repeated key replaced, and list the first of them."""
        self.tally.lossy[TWICE] += 1
        if len(self.skips) < MOST_NAMED:
            self.skip(dropped.what, dropped.reason)

    def skip(self, what: str, reason: str, source_id: str | None = None) -> None:
        """Report a part of the conversation that could not be read."""
        self.skips.append((what, reason, source_id))


def decode_value(
    data: bytes, offset: int = 0, *, decode: Callable[[Any], Any] = decode_any
) -> Decoded:
    """Decode one JSON value, even if msgspec refuses it: lone surrogates, NaN, raw controls.

    `offset` is where the value is in its file, to name an invalid byte; `decode` may be stricter
    and faster than decoding into dictionaries.
    """
    try:
        value = decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_tolerantly(data, offset)
    except RecursionError:
        return _decode_deep(data, offset, decode)
    return Decoded(value, dirty=_ESCAPED_NUL in data)


def _decode_deep(data: bytes, offset: int, decode: Callable[[Any], Any]) -> Decoded:
    try:
        value = with_room(decode, data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_tolerantly(data, offset)
    except TooDeepError:
        return Decoded(error=TOO_DEEP)
    return Decoded(value, dirty=_ESCAPED_NUL in data)


def _decode_tolerantly(data: bytes, offset: int) -> Decoded:
    try:
        return Decoded(_tolerant(data.decode("utf-8")), dirty=True)
    except UnicodeDecodeError as error:
        place = offset + error.start
        return Decoded(error=f"not UTF-8: byte 0x{data[error.start]:02x} at byte {place}")
    except TooDeepError:
        return Decoded(error=TOO_DEEP)
    except json.JSONDecodeError as error:
        return Decoded(error=f"not JSON: {error.msg} (character {error.pos} of the entry)")
    except ValueError as error:
        return Decoded(error=f"not JSON: {error}")


class JsonReader(ABC):
    """A reader whose conversations are JSON objects in a list, wrapped, or one after another.

    A format needs its names, how to recognise a record, and `convert`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int]

    @abstractmethod
    def recognises_record(self, value: Any) -> bool:
        """Tell from its structure whether a decoded value is a conversation of this format."""

    def decode(self, data: bytes) -> Any:
        """Decode a record; a format may have a faster way than dictionaries."""
        return decode_any(data)

    def peek(self, data: bytes) -> Peeked | None:
        """Return a record's identity, as `convert` would; None if it has to be decoded.

        Raises `msgspec.DecodeError` for invalid JSON.
        """
        del data
        return None

    @abstractmethod
    def convert(self, record: dict[str, Any], context: RecordContext) -> Conversation:
        """Turn a record into a conversation; the record may be modified.

        Raises BadRecordError for an invalid record.
        """

    def names_in(self, source: Source) -> Mapping[str, str]:
        """Return the names of files by their ids, from other files than those with records."""
        del source
        return {}

    def unwrap(self, value: Any) -> Sequence[Any] | None:
        """Return the records in a value that contains several; None for a single record."""
        del value
        return None

    def recognises(self, sample: Sample) -> bool:
        return any(self.recognises_record(value) for value in sample.values)

    def read(
        self, source: Source, tally: Tally, *, source_name: str | None = None
    ) -> Iterator[Conversation | Skipped]:
        """Yield the conversations of all files of the source in order.

        Raises InvalidInputError if the only file of the source has no complete value.
        """
        for item in self._read(source, self._context(tally, source_name)):
            if not isinstance(item, Unread):
                yield item

    def read_unread(
        self,
        source: Source,
        tally: Tally,
        *,
        source_name: str | None = None,
        defers: Callable[[], bool],
    ) -> Iterator[Conversation | Skipped | Unread]:
        """Yield what `read` does, conversations undecoded for as long as `defers` says."""
        context = self._context(tally, source_name)
        context.defers = defers
        yield from self._read(source, context)

    def _context(self, tally: Tally, source_name: str | None) -> RecordContext:
        return RecordContext(tally, source_name, Beginnings(self.name, source_name))

    def _read(
        self, source: Source, context: RecordContext
    ) -> Iterator[Conversation | Skipped | Unread]:
        alone = len(source.files) == 1
        context.file_names = self.names_in(source)
        with rare_collections():
            for file in source.files:
                yield from self._read_file(file, context, alone=alone)

    def _read_file(
        self, file: SourceFile, context: RecordContext, *, alone: bool
    ) -> Iterator[Conversation | Skipped | Unread]:
        decode = partial(self._decode_or_peek, context)
        with file.open() as stream:
            elements = JsonStream(stream, decode=decode)
            for number, element in enumerate(elements):
                if isinstance(element, Element):
                    yield from self._items(file, element, context)
                # Of several files the others are still read.
                elif number == 0 and alone:
                    raise InvalidInputError(
                        f"{file.name} is broken at byte {element.offset}, "
                        f"before anything complete: {element.reason.removeprefix(f'{file.name} ')}",
                        hint=element.hint,
                    )
                else:
                    context.tally.skipped += 1
                    yield Skipped(f"{file.name}: byte {element.offset}", element.reason)
            for name in elements.outer_fields:
                context.tally.unknown_fields[name] += 1

    def _decode_or_peek(self, context: RecordContext, data: bytes) -> Any:
        if context.defers is not None and context.defers():
            peeked = self.peek(data)
            if peeked is not None:
                return peeked
        return self.decode(data)

    def _unread(
        self, file: SourceFile, element: Element, peeked: Peeked, known: RecordContext
    ) -> Unread:
        def read(tally: Tally) -> list[Conversation | Skipped]:
            context = self._context(tally, known.source_name)
            context.file_names = known.file_names
            found = self._items(file, replace(element, value=None), context)
            return [item for item in found if not isinstance(item, Unread)]

        return Unread(
            id=conversation_id(self.name, known.source_name, peeked.source_id),
            user_id=peeked.user_id,
            data=element.data,
            digest=self._digest(element.data, known),
            read=read,
        )

    def _digest(self, data: bytes, context: RecordContext) -> str:
        """Return the digest of a record's bytes and of the names of the files it points to."""
        names = context.file_names
        if names and b"file" in data:
            known = {each.decode() for each in _FILE_ID.findall(data)} & names.keys()
            # Names that another file of the export tells are as much its source as its bytes.
            data += b"".join(f"\n{each} {names[each]}".encode() for each in sorted(known))
        return bytes_digest(self.name, self.version, data)

    def _items(
        self, file: SourceFile, element: Element, context: RecordContext
    ) -> Iterator[Conversation | Skipped | Unread]:
        """Yield the conversation of an element, or those in it."""
        if element.value is None:
            decode = partial(self._decode_or_peek, context)
            decoded = decode_value(element.data, element.offset, decode=decode)
        else:
            decoded = Decoded(element.value[0], dirty=_ESCAPED_NUL in element.data)
        if isinstance(decoded.value, Peeked):
            yield self._unread(file, element, decoded.value, context)
            return
        place = _place(file, element, decoded.value)
        for each in [] if decoded.error else dropped_values(element.data, decoded.value):
            context.drop(each)
        context.place = f"{PurePosixPath(file.name).name}#{element.index}"
        records = None if decoded.error else self.unwrap(decoded.value)
        if records is None:
            yield from self._item(place, decoded, context, alone_in=element.data)
            return
        for number, record in enumerate(records):
            part = Decoded(record, dirty=decoded.dirty)
            yield from self._item(f"{place}: conversation {number + 1}", part, context)

    def _item(
        self, place: str, decoded: Decoded, context: RecordContext, *, alone_in: bytes | None = None
    ) -> Iterator[Conversation | Skipped]:
        """Yield a conversation, and the parts of it that could not be read.

        `alone_in` are the bytes that contain it and nothing else.
        """
        # Counts of its own: they are kept with the digest, for when its bytes come again.
        own = replace(context, tally=Tally(), skips=[*context.skips])
        context.skips.clear()
        tally = own.tally
        item = self._converted(place, decoded, own)
        parts: list[Skipped] = []
        if isinstance(item, Conversation):
            tally.conversations += 1
            tally.messages += len(item.messages)
            if item.kind != "chat":
                tally.kinds[item.kind] += 1
            parts = [Skipped(f"{place}: {what}", why, known) for what, why, known in own.skips]
            if alone_in is not None and item.source_hash is not None and not parts:
                digest = self._digest(alone_in, own)
                item.source_hash = with_bytes(item.source_hash, digest, tally)
        else:
            tally.skipped += 1
        tally.skipped += len(parts)
        context.tally.add(tally)
        context.tally.other_ids = tally.other_ids
        yield item
        yield from parts

    def _converted(
        self, place: str, decoded: Decoded, context: RecordContext
    ) -> Conversation | Skipped:
        if decoded.error is not None:
            return Skipped(place, decoded.error)
        record = decoded.value
        if not isinstance(record, dict):
            return Skipped(place, f"not an object but {kind_of(record)}")
        identifier = _identifier(record)
        context.tally.other_ids = None
        try:
            conversation = self.convert(record, context)
            if decoded.dirty:
                clean_conversation(conversation, context.tally)
            conversation.source_hash = source_hash(self.name, self.version, conversation)
        except (BadRecordError, TooDeepError) as error:
            return Skipped(place, str(error), identifier)
        except ODD_SHAPE as error:
            return Skipped(place, f"unreadable: {type(error).__name__}: {error}", identifier)
        # After the hash: an installation that is named later must not
        # make all records look changed.
        conversation.source_name = context.source_name
        return conversation


def _place(file: SourceFile, element: Element, value: Any) -> str:
    title = value.get("title") or value.get("name") if isinstance(value, dict) else None
    named = f" {title[:80]!r}" if isinstance(title, str) else ""
    return f"{file.name}: entry {element.index + 1}{named} (byte {element.offset})"


def _identifier(record: dict[str, Any]) -> str | None:
    for name in ("conversation_id", "uuid", "id"):
        value = record.get(name)
        if isinstance(value, str | int) and value != "":
            return str(value)[:200]
    return None
