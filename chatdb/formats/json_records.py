"""The loop that readers of JSON formats share: value by value, from bytes to records."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, ClassVar
from uuid import UUID

import msgspec

from chatdb.errors import InvalidInputError
from chatdb.formats.base import Sample, Skipped, Tally
from chatdb.formats.beginnings import Beginnings, Opening
from chatdb.formats.cleaning import clean_conversation
from chatdb.formats.duplicate_keys import MOST_NAMED, TWICE, Dropped, dropped_values
from chatdb.formats.fields import kind_of
from chatdb.formats.identity import source_hash
from chatdb.formats.json_stream import Element, JsonStream
from chatdb.formats.source_files import SourceFile
from chatdb.formats.sources import Source
from chatdb.garbage import rare_collections
from chatdb.nesting import TOO_DEEP, TooDeepError, roomy, with_room
from chatdb.records import Conversation

decode_any = msgspec.json.Decoder().decode
_tolerant = roomy(json.JSONDecoder(strict=False).decode)
_ESCAPED_NUL = b"\\u0000"
_ODD_SHAPE = (TypeError, ValueError, KeyError, AttributeError, OverflowError, RecursionError)
"""What a conversion raises on a shape nobody has seen yet: that entry is skipped, named."""


class BadRecordError(Exception):
    """A source record that is no conversation; the text says why."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded value, or why it is none; `dirty` when texts in it may need cleaning."""

    value: Any = None
    dirty: bool = False
    error: str | None = None


@dataclass(slots=True)
class Context:
    """What a conversion needs besides the record itself; `place` is where that stands."""

    tally: Tally
    source_name: str | None
    beginnings: Beginnings
    place: str = ""
    skips: list[tuple[str, str, str | None]] = field(default_factory=list)

    def made_id(self, messages: Iterable[Opening], *, about: Sequence[str], former: UUID) -> UUID:
        """Return the id of a conversation that has none, made of how it begins."""
        made = self.beginnings.made(messages, place=self.place, about=about, former=former)
        self.tally.other_ids = made.others
        return made.id

    def drop(self, dropped: Dropped) -> None:
        """Count what a key that stands twice took the place of, and name the first of them."""
        self.tally.lossy[TWICE] += 1
        if len(self.skips) < MOST_NAMED:
            self.skip(dropped.what, dropped.reason)

    def skip(self, what: str, reason: str, source_id: str | None = None) -> None:
        """Report a part of the conversation that could not be read."""
        self.skips.append((what, reason, source_id))


def decode_value(
    data: bytes, offset: int = 0, *, decode: Callable[[Any], Any] = decode_any
) -> Decoded:
    """Decode one JSON value, also what msgspec refuses: lone surrogates, NaN, raw controls.

    `offset` is where the value stands in its file, for naming a wrong byte; `decode` may be
    something stricter and faster than decoding into dictionaries.
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
        """Decode a record; a format may know a faster way than dictionaries."""
        return decode_any(data)

    @abstractmethod
    def convert(self, record: dict[str, Any], context: Context) -> Conversation:
        """Turn a record into a conversation; the record may be taken apart.

        Raises BadRecordError for a record that is none.
        """

    def unwrap(self, value: Any) -> Sequence[Any] | None:
        """Return the records in a value that holds several; None for one that is a record."""
        del value
        return None

    def recognises(self, sample: Sample) -> bool:
        return any(self.recognises_record(value) for value in sample.values)

    def read(
        self, source: Source, tally: Tally, *, source_name: str | None = None
    ) -> Iterator[Conversation | Skipped]:
        """Yield the conversations of all files of the source in order.

        Raises InvalidInputError when nothing complete is in the only file of the source.
        """
        context = Context(tally, source_name, Beginnings(self.name, source_name))
        alone = len(source.files) == 1
        with rare_collections():
            for file in source.files:
                yield from self._read_file(file, context, alone=alone)

    def _read_file(
        self, file: SourceFile, context: Context, *, alone: bool
    ) -> Iterator[Conversation | Skipped]:
        with file.open() as stream:
            elements = JsonStream(stream, decode=self.decode)
            for number, element in enumerate(elements):
                if isinstance(element, Element):
                    yield from self._items(file, element, context)
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

    def _items(
        self, file: SourceFile, element: Element, context: Context
    ) -> Iterator[Conversation | Skipped]:
        """Yield the conversation of an element, or those in it."""
        if element.value is None:
            decoded = decode_value(element.data, element.offset, decode=self.decode)
        else:
            decoded = Decoded(element.value[0], dirty=_ESCAPED_NUL in element.data)
        place = _place(file, element, decoded.value)
        for each in [] if decoded.error else dropped_values(element.data, decoded.value):
            context.drop(each)
        context.place = f"{PurePosixPath(file.name).name}#{element.index}"
        records = None if decoded.error else self.unwrap(decoded.value)
        if records is None:
            yield from self._item(place, decoded, context)
            return
        for number, record in enumerate(records):
            part = Decoded(record, dirty=decoded.dirty)
            yield from self._item(f"{place}: conversation {number + 1}", part, context)

    def _item(
        self, place: str, decoded: Decoded, context: Context
    ) -> Iterator[Conversation | Skipped]:
        """Yield a conversation, and what in it could not be read."""
        tally = context.tally
        item = self._converted(place, decoded, context)
        if isinstance(item, Conversation):
            tally.conversations += 1
            tally.messages += len(item.messages)
            parts = [Skipped(f"{place}: {what}", why, known) for what, why, known in context.skips]
        else:
            tally.skipped += 1
            parts = []
        context.skips.clear()
        tally.skipped += len(parts)
        yield item
        yield from parts

    def _converted(self, place: str, decoded: Decoded, context: Context) -> Conversation | Skipped:
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
        except _ODD_SHAPE as error:
            return Skipped(place, f"unreadable: {type(error).__name__}: {error}", identifier)
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
