"""The data export of Claude.ai, and single conversations saved by its API and browser tools.

Newer exports name each message's parent (a tree), older ones are flat lists. `docs/formats.md`
describes each field.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from chatdb.formats.beginnings import FirstMessage
from chatdb.formats.claude.messages import ClaudeMessages
from chatdb.formats.claude.texts import drop_contacts
from chatdb.formats.fields import take_text, with_marks
from chatdb.formats.files.json_records import BadRecordError, JsonReader, Peeked, RecordContext
from chatdb.formats.identity import conversation_id, conversation_id_without_source_id
from chatdb.formats.times import EPOCH, parse_time
from chatdb.formats.trees import newest_leaf
from chatdb.records import Conversation, Message

SOURCE = "claude"

_FIELDS = frozenset(
    (
        "account",
        "current_leaf_message_uuid",
        "is_temporary",
        "model",
        "platform",
        "project",
        "project_uuid",
        "settings",
        "summary",
    )
)

Fields = dict[str, Any]


class _Ids(msgspec.Struct, gc=False):
    uuid: Any = None
    account: Any = None


_decode_ids = msgspec.json.Decoder(_Ids).decode


class ClaudeReader(JsonReader):
    """Reads the export of Claude.ai: zip, folder or JSON, and single conversations."""

    name = SOURCE
    version = 2

    def recognises_record(self, value: Any) -> bool:
        if not isinstance(value, dict):
            return False
        messages = value.get("chat_messages")
        if not isinstance(messages, list):
            return False
        if not messages:
            return "uuid" in value
        return any(_is_message(entry) for entry in messages[:20])

    def peek(self, data: bytes) -> Peeked | None:
        ids = _decode_ids(data)
        user = _user({"account": ids.account})
        return Peeked(ids.uuid, user) if isinstance(ids.uuid, str) and ids.uuid else None

    def convert(self, record: Fields, context: RecordContext) -> Conversation:
        entries = record.pop("chat_messages", None)
        if not isinstance(entries, list):
            what = "no chat_messages" if entries is None else "chat_messages is not a list"
            raise BadRecordError(f"it has {what}")
        marks: Fields = {}
        created, updated = _times(record, entries, marks)
        title = record.pop("name") if isinstance(record.get("name"), str) else None
        user = _user(record)
        source_id = take_text(record, "uuid")
        if source_id:
            identifier = conversation_id(self.name, context.source_name, source_id)
        else:
            identifier = _made_id(entries, (user, created), title, context)
        model = record.get("model")
        reading = ClaudeMessages(entries, context, identifier)
        messages = reading.read(started=created, model=model if isinstance(model, str) else None)
        starred = record.pop("is_starred", None)
        return Conversation(
            id=identifier,
            user_id=user,
            title=title or None,
            current_message_id=_current(record, messages, context, is_list=reading.is_list),
            created_at=created,
            updated_at=updated,
            starred_at=updated if starred else None,
            source=self.name,
            source_id=source_id,
            metadata=_metadata(record, marks, context),
            messages=messages,
        )


reader = ClaudeReader()


def _is_message(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and ("sender" in entry or "role" in entry)
        and ("text" in entry or "content" in entry)
    )


def _times(record: Fields, entries: list[Any], marks: Fields) -> tuple[datetime, datetime]:
    raw_created, raw_updated = record.pop("created_at", None), record.pop("updated_at", None)
    made, changed = parse_time(raw_created), parse_time(raw_updated)
    if made.odd:
        marks["created_at"] = raw_created
    if changed.odd:
        marks["updated_at"] = raw_updated
    if made.at is not None and changed.at is not None:
        return made.at, changed.at
    marks["time"] = "interpolated"
    raw_times = [entry.get("created_at") for entry in entries if isinstance(entry, dict)]
    known = [moment for moment in (parse_time(raw).at for raw in raw_times) if moment is not None]
    created = made.at or min(known, default=changed.at or EPOCH)
    return created, changed.at or max([*known, created])


def _made_id(
    entries: list[Any],
    whose: tuple[str | None, datetime],
    title: str | None,
    context: RecordContext,
) -> UUID:
    """Return the id of a conversation that names none, derived from its beginning."""
    user, created = whose
    messages = [entry for entry in entries if isinstance(entry, dict)]
    first = messages[0] if messages else {}
    about = repr((first.get("text"), first.get("content"))) if first else title or ""
    return context.made_id(
        (
            FirstMessage(
                each.get("sender", each.get("role")),
                [each.get("text"), each.get("content")],
                each.get("created_at"),
            )
            for each in messages
        ),
        about=(user or "", created.isoformat()),
        former=conversation_id_without_source_id(user, created, about),
    )


def _user(record: Fields) -> str | None:
    account = record.get("account")
    if not isinstance(account, dict):
        return None
    return take_text(account, "uuid")


def _current(
    record: Fields, messages: list[Message], context: RecordContext, *, is_list: bool
) -> UUID | None:
    """Return the leaf of the active branch; if it is not named, as in the bulk export, the newest.

    A list without parents is shown whole, whichever leaf is named.
    """
    leaf = record.get("current_leaf_message_uuid")
    if is_list and messages and leaf not in (None, messages[-1].source_id):
        context.tally.lossy[
            "current_leaf_message_uuid in a list without parents: all of it shown"
        ] += 1
        return messages[-1].id
    if isinstance(leaf, str):
        for message in messages:
            if message.source_id == leaf:
                del record["current_leaf_message_uuid"]
                return message.id
        context.tally.lossy[
            "current_leaf_message_uuid names no message: the newest leaf taken"
        ] += 1
    return newest_leaf(messages)


def _metadata(record: Fields, marks: Fields, context: RecordContext) -> Fields:
    drop_contacts(record, context)
    for name in record.keys() - _FIELDS:
        context.tally.unknown_fields[name] += 1
    return with_marks(record, marks)
