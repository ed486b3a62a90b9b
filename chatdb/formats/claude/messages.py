"""The messages of a Claude conversation: from the entries of `chat_messages` to records."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from chatdb.formats.blocks import Blocks, blocks_in_text, read_blocks
from chatdb.formats.claude.attached import attached_text
from chatdb.formats.claude.texts import drop_contacts
from chatdb.formats.fields import kept, kind_of, with_marks
from chatdb.formats.files.json_records import RecordContext
from chatdb.formats.identity import REPEATED, MessageIds, message_id
from chatdb.formats.message_roles import mapped_role, usual_role
from chatdb.formats.times import parse_time
from chatdb.formats.trees import tree_of
from chatdb.records import Message, Role

ROOT = "00000000-0000-4000-8000-000000000000"
"""The parent that a first message names."""

_FIELDS = frozenset(
    (
        "content",
        "files_v2",
        "index",
        "input_mode",
        "parent_message_uuid",
        "stop_reason",
        "sync_sources",
        "text",
        "truncated",
        "updated_at",
    )
)
_CONTENTS = ("sender", "role", "text", "content")

Fields = dict[str, Any]


class ClaudeMessages:
    """Turns the entries of one conversation into messages, parents before children."""

    def __init__(self, entries: list[Any], context: RecordContext, conversation: UUID) -> None:
        self._context = context
        self._tally = context.tally
        self._conversation = conversation
        self._ids = MessageIds(conversation)
        self._entries = self._usable(entries)
        self.is_list = False
        """Whether the messages read have no existing parent: then they form a list."""

    def read(self, *, started: datetime, model: str | None) -> list[Message]:
        """Return the messages; those without a time get their parent's, or `started` at first."""
        messages: list[Message] = []
        done: dict[str | None, Message] = {}
        for name, parent in self._ordered():
            entry = self._entries[name]
            above = done.get(parent)
            source_id = entry.pop("uuid", None)
            message = self._message(entry, above.created_at if above else started, model)
            self._identify(message, source_id)
            if above is not None:
                message.parent_id = above.id
            elif parent is not None:
                message.parent_id = message_id(self._conversation, parent)
            done[name] = message
            messages.append(message)
        return messages

    def _usable(self, entries: list[Any]) -> dict[str, Fields]:
        """Return the entries that are messages by uuid; by number if it is missing or in use."""
        usable: dict[str, Fields] = {}
        for number, entry in enumerate(entries, 1):
            if not isinstance(entry, dict):
                self._context.skip(f"message {number}", f"not an object but {kind_of(entry)}")
                continue
            raw_id = entry.get("uuid")
            source_id = raw_id if isinstance(raw_id, str) and raw_id else None
            if not any(name in entry for name in _CONTENTS):
                what = "it has neither a sender nor a text"
                self._context.skip(f"message {number}", what, source_id)
                continue
            # Two entries may have one uuid: neither must take the other's place.
            taken = source_id is None or source_id in usable
            usable[f"#{number}" if taken else str(source_id)] = entry
        return usable

    def _ordered(self) -> Iterable[tuple[str, str | None]]:
        """Return the names of the entries with their parents, parents before children.

        If no parent exists the list is the conversation; with parents its order is kept if
        possible.
        """
        names = list(self._entries)
        given = [entry.get("parent_message_uuid") for entry in self._entries.values()]
        if not any(isinstance(parent, str) and parent in self._entries for parent in given):
            self.is_list = True
            return zip(names, [None, *names], strict=False)
        parents = {
            name: parent if isinstance(parent, str) and parent != ROOT else None
            for name, parent in zip(names, given, strict=True)
        }
        seen: set[str] = set()
        for name, parent in parents.items():
            if parent in self._entries and parent not in seen:
                return self._depth_first(parents)
            seen.add(name)
        return parents.items()

    def _depth_first(self, parents: dict[str, str | None]) -> list[tuple[str, str | None]]:
        tree = tree_of(parents, {})
        if tree.cut:
            self._tally.lossy["a circle of messages: cut before the first of them"] += 1
        return [(name, tree.parents[name]) for name in tree.order]

    def _identify(self, message: Message, source_id: Any) -> None:
        if isinstance(source_id, str) and source_id:
            message.source_id = source_id
            message.id, repeated = self._ids.of(source_id)
            if repeated:
                self._tally.lossy[REPEATED] += 1
        else:
            message.id = self._ids.without_source_id(message.role, message.content)

    def _message(self, raw: Fields, inherited: datetime, model: str | None) -> Message:
        marks: Fields = {}
        content = blocks_in_text(raw.pop("content", None), self._tally)
        blocks = read_blocks(
            content if isinstance(content, list) else [], self._tally, attach=False
        )
        role = self._role(raw, blocks, marks)
        text = self._text(raw, content, blocks)
        created_at = _time(raw, inherited, marks)
        message = Message(
            id=UUID(int=0),
            role=role,
            model=model if role == "assistant" else None,
            content=text,
            attachments=_attachments(raw) or None,
            created_at=created_at,
            metadata=self._metadata(raw, marks),
        )
        blocks.fill(message)
        message.attached_text = attached_text(message)
        return message

    def _role(self, raw: Fields, blocks: Blocks, marks: Fields) -> Role:
        name = "sender" if raw.get("sender") is not None else "role"
        raw_role = raw.pop(name, None)
        role = usual_role(raw_role)
        # The API sends a tool's results in the user's name.
        if role == "user" and blocks.is_only_results:
            marks["role"] = raw_role
            return "tool"
        if role is not None:
            return role
        role, known = mapped_role(raw_role)
        marks["role"] = raw_role
        if not known:
            self._tally.lossy[f"unknown role {raw_role!r} read as {role}"] += 1
        return role

    def _text(self, raw: Fields, content: Any, blocks: Blocks) -> str:
        """Return the text of the blocks, else of `text`; differing text stays in `raw`."""
        flat = raw.get("text")
        if content is not None and not isinstance(content, list):
            raw["content"] = content
            self._tally.lossy["a content that is no list of blocks kept in metadata"] += 1
        elif blocks.rest:
            raw["content"] = blocks.rest
        if blocks.text:
            if flat in ("", blocks.text):
                del raw["text"]
            return blocks.text
        if isinstance(flat, str) and (flat or not blocks.result_text):
            del raw["text"]
            return flat
        return content if isinstance(content, str) else blocks.result_text

    def _metadata(self, raw: Fields, marks: Fields) -> Fields:
        parent = raw.get("parent_message_uuid")
        if isinstance(parent, str) and (parent == ROOT or parent in self._entries):
            del raw["parent_message_uuid"]
        drop_contacts(raw, self._context)
        for name in raw.keys() - _FIELDS:
            self._tally.unknown_fields[f"chat_messages.{name}"] += 1
        return with_marks(raw, marks)


def _time(raw: Fields, inherited: datetime, marks: Fields) -> datetime:
    raw_time = raw.pop("created_at", None)
    moment = parse_time(raw_time)
    if moment.odd:
        marks["created_at"] = raw_time
    if moment.at is None:
        marks["time"] = "interpolated"
        return inherited
    if raw.get("updated_at") == raw_time:
        raw.pop("updated_at", None)
    return moment.at


def _attachments(raw: Fields) -> list[Any]:
    """Take pasted texts and files out of the fields; files are marked by their `kind`."""
    found: list[Any] = []
    if isinstance(raw.get("attachments"), list):
        found += raw.pop("attachments")
    files = raw.get("files")
    if isinstance(files, list):
        found += [
            {"kind": "file", **kept(file)} if isinstance(file, dict) else file
            for file in raw.pop("files")
        ]
        if raw.get("files_v2") == files:
            del raw["files_v2"]
    return found
