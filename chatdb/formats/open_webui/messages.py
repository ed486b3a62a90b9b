"""The messages of an Open WebUI chat: from the fields of both copies to records."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from chatdb.formats.base import Tally
from chatdb.formats.fields import with_marks
from chatdb.formats.identity import REPEATED, MessageIds, message_id
from chatdb.formats.message_roles import mapped_role, usual_role
from chatdb.formats.open_webui.contents import set_contents
from chatdb.formats.open_webui.remainders import restore, taken_remainder
from chatdb.formats.times import parse_time
from chatdb.formats.trees import Tree
from chatdb.records import Message

UNFINISHED = "messages that were never finished: kept as far as they came"
INTERNAL = "internal messages (timers, what sub-agents wrote) kept, hidden"

_FIELDS = frozenset(
    (
        *("annotation", "arena", "citations", "code_executions", "content", "context"),
        *("contextSummary", "done", "embeds", "error", "favorite", "feedbackId", "files"),
        *("followUps", "info", "lastSentence", "merged", "meta", "modelIdx", "modelName", "models"),
        *("originalContent", "other_copy", "output", "selectedModelId", "sources", "statusHistory"),
        *("toolCalls", "updated_at", "usage", "user", "userContext"),
    )
)

Fields = dict[str, Any]


class ChatMessages:
    """Turns the messages of one chat into records, parents before children."""

    def __init__(
        self, conversation: UUID, owner: str | None, tally: Tally, *, is_ours: bool = False
    ) -> None:
        self._conversation = conversation
        self._owner = owner
        self._tally = tally
        self._is_ours = is_ours

    def read(
        self, messages: Mapping[str, Fields], tree: Tree, *, started: datetime
    ) -> dict[str, Message]:
        """Return the records by their bare ids; without a time they get their parent's."""
        ids = MessageIds(self._conversation, tree.order)
        done: dict[str, Message] = {}
        for name in tree.order:
            parent = tree.parents[name]
            above = done.get(parent) if parent is not None else None
            identifier, repeated = ids.of(name)
            if repeated:
                self._tally.lossy[REPEATED] += 1
            message = self._message(
                name, messages[name], identifier, above.created_at if above else started
            )
            if above is not None:
                message.parent_id = above.id
            elif parent is not None and name not in tree.cut:
                message.parent_id = message_id(self._conversation, parent)
            done[name] = message
        return done

    def _message(self, name: str, fields: Fields, identifier: UUID, inherited: datetime) -> Message:
        marks: Fields = {}
        own: Fields = {}
        if self._is_ours:
            fields["meta"], own = taken_remainder(fields.get("meta"))
        if fields.pop("id", name) not in (name, None, ""):
            self._tally.lossy["ids that are not the key of their message: the key taken"] += 1
        fields.pop("parentId", None)
        raw_time = fields.pop("timestamp", None)
        moment = parse_time(raw_time)
        if moment.odd:
            marks["created_at"] = raw_time
        if moment.at is None:
            marks["time"] = "interpolated"
        if fields.get("updated_at") == raw_time:
            fields.pop("updated_at", None)
        message = Message(
            id=identifier,
            role="user",
            source_id=name,
            user_id=self._author(fields),
            created_at=moment.at or inherited,
        )
        self._set_role(message, fields, marks)
        self._set_model(message, fields)
        set_contents(message, fields, self._tally)
        self._note_state(fields, marks)
        for unknown in fields.keys() - _FIELDS:
            self._tally.unknown_fields[f"messages.{unknown}"] += 1
        message.metadata = with_marks(fields, marks)
        if own:
            restore(message, own)
        return message

    def _author(self, fields: Fields) -> str | None:
        """Take who wrote it, if that is not the owner of the chat."""
        user = fields.get("user")
        named = fields.pop("user_id", None) or (user.get("id") if isinstance(user, dict) else None)
        author = str(named) if isinstance(named, str | int) and named else None
        return author if author != self._owner else None

    def _set_role(self, message: Message, fields: Fields, marks: Fields) -> None:
        raw = fields.pop("role", None)
        role = usual_role(raw)
        if role is None:
            role, known = mapped_role(raw)
            marks["role"] = raw
            if not known:
                self._tally.lossy[f"unknown role {str(raw)[:40]!r} read as {role}"] += 1
        message.role = role

    def _set_model(self, message: Message, fields: Fields) -> None:
        model = fields.get("model")
        if isinstance(model, str) and model:
            message.model = fields.pop("model")

    def _note_state(self, fields: Fields, marks: Fields) -> None:
        done = fields.get("done")
        if done is True:
            del fields["done"]
        elif done is False:
            self._tally.lossy[UNFINISHED] += 1
        if fields.get("error"):
            marks["error"] = True
        meta = fields.get("meta")
        if isinstance(meta, dict) and meta.get("internal") is True:
            marks["hidden"] = True
            self._tally.lossy[INTERNAL] += 1
