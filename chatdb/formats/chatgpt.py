"""The data export of ChatGPT: `conversations.json`, a tree of nodes for each conversation.

Every node that has a message is one message; nodes without are bridged and kept in the metadata
of the conversation. `docs/formats.md` tells where each field goes.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from chatdb.formats.chatgpt_messages import Messages
from chatdb.formats.fields import kept, without_marks
from chatdb.formats.identity import conversation_id, conversation_id_without_source_id
from chatdb.formats.json_records import BadRecordError, Context, JsonReader
from chatdb.formats.times import EPOCH, parse_time
from chatdb.formats.trees import newest_leaf, tree_of
from chatdb.records import MARKS, Conversation, Message

SOURCE = "chatgpt"

_FIELDS = frozenset(
    (
        "async_status",
        "blocked_urls",
        "conversation_origin",
        "conversation_template_id",
        "current_node",
        "default_model_slug",
        "disabled_tool_ids",
        "gizmo_id",
        "gizmo_type",
        "id",
        "is_do_not_remember",
        "is_study_mode",
        "memory_scope",
        "model_slug",
        "moderation_results",
        "owner",
        "pinned_time",
        "plugin_ids",
        "safe_urls",
        "sugar_item_id",
        "sugar_item_visible",
        "voice",
    )
)

Fields = dict[str, Any]


class ChatGptReader(JsonReader):
    """Reads the export of ChatGPT: zip, split files, folder or JSON."""

    name = SOURCE
    title = "ChatGPT data export"
    version = 1

    def recognises_record(self, value: Any) -> bool:
        if not isinstance(value, dict) or "inserted_at" in value:
            return False
        mapping = value.get("mapping")
        if not isinstance(mapping, dict):
            return False
        if not mapping:
            return "current_node" in value or "conversation_id" in value
        nodes = (node for node in mapping.values() if isinstance(node, dict))
        return any("message" in node and ("children" in node or "parent" in node) for node in nodes)

    def convert(self, record: Fields, context: Context) -> Conversation:
        mapping = record.pop("mapping", None)
        if not isinstance(mapping, dict):
            raise BadRecordError("it has no mapping, and so no messages")
        marks: Fields = {}
        created, updated = _times(record, mapping, marks)
        title = record.pop("title") if isinstance(record.get("title"), str) else None
        source_id = _source_id(record)
        if source_id:
            identifier = conversation_id(SOURCE, context.source_name, source_id)
        else:
            first = next(_raw_messages(mapping), {}).get("content") or title or ""
            identifier = conversation_id_without_source_id(None, created, repr(first))
        nodes = _Nodes(mapping, context)
        messages = nodes.read(identifier, created, record.get("default_model_slug"))
        current = nodes.current(record, messages)
        archived, starred = record.pop("is_archived", None), record.pop("is_starred", None)
        return Conversation(
            id=identifier,
            title=title or None,
            current_message_id=current,
            created_at=created,
            updated_at=updated,
            archived_at=updated if archived else None,
            starred_at=updated if starred else None,
            source=SOURCE,
            source_name=context.source_name,
            source_id=source_id,
            metadata=_metadata(record, nodes.bridged, marks, context),
            messages=messages,
        )


reader = ChatGptReader()


class _Nodes:
    """The mapping of one conversation, read."""

    def __init__(self, mapping: Fields, context: Context) -> None:
        self._mapping = mapping
        self._context = context
        self._tree = tree_of(*_links(mapping))
        if self._tree.cut:
            context.tally.lossy["a circle of nodes: cut before the first of them"] += 1
        self._messages = Messages(mapping, self._tree, context.tally)

    @property
    def bridged(self) -> Fields:
        return self._messages.bridged

    def read(self, identifier: UUID, created: datetime, model: Any) -> list[Message]:
        default = model if isinstance(model, str) else None
        messages = self._messages.read(identifier, started=created, default_model=default)
        for name in self._messages.malformed:
            self._context.skip(f"node {name[:80]!r}", "its message is no object", name)
        return messages

    def current(self, record: Fields, messages: list[Message]) -> UUID | None:
        """Return the leaf of the active branch: where `current_node` points, else the newest."""
        node = record.get("current_node")
        if isinstance(node, str) and node in self._mapping:
            record.pop("current_node")
            found = self._messages.ids.get(node)
            if found is not None:
                return found
        if messages:
            self._context.tally.lossy["no usable current_node: the newest leaf taken"] += 1
        return newest_leaf(messages)


def _links(mapping: Fields) -> tuple[dict[str, str | None], dict[str, list[Any]]]:
    """Return each node's parent, and the lists of children that have more than one."""
    parents: dict[str, str | None] = {}
    wanted: dict[str, list[Any]] = {}
    orphans = False
    for name, node in mapping.items():
        parent = node.get("parent") if isinstance(node, dict) else None
        parents[name] = parent if isinstance(parent, str) else None
        orphans = orphans or parents[name] is None
        children = node.get("children") if isinstance(node, dict) else None
        if isinstance(children, list) and children:
            wanted[name] = children
    if orphans:
        _adopt(parents, wanted)
    return parents, wanted


def _adopt(parents: dict[str, str | None], wanted: dict[str, list[Any]]) -> None:
    """Give nodes that name no parent the one that names them as its child."""
    for parent, children in wanted.items():
        for child in children:
            if isinstance(child, str) and child in parents and parents[child] is None:
                parents[child] = parent


def _raw_messages(mapping: Fields) -> Iterator[Fields]:
    for node in mapping.values():
        message = node.get("message") if isinstance(node, dict) else None
        if isinstance(message, dict):
            yield message


def _times(record: Fields, mapping: Fields, marks: Fields) -> tuple[datetime, datetime]:
    """Return when the conversation was made and changed, by its messages where it is silent."""
    raw_created, raw_updated = record.pop("create_time", None), record.pop("update_time", None)
    made, changed = parse_time(raw_created), parse_time(raw_updated)
    if made.odd:
        marks["created_at"] = raw_created
    if changed.odd:
        marks["updated_at"] = raw_updated
    if made.at is not None and changed.at is not None:
        return made.at, changed.at
    marks["time"] = "interpolated"
    moments = [parse_time(message.get("create_time")).at for message in _raw_messages(mapping)]
    known = [moment for moment in moments if moment is not None]
    created = made.at or min(known, default=changed.at or EPOCH)
    return created, changed.at or max([*known, created])


def _source_id(record: Fields) -> str | None:
    """Take the id out of the record; a second, different one stays there."""
    found: str | None = None
    for name in ("conversation_id", "id"):
        value = record.get(name)
        usable = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
        if usable and value != "" and found in (None, str(value)):
            found = str(record.pop(name))
    return found


def _metadata(record: Fields, bridged: Fields, marks: Fields, context: Context) -> Fields:
    for name in record.keys() - _FIELDS:
        context.tally.unknown_fields[name] += 1
    metadata = kept(record)
    without_marks(metadata, marks)
    if bridged:
        metadata["mapping"] = bridged
    if marks:
        metadata[MARKS] = marks
    return metadata
