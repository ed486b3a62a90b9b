"""The interview app before its database: `ai_chat_sessions_v1` of the browser's localStorage.

Messages have a role, a text and the label of a clock without a date. `docs/formats.md` describes
each field.
"""

import re
from collections.abc import Sequence
from typing import Any

from chatdb.formats.browser_storage import stored_value
from chatdb.formats.chat_files_shapes import is_message
from chatdb.formats.cleaning import mark
from chatdb.formats.fields import kept
from chatdb.formats.files.json_records import BadRecordError, JsonReader, RecordContext
from chatdb.formats.identity import conversation_id
from chatdb.formats.linear import add_entries
from chatdb.formats.products import product_of
from chatdb.formats.times import EPOCH, GUESSED, parse_time
from chatdb.records import Conversation

KEY = "ai_chat_sessions_v1"
_ID = re.compile(r"chat_\d{10,}")


class ChatSessionsReader(JsonReader):
    """Reads a list of `{id: "chat_<ms>", title, created_at, updated_at, messages}`."""

    name = "chat-sessions"
    version = 1

    def recognises_record(self, value: Any) -> bool:
        inner = self.unwrap(value)
        if inner is not None:
            return bool(inner) and all(map(_is_session, inner))
        return _is_session(value)

    def unwrap(self, value: Any) -> Sequence[Any] | None:
        found = stored_value(value, KEY)
        return found if found is not value and isinstance(found, list) else None

    def convert(self, record: dict[str, Any], context: RecordContext) -> Conversation:
        source_id = record.pop("id", None)
        entries = record.pop("messages", None)
        if not isinstance(source_id, str) or not isinstance(entries, list):
            raise BadRecordError("it has no id" if source_id is None else "it has no messages")
        made = parse_time(record.pop("created_at", None)).at
        created = made or EPOCH
        updated = max(parse_time(record.pop("updated_at", None)).at or created, created)
        title = record.pop("title", None)
        found = Conversation(
            id=conversation_id(self.name, context.source_name, source_id),
            title=title if isinstance(title, str) and title else None,
            created_at=created,
            updated_at=updated,
            source=self.name,
            source_id=source_id,
            metadata=kept(record),
        )
        if made is None:
            mark(found, "time", GUESSED)
        add_entries(found, entries, context.tally)
        return found


reader = ChatSessionsReader()


def _is_session(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("id"), str)
        and _ID.fullmatch(value["id"]) is not None
        and isinstance(value.get("messages"), list)
        and "created_at" in value
        and (not value["messages"] or any(map(is_message, value["messages"][:20])))
        and product_of(value) is None
    )
