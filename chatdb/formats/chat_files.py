"""Chats kept as JSON files, as Multichat and its like did before they had a database.

A folder with a file for each conversation (a bare list of messages, or an object with them), with
or without an index; or one file with all. `docs/formats.md` tells where each field goes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from chatdb.errors import InvalidInputError
from chatdb.formats.base import Sample, Skipped, Tally
from chatdb.formats.cleaning import add_fields, clean_conversation, mark
from chatdb.formats.fields import kept
from chatdb.formats.identity import conversation_id, source_hash
from chatdb.formats.json_records import decode_value
from chatdb.formats.json_stream import Element, JsonStream
from chatdb.formats.linear import add_entries
from chatdb.formats.sources import Source, SourceFile
from chatdb.formats.times import EPOCH, MISSING, Moment, parse_time
from chatdb.records import Conversation, Message

SOURCE = "chat-files"
_LARGEST_INDEX = 64 << 20
_TITLES = ("title", "name")


@dataclass(slots=True)
class _Index:
    """What an index says of conversations by id, and which of them were met."""

    place: str = ""
    entries: dict[str, dict[str, Any]] = field(default_factory=dict)
    met: set[str] = field(default_factory=set)


class ChatFilesReader:
    """Reads a folder of conversations, or one file with all of them."""

    name = SOURCE
    title = "a folder of JSON files, or one with all"
    version = 1

    def recognises(self, sample: Sample) -> bool:
        values = sample.values
        if sample.layout == "list" and values and all(map(_is_message, values)):
            return True
        return any(_is_conversation(value) or _conversations_in(value) for value in values)

    def read(
        self, source: Source, tally: Tally, *, source_name: str | None = None
    ) -> Iterator[Conversation | Skipped]:
        """Yield the conversations of all files, then the entries of the index without a file."""
        index = _find_index(source)
        reading = _Reading(tally, source_name, index)
        for file in source.files:
            if file.name != index.place:
                yield from reading.file(file, alone=len(source.files) == 1)
        for missing in index.entries.keys() - index.met:
            tally.skipped += 1
            title = index.entries[missing].get("title")
            yield Skipped(f"{index.place}: {missing}", f"its file is missing ({title!r})", missing)


reader = ChatFilesReader()


class _Reading:
    """Reads the files of one source."""

    def __init__(self, tally: Tally, source_name: str | None, index: _Index) -> None:
        self._tally = tally
        self._source_name = source_name
        self._index = index

    def file(self, file: SourceFile, *, alone: bool) -> Iterator[Conversation | Skipped]:
        """Yield the conversations of a file; of a cut one what was complete before the cut."""
        messages: list[Any] = []
        broken: str | None = None
        is_empty = True
        with file.open() as stream:
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
                if _is_message(decoded.value):
                    messages.append(decoded.value)
                else:
                    yield from self._value(file, decoded.value, element.index)
        if messages:
            yield self._finished(_stem(file.name), {"messages": messages})
        if broken is not None:
            if alone and not messages:
                raise InvalidInputError(f"{file.name} is {broken}")
            yield self._skip(file.name, broken, _stem(file.name))
            self._index.met.add(_stem(file.name))
        elif is_empty and not alone:
            yield self._empty(file, is_list=values.layout == "list")

    def _empty(self, file: SourceFile, *, is_list: bool) -> Conversation | Skipped:
        """Return the conversation without messages that an empty list is to an index."""
        source_id = _stem(file.name)
        if is_list and source_id in self._index.entries:
            return self._finished(source_id, {"messages": []})
        self._index.met.add(source_id)
        return self._skip(file.name, "there is no conversation in it", source_id)

    def _value(self, file: SourceFile, value: Any, number: int) -> Iterator[Conversation | Skipped]:
        inside = _conversations_in(value)
        if inside:
            for key, each in inside.items():
                yield self._finished(key, each)
        elif _is_conversation(value):
            own = value.get("id") or value.get("conversation_id")
            yield self._finished(str(own or f"{_stem(file.name)}#{number}"), value)
        else:
            yield self._skip(f"{file.name}: entry {number + 1}", "no conversation")

    def _skip(self, place: str, reason: str, source_id: str | None = None) -> Skipped:
        self._tally.skipped += 1
        return Skipped(place, reason, source_id)

    def _finished(self, source_id: str, value: dict[str, Any]) -> Conversation:
        """Make the record; what the index says fills in what the file does not."""
        self._index.met.add(source_id)
        fields = {**self._index.entries.get(source_id, {}), **value}
        fields.pop("id", None)
        entries = fields.pop("messages")
        times = [_time_of(entry) for entry in entries]
        known = [moment.at for moment in times if moment.at is not None]
        raw = fields.pop("created_at", None), fields.pop("updated_at", None)
        made, changed = parse_time(raw[0]), parse_time(raw[1])
        created = made.at or min(known, default=changed.at or EPOCH)
        updated = max(changed.at or max(known, default=created), created)
        title = next((fields.pop(key) for key in _TITLES if isinstance(fields.get(key), str)), None)
        record = Conversation(
            id=conversation_id(SOURCE, self._source_name, source_id),
            user_id=str(fields.pop("user_id")) if fields.get("user_id") else None,
            title=title or None,
            created_at=created,
            updated_at=updated,
            source=SOURCE,
            source_id=source_id,
        )
        add_fields(record, kept(fields))
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


def _take_time(message: Message) -> None:
    """Take the raw time off the message; one without a zone was taken as UTC, and is kept."""
    raw = message.metadata.pop("timestamp", None)
    if raw is not None and parse_time(raw).odd:
        mark(message, "created_at", raw)


def _take_meta(message: Message) -> None:
    """Put the model of an answer in its place, and the rest of `meta` among the metadata."""
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


def _find_index(source: Source) -> _Index:
    """Return what the index among the files says: an object of conversations without talk."""
    for file in source.files if len(source.files) > 1 else ():
        if file.size > _LARGEST_INDEX or "index" not in _stem(file.name).lower():
            continue
        with file.open(counting=False) as stream:
            decoded = decode_value(stream.read())
        entries = _entries_of(decoded.value)
        if entries:
            return _Index(file.name, entries)
    return _Index()


def _entries_of(value: Any) -> dict[str, dict[str, Any]] | None:
    inside = value.get("conversations", value) if isinstance(value, dict) else value
    if isinstance(inside, list):
        inside = {
            str(each.get("id")): each for each in inside if isinstance(each, dict) and "id" in each
        }
    if not isinstance(inside, dict) or not all(isinstance(each, dict) for each in inside.values()):
        return None
    if any("messages" in each for each in inside.values()):
        return None
    return {key: dict(each) for key, each in inside.items()}


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and "role" in value and "content" in value


def _is_conversation(value: Any) -> bool:
    messages = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(messages, list) or "mapping" in value:
        return False
    if not messages:
        return "id" in value and "title" in value
    return any(map(_is_message, messages[:20])) and not {"id", "title"}.isdisjoint(value)


def _conversations_in(value: Any) -> dict[str, Any] | None:
    """Return the conversations of `{id: conversation}`; None for anything else."""
    if not isinstance(value, dict) or not value or "messages" in value:
        return None
    whole = {
        key: {"messages": each} if isinstance(each, list) else each for key, each in value.items()
    }
    for each in whole.values():
        messages = each.get("messages") if isinstance(each, dict) else None
        if not isinstance(messages, list) or not all(map(_is_message, messages[:20])):
            return None
    return whole


def _stem(name: str) -> str:
    return PurePosixPath(name).name.split(".")[0]
