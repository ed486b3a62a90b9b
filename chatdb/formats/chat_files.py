"""Chats kept as JSON files, as by Multichat and similar programs before they had a database.

A folder with a file for each conversation (a bare list of messages, or an object with them), with
or without an index; or one file with all. `docs/formats.md` describes each field.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from chatdb.errors import InvalidInputError
from chatdb.formats.base import Sample, Skipped, Tally
from chatdb.formats.beginnings import Beginnings, FirstMessage
from chatdb.formats.chat_files_shapes import (
    Index,
    Indexes,
    another_products,
    conversations_in,
    is_conversation,
    is_message,
    is_talk,
    path_in,
    stem,
)
from chatdb.formats.cleaning import add_fields, clean_conversation, mark
from chatdb.formats.fields import kept
from chatdb.formats.files.duplicate_keys import MOST_NAMED, TWICE, dropped_values
from chatdb.formats.files.json_records import decode_value
from chatdb.formats.files.json_stream import Element, JsonStream
from chatdb.formats.files.source_files import SourceFile
from chatdb.formats.files.sources import Source
from chatdb.formats.identity import conversation_id, source_hash, uuid_of
from chatdb.formats.linear import add_entries
from chatdb.formats.products import product_among
from chatdb.formats.times import EPOCH, GUESSED, MISSING, Moment, parse_time
from chatdb.records import Conversation, Message

SOURCE = "chat-files"
_TITLES = ("title", "name")

Fields = dict[str, Any]


class ChatFilesReader:
    """Reads a folder of conversations, or one file with all of them."""

    name = SOURCE
    version = 2

    def recognises(self, sample: Sample) -> bool:
        values = sample.values
        if product_among(values) is not None:
            return False
        if sample.layout == "list" and values and all(map(is_message, values)):
            return is_talk(values)
        return any(is_conversation(value) or conversations_in(value) for value in values)

    def read(
        self, source: Source, tally: Tally, *, source_name: str | None = None
    ) -> Iterator[Conversation | Skipped]:
        """Yield the conversations of all files, then the entries of the indexes without a file."""
        indexes = Indexes(source)
        beginnings = Beginnings(SOURCE, source_name)
        for file in source.files:
            if not indexes.is_one(file.name):
                path = path_in(source.name, file.name)
                reading = _Reading(tally, source_name, beginnings, file, path, indexes.of(path))
                yield from reading.conversations(alone=len(source.files) == 1)
        for index in indexes:
            for missing in index.entries.keys() - index.met:
                tally.skipped += 1
                title = index.entries[missing].get("title")
                reason = f"its file is missing ({title!r})"
                yield Skipped(f"{index.place}: {missing}", reason, missing)


reader = ChatFilesReader()


class _Reading:
    """Reads one file."""

    def __init__(
        self,
        tally: Tally,
        source_name: str | None,
        beginnings: Beginnings,
        file: SourceFile,
        path: str,
        index: Index,
    ) -> None:
        self._tally = tally
        self._source_name = source_name
        self._beginnings = beginnings
        self._file = file
        self._stem = stem(path)
        self._folder = path[: path.rfind("/") + 1]
        self._index = index

    def conversations(self, *, alone: bool) -> Iterator[Conversation | Skipped]:
        """Yield the conversations of the file; of a truncated one those that are complete."""
        messages: list[Any] = []
        broken: str | None = None
        is_empty = True
        with self._file.open() as stream:
            values = JsonStream(stream)
            for element in values:
                is_empty = False
                if not isinstance(element, Element):
                    broken = f"broken at byte {element.offset}: {element.reason}"
                    break
                decoded = decode_value(element.data, element.offset)
                if decoded.error is not None:
                    broken = decoded.error
                    break
                yield from self._dropped(element, decoded.value)
                if is_message(decoded.value):
                    messages.append(decoded.value)
                else:
                    yield from self._value(decoded.value, element.index)
        if messages:
            yield self._talk(self._stem, {"messages": messages})
        if broken is not None:
            if alone and not messages:
                raise InvalidInputError(f"{self._file.name} is {broken}")
            yield self._skip(self._file.name, broken, self._stem)
            self._index.met.add(self._stem)
        elif is_empty and not alone:
            yield self._empty(is_list=values.layout == "list")

    def _dropped(self, element: Element, value: Any) -> Iterator[Skipped]:
        """Yield the values that a repeated key replaced."""
        for number, each in enumerate(dropped_values(element.data, value)):
            self._tally.lossy[TWICE] += 1
            if number < MOST_NAMED:
                place = f"{self._file.name}: entry {element.index + 1}: {each.what}"
                yield self._skip(place, each.reason)

    def _empty(self, *, is_list: bool) -> Conversation | Skipped:
        """Return the conversation without messages that an empty list represents in an index."""
        if is_list and self._stem in self._index.entries:
            return self._talk(self._stem, {"messages": []})
        self._index.met.add(self._stem)
        return self._skip(self._file.name, "it contains no conversation", self._stem)

    def _value(self, value: Any, number: int) -> Iterator[Conversation | Skipped]:
        inside = conversations_in(value)
        if inside:
            for key, each in inside.items():
                yield self._named(key, each)
        elif is_conversation(value):
            own = value.get("id") or value.get("conversation_id")
            yield (
                self._named(str(own), value) if own else self._talk(f"{self._stem}#{number}", value)
            )
        else:
            reason = another_products(value) if isinstance(value, dict) else None
            place = f"{self._file.name}: entry {number + 1}"
            yield self._skip(place, reason or "no conversation")

    def _skip(self, place: str, reason: str, source_id: str | None = None) -> Skipped:
        self._tally.skipped += 1
        return Skipped(place, reason, source_id)

    def _named(self, own: str, value: Fields) -> Conversation:
        """Make the record of a conversation whose id the source names."""
        self._tally.other_ids = None
        return self._record(own, own, value, conversation_id(SOURCE, self._source_name, own))

    def _talk(self, name: str, value: Fields) -> Conversation:
        """Make the record of a conversation without id, from a file or a place of that name."""
        # A file that is named by a UUID keeps it, wherever it is moved.
        if uuid_of(name) is not None:
            return self._named(name, value)
        place = f"{self._folder}{name}"
        entries = value["messages"]
        made = self._beginnings.made(
            (_opening(entry) for entry in entries if isinstance(entry, dict)),
            place=place,
            about=(str(value.get("user_id") or ""), str(value.get("created_at") or "")),
            former=conversation_id(SOURCE, self._source_name, name),
        )
        self._tally.other_ids = made.others
        return self._record(name, place, value, made.id)

    def _record(self, key: str, source_id: str, value: Fields, identifier: UUID) -> Conversation:
        """Make the record; the index's fields fill in what the file lacks."""
        self._index.met.add(key)
        fields = {**self._index.entries.get(key, {}), **value}
        fields.pop("id", None)
        entries = fields.pop("messages")
        times = [_time_of(entry) for entry in entries]
        raw = fields.pop("created_at", None), fields.pop("updated_at", None)
        made, changed = parse_time(raw[0]), parse_time(raw[1])
        created, updated = _span(made.at, changed.at, times)
        title = next((fields.pop(key) for key in _TITLES if isinstance(fields.get(key), str)), None)
        record = Conversation(
            id=identifier,
            user_id=str(fields.pop("user_id")) if fields.get("user_id") else None,
            title=title or None,
            created_at=created,
            updated_at=updated,
            source=SOURCE,
            source_id=source_id,
        )
        add_fields(record, kept(fields))
        if made.at is None:
            mark(record, "time", GUESSED)
        if changed.odd:
            mark(record, "updated_at", raw[1])
        if made.at is None and raw[0] is not None:
            mark(record, "created_at", raw[0])
        add_entries(record, entries, self._tally, times=times)
        for message in record.messages:
            _take_time(message)
            _take_meta(message)
        clean_conversation(record, self._tally)
        record.source_hash = source_hash(SOURCE, ChatFilesReader.version, record)
        record.source_name = self._source_name
        self._tally.conversations += 1
        self._tally.messages += len(record.messages)
        return record


def _opening(entry: Fields) -> FirstMessage:
    return FirstMessage(entry.get("role"), entry.get("content"), entry.get("timestamp"))


def _span(
    made: datetime | None, changed: datetime | None, times: list[Moment]
) -> tuple[datetime, datetime]:
    """Return when a conversation was created and updated: by its fields, else by its messages."""
    known = [moment.at for moment in times if moment.at is not None]
    created = made or min(known, default=changed or EPOCH)
    return created, max(changed or max(known, default=created), created)


def _take_time(message: Message) -> None:
    """Take the raw time off the message; one without a zone was read as UTC, and is kept."""
    raw = message.metadata.pop("timestamp", None)
    if raw is not None and parse_time(raw).odd:
        mark(message, "created_at", raw)


def _take_meta(message: Message) -> None:
    """Set the model of an answer, and move the rest of `meta` to the metadata."""
    meta = message.metadata.pop("meta", None)
    if isinstance(meta, dict):
        add_fields(message, meta)
    elif meta is not None:
        message.metadata["meta"] = meta
    model = message.metadata.get("model")
    if message.role == "assistant" and isinstance(model, str) and model:
        message.model = message.metadata.pop("model")


def _time_of(entry: Any) -> Moment:
    return parse_time(entry.get("timestamp")) if isinstance(entry, dict) else MISSING
