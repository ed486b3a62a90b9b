"""The messages of a ChatGPT conversation: from the nodes of its mapping to records."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chatdb.formats.base import Tally
from chatdb.formats.chatgpt.attached import WIDGETS, attached_text, has_report
from chatdb.formats.chatgpt.canvases import PREFIX, apply_updates
from chatdb.formats.chatgpt.content import Content, read_content
from chatdb.formats.chatgpt.file_names import SCHEMES, name_files
from chatdb.formats.chatgpt.shapes import Nodes, RawAuthor, RawMessage, RawNode
from chatdb.formats.fields import kept
from chatdb.formats.identity import REPEATED, MessageIds, message_id
from chatdb.formats.message_roles import mapped_role, usual_role
from chatdb.formats.times import parse_time
from chatdb.formats.trees import Tree
from chatdb.records import MARKS, Message, Role

_HIDDEN_TYPES = frozenset(("user_editable_context", "model_editable_context"))
_EARLIEST, _LATEST = 1e8, 4e9
"""Between these values a number is certainly in seconds."""
_PLAIN_ROLES = frozenset(("user", "assistant"))
_PLACED = frozenset(
    ("attachments", "aggregate_result", "is_visually_hidden_from_conversation", *WIDGETS)
)
"""Fields of the metadata with a column, beside the model, and those with text to be seen."""

Fields = dict[str, Any]


class ChatgptMessages:
    """Turns the nodes of one conversation into messages, in the order of its tree.

    `ids` has the message id of every node read; for a node without a message that of its nearest
    ancestor with one. `bridged` are the nodes without a message.
    """

    def __init__(
        self, nodes: Nodes, tree: Tree, tally: Tally, file_names: Mapping[str, str]
    ) -> None:
        self._nodes = nodes
        self._tree = tree
        self._tally = tally
        self._file_names = file_names
        self._has_canvas = False
        self.ids: dict[str | None, UUID | None] = {None: None}
        self.bridged: Fields = {}
        self.malformed: list[str] = []

    def read(
        self, conversation: UUID, *, started: datetime, default_model: str | None
    ) -> list[Message]:
        """Return the messages; those without a time get their parent's, or `started` at first."""
        messages = []
        ids, parents, siblings = self.ids, self._tree.parents, self._tree.children
        new_ids = MessageIds(conversation, self._source_ids())
        given = new_ids.given
        times: dict[str | None, datetime] = {}
        plain = 0
        for name in self._tree.order:
            node = self._nodes[name]
            parent = parents[name]
            # Real exports name parents that do not exist.
            if parent not in ids:
                ids[parent] = message_id(conversation, str(parent))
            raw = node.message
            if raw is None:
                ids[name], times[name] = ids[parent], times.get(parent, started)
                self._bridge(name, node)
                continue
            message = _plain(raw, default_model)
            if message is None:
                message = self._message(raw, times.get(parent, started), default_model)
            else:
                plain += 1
            source_id = raw.id if type(raw.id) is str and raw.id else name
            found = given.get(source_id)
            if found is None:
                found, repeated = new_ids.of(source_id)
                if repeated:
                    self._tally.lossy[REPEATED] += 1
            message.id = found
            ids[name] = found
            message.parent_id = ids[parent]
            message.source_id = source_id
            times[name] = message.created_at
            children = node.children
            if (
                name != source_id
                or (children and children != siblings.get(name))
                or node.extra is not None
                or self._tree.cut
            ):
                self._keep_node(message, name, node)
            messages.append(message)
        self._finish(messages, plain)
        return messages

    def _finish(self, messages: list[Message], plain: int) -> None:
        if plain:
            self._tally.content_types["text"] += plain
        if self._has_canvas:
            apply_updates(messages)

    def _source_ids(self) -> list[Any]:
        return [node.message.id for node in self._nodes.values() if node.message is not None]

    def _message(self, raw: RawMessage, inherited: datetime, default_model: str | None) -> Message:
        marks: Fields = {}
        author = raw.author
        raw_role = author.role if author is not None else None
        role = usual_role(raw_role) or self._unusual_role(raw_role, marks)
        kind = raw.content.get("content_type") if type(raw.content) is dict else None
        kind = kind if type(kind) is str else "none"
        content = read_content(raw.content)
        self._count(kind, content)
        created_at = self._time(raw.create_time, inherited, marks)
        message = Message(id=_UNSET, role=role, content=content.text, created_at=created_at)
        message.reasoning = content.reasoning
        message.attachments = content.attachments
        metadata = raw.metadata
        if type(metadata) is dict:
            _from_metadata(message, metadata, marks)
            metadata = kept(metadata)
        if role == "assistant":
            if message.model is None:
                message.model = default_model
            if type(raw.recipient) is str and raw.recipient != "all":
                message.tool_calls = [_call(raw.recipient, content)]
                self._has_canvas |= raw.recipient.startswith(PREFIX)
        # ChatGPT itself shows none of these.
        if raw.weight == 0 or kind in _HIDDEN_TYPES or _is_empty(message):
            marks["hidden"] = True
        fields = _fields(raw)
        if raw.extra is not None:
            self._unknown(raw.extra, fields, marks)
        if metadata:
            fields["metadata"] = metadata
        if content.rest:
            fields["content"] = content.rest
        if author is not None:
            _from_author(message, author, fields)
        message.metadata = fields
        self._attach(message, marks)
        if marks:
            fields[MARKS] = marks
        return message

    def _attach(self, message: Message, marks: Fields) -> None:
        """Name the files of the message, and gather what was seen beside its words."""
        if message.attachments is not None:
            name_files(message.attachments, self._file_names)
        message.attached_text = attached_text(message)
        # ChatGPT hides the message, as plumbing, and shows the report.
        if message.attached_text and "hidden" in marks and has_report(message):
            del marks["hidden"]

    def _unusual_role(self, raw_role: Any, marks: Fields) -> Role:
        role, known = mapped_role(raw_role)
        marks["role"] = raw_role
        if not known:
            self._tally.lossy[f"unknown role {str(raw_role)[:40]!r} read as {role}"] += 1
        return role

    def _time(self, raw: Any, inherited: datetime, marks: Fields) -> datetime:
        # The usual case without a call: a time stands in every message.
        if type(raw) is float and _EARLIEST < raw < _LATEST:
            return datetime.fromtimestamp(raw, UTC)
        moment = parse_time(raw)
        if moment.odd:
            marks["created_at"] = raw
        if moment.at is None:
            marks["time"] = "interpolated"
            return inherited
        return moment.at

    def _unknown(self, extra: Fields, fields: Fields, marks: Fields) -> None:
        for name, value in kept(extra).items():
            self._tally.unknown_fields[f"mapping.message.{name}"] += 1
            if name == MARKS:
                marks["field"] = value
            # These names are taken by what chatdb itself puts there.
            elif name in ("metadata", "author", "content", "node"):
                fields[f"{name}_"] = value
            else:
                fields[name] = value

    def _count(self, kind: str, content: Content) -> None:
        self._tally.content_types[kind] += 1
        if not content.known:
            self._tally.lossy[f"unknown content type {kind[:40]!r} kept in metadata"] += 1

    def _keep_node(self, message: Message, name: str, node: RawNode) -> None:
        """Keep the fields of the node beyond its message and its place in the tree."""
        extra: Fields = {}
        if name != message.source_id:
            extra["id"] = name
        if node.extra is not None:
            extra |= kept(node.extra)
            for field in extra.keys() - {"id", "parent", "children"}:
                self._tally.unknown_fields[f"mapping.{field}"] += 1
        wanted = node.children
        if wanted and wanted != self._tree.children.get(name):
            extra["children"] = wanted
        if name in self._tree.cut:
            extra["parent"] = node.parent
        if extra:
            message.metadata["node"] = extra

    def _bridge(self, name: str, node: RawNode) -> None:
        fields = {"id": node.id, "parent": node.parent, "children": node.children}
        self.bridged[name] = kept(fields | (node.extra or {}))
        if node.malformed:
            self.malformed.append(name)


_UNSET = UUID(int=0)


def _plain(raw: RawMessage, default_model: str | None) -> Message | None:
    """Return the result of `ChatgptMessages._message` for a message that is only a text, or None.

    Nine of ten are: a known role without name, one part, a plain time, nothing with a column in
    its metadata but the model. The same result, faster.
    """
    author, content, metadata, moment = raw.author, raw.content, raw.metadata, raw.create_time
    if (
        author is None
        or type(author.role) is not str
        or author.role not in _PLAIN_ROLES
        or author.name is not None
        or author.metadata
        or author.extra is not None
        or raw.extra is not None
        or raw.weight == 0
        or type(content) is not dict
        or len(content) != 2
        or content.get("content_type") != "text"
        or type(moment) is not float
        or not _EARLIEST < moment < _LATEST
        or type(metadata) is not dict
        or not _PLACED.isdisjoint(metadata)
    ):
        return None
    parts = content.get("parts")
    if type(parts) is not list or len(parts) != 1 or type(parts[0]) is not str:
        return None
    model = None
    if author.role == "assistant":
        if raw.recipient != "all" and type(raw.recipient) is str:
            return None
        model = default_model
    if "model_slug" in metadata:
        if type(metadata["model_slug"]) is not str:
            return None
        model = metadata.pop("model_slug") or model
    fields = _fields(raw)
    metadata = kept(metadata)
    if metadata:
        fields["metadata"] = metadata
    return Message(
        id=_UNSET,
        role="assistant" if author.role == "assistant" else "user",
        model=model,
        content=parts[0],
        metadata=fields,
        created_at=datetime.fromtimestamp(moment, UTC),
    )


def _fields(raw: RawMessage) -> Fields:
    """Return the non-empty fields without a column."""
    fields: Fields = {}
    if raw.status is not None:
        fields["status"] = raw.status
    if raw.end_turn is not None:
        fields["end_turn"] = raw.end_turn
    if raw.weight is not None:
        fields["weight"] = raw.weight
    if raw.recipient is not None:
        fields["recipient"] = raw.recipient
    if raw.channel is not None:
        fields["channel"] = raw.channel
    if raw.update_time is not None:
        fields["update_time"] = raw.update_time
    return fields


def _from_metadata(message: Message, metadata: Fields, marks: Fields) -> None:
    """Move fields with a column out of the metadata of the source."""
    if type(metadata.get("model_slug")) is str:
        message.model = metadata.pop("model_slug") or None
    files = metadata.get("attachments")
    if files and type(files) is list:
        message.attachments = (message.attachments or []) + metadata.pop("attachments")
    result = metadata.get("aggregate_result")
    if result and type(result) is dict:
        message.tool_outputs = [metadata.pop("aggregate_result")]
        message.attachments = [*(message.attachments or ()), *_pictures(result)] or None
    if metadata.get("is_visually_hidden_from_conversation") is True:
        marks["hidden"] = True


def _pictures(result: Fields) -> Iterator[Fields]:
    """Yield the pictures that running code made."""
    shown = result.get("messages")
    for each in shown if isinstance(shown, list) else ():
        if isinstance(each, dict) and str(each.get("image_url")).startswith(SCHEMES):
            yield dict(each)


def _from_author(message: Message, author: RawAuthor, fields: Fields) -> None:
    if type(author.name) is str:
        message.author = author.name or None
    if author.metadata or author.extra or (author.name is not None and message.author is None):
        rest = kept({"metadata": author.metadata} | (author.extra or {}))
        if author.name and message.author is None:
            rest["name"] = author.name
        if rest:
            fields["author"] = rest


def _is_empty(message: Message) -> bool:
    return message.role == "system" and not message.content and message.attachments is None


def _call(recipient: str, content: Content) -> Fields:
    """Return a call whose input is the content of its message."""
    call = {"name": recipient}
    if type(content.rest) is dict and type(content.rest.get("language")) is str:
        call["language"] = content.rest["language"]
    return call
