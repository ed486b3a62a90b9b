"""The canvases of a ChatGPT export that stand by themselves: `textdocs/`, a file for each.

A canvas is a conversation with a message for each version. The id of a message is made of its
text, so that the versions of several exports come together by the merge of conversations.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from chatdb.formats.chatgpt.attached import attached_text
from chatdb.formats.fields import with_marks
from chatdb.formats.files.json_records import JsonReader, RecordContext
from chatdb.formats.identity import conversation_id, message_id
from chatdb.formats.times import EPOCH, GUESSED, parse_time
from chatdb.records import Conversation, Message

SOURCE = "chatgpt-canvas"

_MADE, _CHANGED = ("created_at", "create_time"), ("updated_at", "update_time")
_OF_VERSION = ("version", "comments", "comment_ids")
_KNOWN = frozenset(
    ("id", "title", "content", "type", "textdoc_type", "conversation_id", "message_id", "versions")
).union(_MADE, _CHANGED, _OF_VERSION)
_OTHERS = ("role", "messages", "mapping", "chat_messages")
"""Keys of messages and conversations, which may have an id, a title and a content too."""

Fields = dict[str, Any]


class CanvasReader(JsonReader):
    """Reads files of `textdocs/`."""

    name = SOURCE
    version = 1

    def recognises_record(self, value: Any) -> bool:
        if not isinstance(value, dict) or not value.keys().isdisjoint(_OTHERS):
            return False
        if not isinstance(value.get("id"), str) or not isinstance(value.get("content"), str):
            return False
        # Many things have an id, a title and a content: only what has nothing else is a canvas.
        return "textdoc_type" in value or ("title" in value and value.keys() <= _KNOWN)

    def convert(self, record: Fields, context: RecordContext) -> Conversation:
        source_id = str(record.pop("id"))
        # Never the id itself: it may be that of the conversation which made the canvas.
        identifier = conversation_id(self.name, context.source_name, f"canvas {source_id}")
        title = record.pop("title") if isinstance(record.get("title"), str) else None
        marks: Fields = {}
        made, changed = _time(record, _MADE, marks), _time(record, _CHANGED, marks)
        created, updated = made or changed or EPOCH, changed or made or EPOCH
        if made is None and changed is None:
            marks["time"] = GUESSED
        read = {each.id: each for each in _versions(record, identifier, updated, marks)}
        context.tally.content_types["canvas"] += len(read)
        for name in record.keys() - _KNOWN:
            context.tally.unknown_fields[name] += 1
        return Conversation(
            id=identifier,
            title=title or None,
            kind="canvas",
            current_message_id=next(reversed(read), None),
            created_at=created,
            updated_at=updated,
            source=self.name,
            source_id=source_id,
            metadata=with_marks(record, marks),
            messages=list(read.values()),
        )


reader = CanvasReader()


def _time(fields: Fields, names: tuple[str, ...], marks: Fields) -> datetime | None:
    """Take a time out of the fields; a text that is no time becomes a mark."""
    for name in names:
        if fields.get(name) is not None:
            raw = fields.pop(name)
            moment = parse_time(raw)
            if moment.odd:
                marks[names[0]] = raw
            return moment.at
    return None


def _versions(
    record: Fields, conversation: Any, updated: datetime, marks: Fields
) -> Iterator[Message]:
    """Yield the versions that a record has, the current one last."""
    earlier = record.get("versions")
    if isinstance(earlier, list) and all(
        isinstance(each, dict) and isinstance(each.get("content"), str) for each in earlier
    ):
        for each in record.pop("versions"):
            own: Fields = {}
            made, changed = _time(each, _MADE, own), _time(each, _CHANGED, own)
            yield _version(each, conversation, changed or made or updated, own)
    yield _version(record, conversation, updated, {k: v for k, v in marks.items() if k == "time"})


def _version(fields: Fields, conversation: Any, at: datetime, marks: Fields) -> Message:
    text = fields.pop("content")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    metadata = {name: fields.pop(name) for name in _OF_VERSION if fields.get(name)}
    if "comments" in metadata:
        metadata["content"] = {"comments": metadata.pop("comments")}
    message = Message(
        id=message_id(conversation, digest),
        role="assistant",
        content=text,
        source_id=digest,
        metadata=with_marks(metadata, marks),
        created_at=at,
    )
    message.attached_text = attached_text(message)
    return message
