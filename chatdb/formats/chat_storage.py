"""ChatMCP before its database: the value `chat-storage` of the browser's localStorage.

Only titles were ever stored there, no messages. `docs/formats.md` describes each field.
"""

from collections.abc import Sequence
from typing import Any

from chatdb.formats.browser_storage import stored_value
from chatdb.formats.cleaning import mark
from chatdb.formats.fields import kept
from chatdb.formats.files.json_records import BadRecordError, JsonReader, RecordContext
from chatdb.formats.identity import conversation_id
from chatdb.formats.times import EPOCH, GUESSED, parse_time
from chatdb.records import Conversation

KEY = "chat-storage"
TITLES_ONLY = "a conversation of which only the title was kept"

_MARKS = frozenset(("title", "createdAt", "updatedAt", "userId"))


class ChatStorageReader(JsonReader):
    """Reads `{"state": {"conversations": [...]}, "version": 0}`, also inside a dump."""

    name = KEY
    version = 1

    def recognises_record(self, value: Any) -> bool:
        conversations = self.unwrap(value)
        if conversations is None or any(map(_has_messages, conversations)):
            return False
        return any(map(_is_conversation, conversations))

    def unwrap(self, value: Any) -> Sequence[Any] | None:
        store = stored_value(value, KEY)
        state = store.get("state") if isinstance(store, dict) else None
        found = state.get("conversations") if isinstance(state, dict) else None
        return found if isinstance(found, list) else None

    def convert(self, record: dict[str, Any], context: RecordContext) -> Conversation:
        source_id = record.pop("id", None)
        if not isinstance(source_id, str | int) or source_id == "":
            raise BadRecordError("it has no id")
        raw_made, raw_changed = record.pop("createdAt", None), record.pop("updatedAt", None)
        made, changed = parse_time(raw_made), parse_time(raw_changed)
        created = made.at or changed.at or EPOCH
        user, title = record.pop("userId", None), record.pop("title", None)
        context.tally.lossy[TITLES_ONLY] += 1
        found = Conversation(
            id=conversation_id(self.name, context.source_name, str(source_id)),
            user_id=str(user) if user else None,
            title=title if isinstance(title, str) and title else None,
            created_at=created,
            updated_at=changed.at or created,
            source=self.name,
            source_id=str(source_id),
            metadata=kept(record),
        )
        if made.at is None and raw_made is None:
            mark(found, "time", GUESSED)
        if made.odd or (made.at is None and raw_made is not None):
            mark(found, "created_at", raw_made)
        return found


reader = ChatStorageReader()


def _is_conversation(value: Any) -> bool:
    return isinstance(value, dict) and "id" in value and not _MARKS.isdisjoint(value)


def _has_messages(value: Any) -> bool:
    """Tell whether a conversation contains its messages, as ChatMCP's never did."""
    return isinstance(value, dict) and bool(value.get("messages"))
