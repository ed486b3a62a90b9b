"""The messages of a ChatGPT conversation: from the nodes of its mapping to records."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chatdb.formats.base import Tally
from chatdb.formats.chatgpt_content import Content, read_content
from chatdb.formats.fields import kept, without_marks
from chatdb.formats.identity import REPEATED, MessageIds, message_id
from chatdb.formats.roles import mapped_role, usual_role
from chatdb.formats.times import parse_time
from chatdb.formats.trees import Tree
from chatdb.records import MARKS, Message, Role

_FIELDS = frozenset(("channel", "end_turn", "recipient", "status", "update_time", "weight"))
_NODE_FIELDS = frozenset(("id", "message", "parent", "children"))
_HIDDEN_TYPES = frozenset(("user_editable_context", "model_editable_context"))
_PLAIN_SECONDS = (1e8, 4e9)

Fields = dict[str, Any]


class Messages:
    """Turns the nodes of one conversation into messages, in the order of its tree.

    `ids` has the message id of every node read; of a node without a message that of its nearest
    ancestor with one. `bridged` are the nodes without a message.
    """

    def __init__(self, mapping: Fields, tree: Tree, tally: Tally) -> None:
        self._mapping = mapping
        self._tree = tree
        self._tally = tally
        self._times: dict[str | None, datetime] = {}
        self.ids: dict[str | None, UUID | None] = {None: None}
        self.bridged: Fields = {}
        self.malformed: list[str] = []

    def read(
        self, conversation: UUID, *, started: datetime, default_model: str | None
    ) -> list[Message]:
        """Return the messages; those without a time get their parent's, at first `started`."""
        messages = []
        ids, times, used = self.ids, self._times, MessageIds(conversation)
        for name in self._tree.order:
            node = self._mapping[name]
            parent = self._tree.parents[name]
            if parent is not None and parent not in ids:
                ids[parent] = message_id(conversation, parent)
            inherited = times.get(parent, started)
            raw = node.get("message") if isinstance(node, dict) else None
            if not isinstance(raw, dict):
                ids[name], times[name] = ids[parent], inherited
                self._bridge(name, node)
                continue
            source_id = raw.pop("id", None)
            if not isinstance(source_id, str) or not source_id:
                source_id = name
            message = self._message(raw, inherited, default_model)
            message.id, repeated = used.of(source_id)
            if repeated:
                self._tally.lossy[REPEATED] += 1
            ids[name] = message.id
            message.parent_id = ids[parent]
            message.source_id = source_id
            times[name] = message.created_at
            self._keep_node(message, name, node)
            messages.append(message)
        return messages

    def _message(self, raw: Fields, inherited: datetime, default_model: str | None) -> Message:
        marks: Fields = {}
        author = raw.pop("author", None)
        role, name, author_rest = self._author(author, marks)
        content_raw = raw.pop("content", None)
        kind = content_raw.get("content_type") if isinstance(content_raw, dict) else None
        content = read_content(content_raw)
        self._count(kind, content)
        metadata = raw.pop("metadata", None)
        created_at = self._time(raw.pop("create_time", None), inherited, marks)
        message = Message(
            id=_UNSET, role=role, author=name, content=content.text, created_at=created_at
        )
        message.reasoning = content.reasoning
        message.attachments = content.attachments
        if isinstance(metadata, dict):
            self._from_metadata(message, metadata, marks)
            metadata = kept(metadata)
        if message.model is None and role == "assistant":
            message.model = default_model
        if raw.get("weight") == 0 or kind in _HIDDEN_TYPES or _is_empty(message):
            marks["hidden"] = True
        recipient = raw.get("recipient")
        if role == "assistant" and isinstance(recipient, str) and recipient != "all":
            message.tool_calls = [_call(recipient, content)]
        message.metadata = self._metadata(raw, metadata, author_rest, content.rest, marks)
        return message

    def _author(self, author: Any, marks: Fields) -> tuple[Role, str | None, Any]:
        if not isinstance(author, dict):
            author = {"role": author} if isinstance(author, str) else {}
        raw_role = author.pop("role", None)
        role = usual_role(raw_role)
        if role is None:
            role, known = mapped_role(raw_role)
            marks["role"] = raw_role
            if not known:
                self._tally.lossy[f"unknown role {raw_role!r} read as {role}"] += 1
        name = author.get("name")
        if isinstance(name, str):
            del author["name"]
            return role, name or None, author
        return role, None, author

    def _time(self, raw: Any, inherited: datetime, marks: Fields) -> datetime:
        if type(raw) is float and _PLAIN_SECONDS[0] < raw < _PLAIN_SECONDS[1]:
            return datetime.fromtimestamp(raw, UTC)
        moment = parse_time(raw)
        if moment.odd:
            marks["created_at"] = raw
        if moment.at is None:
            marks["time"] = "interpolated"
            return inherited
        return moment.at

    def _from_metadata(self, message: Message, metadata: Fields, marks: Fields) -> None:
        """Move what has a column out of the metadata of the source."""
        if isinstance(metadata.get("model_slug"), str):
            message.model = metadata.pop("model_slug") or None
        files = metadata.get("attachments")
        if isinstance(files, list) and files:
            message.attachments = (message.attachments or []) + metadata.pop("attachments")
        result = metadata.get("aggregate_result")
        if isinstance(result, dict) and result:
            message.tool_outputs = [metadata.pop("aggregate_result")]
        if metadata.get("is_visually_hidden_from_conversation") is True:
            marks["hidden"] = True

    def _metadata(
        self, raw: Fields, metadata: Any, author: Any, content: Any, marks: Fields
    ) -> Fields:
        if not raw.keys() <= _FIELDS:
            for field in raw.keys() - _FIELDS:
                self._tally.unknown_fields[f"mapping.message.{field}"] += 1
        fields = kept(raw)
        if MARKS in fields:
            without_marks(fields, marks)
        if metadata:
            fields["metadata"] = metadata
        if author and (author := kept(author)):
            fields["author"] = author
        if content and (content := kept(content) if isinstance(content, dict) else content):
            fields["content"] = content
        if marks:
            fields[MARKS] = marks
        return fields

    def _count(self, kind: Any, content: Content) -> None:
        name = kind if isinstance(kind, str) else "none"
        self._tally.content_types[name] += 1
        if not content.known:
            self._tally.lossy[f"unknown content type {name!r} kept in metadata"] += 1

    def _keep_node(self, message: Message, name: str, node: Fields) -> None:
        """Keep what the node says beyond its message and its place in the tree."""
        extra: Fields = {}
        if name != message.source_id:
            extra["id"] = name
        if len(node) > 4 or not node.keys() <= _NODE_FIELDS:
            extra |= self._unknown_node_fields(node)
        wanted = node.get("children")
        if wanted and wanted != self._tree.children.get(name):
            extra["children"] = wanted
        if name in self._tree.cut:
            extra["parent"] = node.get("parent")
        if extra:
            message.metadata["node"] = extra

    def _unknown_node_fields(self, node: Fields) -> Fields:
        unknown = {field: value for field, value in node.items() if field not in _NODE_FIELDS}
        for field in unknown:
            self._tally.unknown_fields[f"mapping.{field}"] += 1
        return unknown

    def _bridge(self, name: str, node: Any) -> None:
        self.bridged[name] = kept(node) if isinstance(node, dict) else node
        if not isinstance(node, dict) or node.get("message") is not None:
            self.malformed.append(name)


_UNSET = UUID(int=0)


def _is_empty(message: Message) -> bool:
    return message.role == "system" and not message.content and message.attachments is None


def _call(recipient: str, content: Content) -> Fields:
    """Return a call whose input is the content of its message."""
    call = {"name": recipient}
    rest = content.rest
    if isinstance(rest, dict) and isinstance(rest.get("language"), str):
        call["language"] = rest["language"]
    return call
