"""Open WebUI's export: all chats, one chat, or the bare chat that other programs write."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from chatdb.formats.beginnings import FirstMessage
from chatdb.formats.files.json_records import BadRecordError, JsonReader, Peeked, RecordContext
from chatdb.formats.identity import conversation_id_without_source_id
from chatdb.formats.open_webui.chats import (
    SOURCE,
    VERSION,
    inner_of,
    made_here,
    messages_of,
    read_chat,
)
from chatdb.formats.times import EPOCH, parse_time
from chatdb.records import MARKS, Conversation

Fields = dict[str, Any]


class _Ids(msgspec.Struct, gc=False):
    id: Any = None
    user_id: Any = None
    meta: Any = None


_decode_ids = msgspec.json.Decoder(_Ids).decode


class OpenWebuiReader(JsonReader):
    """Reads lists of chats, chats one after another, and the JSON inside a chat."""

    name = SOURCE
    version = VERSION

    def recognises_record(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        if isinstance(value.get("chat"), dict):
            return _is_chat(value["chat"]) or {"archived", "pinned", "share_id"} <= value.keys()
        return _is_tree(value)

    def peek(self, data: bytes) -> Peeked | None:
        ids = _decode_ids(data)
        if not isinstance(ids.id, str) or not ids.id or (ids.meta and MARKS in ids.meta):
            return None
        user = ids.user_id
        return Peeked(ids.id, str(user) if user not in (None, "") else None)

    def convert(self, record: Fields, context: RecordContext) -> Conversation:
        if "chat" not in record and _is_tree(record):
            record = {"id": record.get("id"), "chat": record}
            context.tally.versions["bare chat"] += 1
        else:
            context.tally.versions["row of a chat"] += 1
        inner = record.get("chat")
        if not isinstance(inner, dict):
            raise BadRecordError("its chat is missing or no object")
        made = None
        if not record.get("id") and made_here(record.get("meta"), inner) is None:
            made = _made_id(record, inner, context)
        read = read_chat(record, None, context.tally, source_name=context.source_name, made=made)
        for name, reason in read.odd:
            context.skip(f"message {name}", reason, name)
        return read.record


reader = OpenWebuiReader()


def _is_chat(inner: Mapping[str, Any]) -> bool:
    return _is_tree(inner) or (
        isinstance(inner.get("messages"), list) and not {"title", "models"}.isdisjoint(inner)
    )


def _is_tree(value: Mapping[str, Any]) -> bool:
    return isinstance(inner_of(value.get("history")).get("messages"), dict)


def _made_id(record: Fields, inner: Fields, context: RecordContext) -> UUID:
    """Return the id of a chat that names none, derived from its beginning."""
    messages = [each for each in messages_of(inner).values() if isinstance(each, dict)]
    user = str(record.get("user_id") or "")
    created = parse_time(record.get("created_at") or inner.get("timestamp")).at or EPOCH
    first = str(messages[0].get("content")) if messages else str(inner.get("title"))
    return context.made_id(
        (
            FirstMessage(each.get("role"), each.get("content"), each.get("timestamp"))
            for each in messages
        ),
        about=(user, created.isoformat()),
        former=conversation_id_without_source_id(user, created, first),
    )
