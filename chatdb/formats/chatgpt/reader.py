"""The data export of ChatGPT: `conversations.json`, a tree of nodes for each conversation.

Every node with a message is one message; nodes without are bridged and kept in the metadata of the
conversation. `docs/formats.md` describes each field.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from chatdb.formats.beginnings import FirstMessage
from chatdb.formats.chatgpt.file_names import read_names
from chatdb.formats.chatgpt.messages import ChatgptMessages
from chatdb.formats.chatgpt.shapes import (
    Nodes,
    RawNode,
    decode_conversation,
    decode_fields,
    decode_nodes,
    nodes_from,
)
from chatdb.formats.fields import kept, with_marks
from chatdb.formats.files.json_records import (
    BadRecordError,
    JsonReader,
    Peeked,
    RecordContext,
    decode_any,
)
from chatdb.formats.files.sources import Source
from chatdb.formats.identity import conversation_id, conversation_id_without_source_id
from chatdb.formats.times import EPOCH, parse_time
from chatdb.formats.trees import Tree, newest_leaf, tree_of
from chatdb.records import Conversation, Message

SOURCE = "chatgpt"
MAPPING = "mapping"

_FIELDS = frozenset(
    (
        "async_status",
        "blocked_urls",
        "context_scopes",
        "conversation_origin",
        "conversation_template_id",
        "current_node",
        "default_model_slug",
        "disabled_tool_ids",
        "gizmo_id",
        "gizmo_type",
        "id",
        "is_do_not_remember",
        "is_read_only",
        "is_study_mode",
        "memory_scope",
        "model_slug",
        "moderation_results",
        "owner",
        "plugin_ids",
        "safe_urls",
        "sugar_item_id",
        "sugar_item_visible",
        "voice",
    )
)

Fields = dict[str, Any]


class _Ids(msgspec.Struct, gc=False):
    conversation_id: Any = None
    id: Any = None


_decode_ids = msgspec.json.Decoder(_Ids).decode


class ChatGptReader(JsonReader):
    """Reads the export of ChatGPT: zip, split files, folder or JSON."""

    name = SOURCE
    version = 3
    known_fields = _FIELDS

    def recognises_record(self, value: Any) -> bool:
        if not isinstance(value, dict) or "inserted_at" in value:
            return False
        mapping = value.get(MAPPING)
        if not isinstance(mapping, dict):
            return False
        if not mapping:
            return "current_node" in value or "conversation_id" in value
        nodes = (node for node in mapping.values() if isinstance(node, dict))
        return any("message" in node and ("children" in node or "parent" in node) for node in nodes)

    def decode(self, data: bytes) -> Any:
        """Decode a record, its mapping into the known shapes if that loses nothing."""
        try:
            return msgspec.structs.asdict(decode_conversation(data))
        except msgspec.ValidationError:
            raw = decode_fields(data)
        record: Fields = {name: decode_any(value) for name, value in raw.items() if name != MAPPING}
        if MAPPING in raw:
            try:
                record[MAPPING] = decode_nodes(raw[MAPPING])
            except msgspec.ValidationError:
                record[MAPPING] = decode_any(raw[MAPPING])
        return record

    def peek(self, data: bytes) -> Peeked | None:
        ids = _decode_ids(data)
        known = ids.conversation_id or ids.id
        return Peeked(known) if isinstance(known, str) else None

    def convert(self, record: Fields, context: RecordContext) -> Conversation:
        mapping = record.pop(MAPPING, None)
        if not isinstance(mapping, dict):
            raise BadRecordError("it has no mapping, so it has no messages")
        nodes: Nodes = mapping
        if not all(type(node) is RawNode for node in mapping.values()):
            nodes = nodes_from(mapping)
        marks: Fields = {}
        created, updated = _times(record, nodes, marks)
        title = record.pop("title") if isinstance(record.get("title"), str) else None
        source_id = _source_id(record)
        if source_id:
            identifier = conversation_id(self.name, context.source_name, source_id)
        else:
            identifier = _made_id(nodes, created, title, context)
        tree = tree_of(*_links(nodes))
        messages = ChatgptMessages(nodes, tree, context.tally, context.file_names)
        default = record.get("default_model_slug")
        read = messages.read(
            identifier, started=created, default_model=default if isinstance(default, str) else None
        )
        _report(messages, tree, context)
        archived, starred = record.pop("is_archived", None), record.pop("is_starred", None)
        return Conversation(
            id=identifier,
            title=title or None,
            current_message_id=_current(record, messages, read, context),
            created_at=created,
            updated_at=updated,
            archived_at=updated if archived else None,
            starred_at=updated if starred else None,
            pinned_at=_pinned(record, marks),
            source=self.name,
            source_id=source_id,
            metadata=self._metadata(record, messages.bridged, marks, context),
            messages=read,
        )

    def names_in(self, source: Source) -> Mapping[str, str]:
        return read_names(source.beside)

    def _metadata(
        self, record: Fields, bridged: Fields, marks: Fields, context: RecordContext
    ) -> Fields:
        for name in kept(record).keys() - self.known_fields:
            context.tally.unknown_fields[name] += 1
        metadata = with_marks(record, marks)
        if bridged:
            metadata[MAPPING] = bridged
        return metadata


reader = ChatGptReader()


def _report(messages: ChatgptMessages, tree: Tree, context: RecordContext) -> None:
    if tree.cut:
        context.tally.lossy["a circle of nodes: cut before the first of them"] += 1
    for name in messages.malformed:
        context.skip(f"node {name[:80]!r}", "it or its message is no object", name)


def _current(
    record: Fields, messages: ChatgptMessages, read: list[Message], context: RecordContext
) -> UUID | None:
    """Return the leaf of the active branch: where `current_node` points, else the newest."""
    node = record.get("current_node")
    if isinstance(node, str):
        found = messages.ids.get(node)
        if found is not None:
            del record["current_node"]
            return found
    if read:
        context.tally.lossy["no usable current_node: the newest leaf taken"] += 1
    return newest_leaf(read)


def _links(nodes: Nodes) -> tuple[dict[str, str | None], dict[str, list[str]]]:
    """Return each node's parent, and the lists of children that name several."""
    parents: dict[str, str | None] = {}
    wanted: dict[str, list[str]] = {}
    roots = 0
    for name, node in nodes.items():
        parents[name] = parent = node.parent
        if parent is None:
            roots += 1
        children = node.children
        if children is not None and len(children) > 1:
            wanted[name] = children
    if roots > 1:
        _adopt(parents, nodes)
    return parents, wanted


def _adopt(parents: dict[str, str | None], nodes: Nodes) -> None:
    """Set the parent of nodes that name none, by the node that names them as its child."""
    for name, node in nodes.items():
        for child in node.children or ():
            if child in parents and parents[child] is None:
                parents[child] = name


def _times(record: Fields, nodes: Nodes, marks: Fields) -> tuple[datetime, datetime]:
    """Return when the conversation was created and updated, by its messages if it has no times."""
    raw_created, raw_updated = record.pop("create_time", None), record.pop("update_time", None)
    made, changed = parse_time(raw_created), parse_time(raw_updated)
    if made.odd:
        marks["created_at"] = raw_created
    if changed.odd:
        marks["updated_at"] = raw_updated
    if made.at is not None and changed.at is not None:
        return made.at, changed.at
    marks["time"] = "interpolated"
    moments = [parse_time(node.message.create_time).at for node in nodes.values() if node.message]
    known = [moment for moment in moments if moment is not None]
    created = made.at or min(known, default=changed.at or EPOCH)
    return created, changed.at or max([*known, created])


def _pinned(record: Fields, marks: Fields) -> datetime | None:
    """Return the time the conversation was pinned; null means that it is not."""
    raw = record.pop("pinned_time", None)
    pinned = parse_time(raw)
    if pinned.odd:
        marks["pinned_at"] = raw
    return pinned.at


def _made_id(nodes: Nodes, created: datetime, title: str | None, context: RecordContext) -> UUID:
    """Return the id of a conversation that names none, derived from its beginning."""
    messages = [node.message for node in nodes.values() if node.message]
    first = messages[0].content if messages else None
    former = conversation_id_without_source_id(None, created, repr(first) if first else title or "")
    return context.made_id(
        (
            FirstMessage(message.author.role if message.author else None, message.content, at)
            for message in messages
            if (at := message.create_time) is not None or message.content
        ),
        about=("", created.isoformat()),
        former=former,
    )


def _source_id(record: Fields) -> str | None:
    """Take the id out of the record; a second, different one stays in it."""
    found: str | None = None
    for name in ("conversation_id", "id"):
        value = record.get(name)
        usable = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
        if usable and value != "" and found in (None, str(value)):
            found = str(record.pop(name))
    return found
