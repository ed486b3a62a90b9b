"""Conversations into `chat_threads`. `docs/layouts.md` lists what it cannot store."""

import json
from base64 import b64decode
from collections.abc import Iterator
from operator import itemgetter
from typing import Any, ClassVar
from zlib import crc32

from chatdb.layouts.writing import (
    BaseWriter,
    Value,
    WrittenRow,
    own_id,
    title_for,
    whole_number,
    without_marks,
    zoned,
)
from chatdb.primitives import canonical
from chatdb.records import MARKS, Conversation, Message

_LARGEST = 2**31 - 1


class ChatThreadsWriter(BaseWriter):
    """Writes `chat_threads`; conversations from other systems get numbers of the target."""

    name: ClassVar[str] = "chat-threads"
    names: ClassVar[tuple[str, ...]] = ("chat_threads",)
    tables: ClassVar[tuple[str, ...]] = (
        (
            "CREATE TABLE chat_threads (id serial PRIMARY KEY, user_id integer NOT NULL,"
            " title varchar(255) NOT NULL, messages json NOT NULL,"
            " created_at timestamptz NOT NULL DEFAULT now(),"
            " updated_at timestamptz NOT NULL DEFAULT now())"
        ),
    )
    after: ClassVar[tuple[str, ...]] = (
        (
            # The application's next insert would otherwise get a number that is taken.
            "SELECT setval(pg_get_serial_sequence('chat_threads', 'id'),"
            " greatest((SELECT max(id) FROM chat_threads), 1))"
        ),
    )

    def rows(self, record: Conversation) -> Iterator[WrittenRow]:
        """Yield the thread."""
        fields = without_marks(record.metadata)
        is_own = record.source == "chat-threads"
        entries: list[Any] = [self._entry(each, is_own=is_own) for each in self._messages(record)]
        if is_own:
            for place, odd in sorted(_odd_entries(fields.pop("messages", None)), key=itemgetter(0)):
                entries.insert(place, odd)
        self._lose_snapshots(record)
        self._lose_embeddings(record)
        row: dict[str, Value] = {}
        number = whole_number(own_id(record, "chat-threads"))
        if number is not None:
            row["id"] = number
        row |= {
            "user_id": self._user(record),
            "title": title_for(record, "chat-threads", self._writing),
            "messages": _array(entries),
            "created_at": zoned(record.created_at),
            "updated_at": zoned(record.updated_at),
        }
        written = WrittenRow("chat_threads", row)
        self._as_it_came(record, record, written, fields)
        self._writing.lose("metadata of conversations left out", bool(fields))
        yield written

    def _user(self, record: Conversation) -> int:
        user = record.user_id
        number = whole_number(user)
        if number is not None:
            return number
        self._writing.lose("users who are no numbers: written as a number made of the id")
        # The same user gets the same number in every export; the column is a signed integer.
        return crc32((user or "").encode()) & _LARGEST

    def _entry(self, message: Message, *, is_own: bool) -> dict[str, Any]:
        self._lose_fields(message, "author", "model", "reasoning", "tool_calls", "tool_outputs")
        self._lose_fields(message, "attachments")
        marks = message.metadata.get(MARKS)
        marks = marks if isinstance(marks, dict) else {}
        entry: dict[str, Any] = {
            "role": marks.get("role", message.role) if is_own else message.role,
            "content": _original(marks) or message.content,
        }
        fields = without_marks(message.metadata)
        if not is_own:
            return fields | entry
        columns = {} if message.edited_at is not None else dict(marks.get("columns", {}))
        absent = columns.pop("absent", ())
        entry = entry | fields | columns
        return {name: value for name, value in entry.items() if name not in absent}


writer = ChatThreadsWriter


def _array(entries: list[Any]) -> str:
    """Return the array as text; a lone surrogate, which UTF-8 lacks, as its escape sequence."""
    try:
        return canonical.encode_text(entries)
    except UnicodeEncodeError:
        return json.dumps(entries, sort_keys=True, separators=(",", ":"))


def _odd_entries(found: Any) -> Iterator[tuple[int, Any]]:
    """Yield entries that are not messages with their places in the array."""
    for place, entry in found.items() if isinstance(found, dict) else ():
        if place.isdecimal():
            yield int(place), entry


def _original(marks: dict[str, Any]) -> str | None:
    """Return a text before the replacement of characters that only `json` can store."""
    originals = marks.get("original")
    encoded = originals.get("content") if isinstance(originals, dict) else None
    return b64decode(encoded).decode("utf-8", "surrogatepass") if encoded else None
