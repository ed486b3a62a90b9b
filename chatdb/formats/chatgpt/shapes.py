"""The shapes of a ChatGPT export as msgspec decodes them, and a slower way for others.

Decoding into these is twice as fast as into dictionaries. They contain every field seen so far and
forbid others, so nothing can get lost: records that do not fit are decoded into dictionaries and
converted to these shapes by `nodes_from`, with unknown fields in `extra`.
"""

from typing import Any

import msgspec

Fields = dict[str, Any]

_HIDDEN_NAME = "\ue000chatdb: extra"
"""A key that no export has: the field is chatdb's."""


class RawAuthor(msgspec.Struct, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """The author of a message."""

    role: Any = None
    name: Any = None
    metadata: Any = None
    extra: Fields | None = msgspec.field(default=None, name=_HIDDEN_NAME)


class RawMessage(msgspec.Struct, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A message as exported."""

    id: Any = None
    author: RawAuthor | None = None
    create_time: Any = None
    update_time: Any = None
    content: Any = None
    status: Any = None
    end_turn: Any = None
    weight: Any = None
    metadata: Any = None
    recipient: Any = None
    channel: Any = None
    extra: Fields | None = msgspec.field(default=None, name=_HIDDEN_NAME)


class RawNode(msgspec.Struct, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A node of the mapping; `malformed` if it or its message is not an object."""

    id: Any = None
    message: RawMessage | None = None
    parent: str | None = None
    children: list[str] | None = None
    extra: Fields | None = msgspec.field(default=None, name=_HIDDEN_NAME)
    malformed: bool = msgspec.field(default=False, name="\ue000chatdb: malformed")


Nodes = dict[str, RawNode]


class RawConversation(msgspec.Struct, gc=False, forbid_unknown_fields=True, omit_defaults=True):
    """A conversation with the fields of the exports of 2023 to 2026."""

    mapping: Nodes
    title: Any = None
    create_time: Any = None
    update_time: Any = None
    moderation_results: Any = None
    current_node: Any = None
    plugin_ids: Any = None
    conversation_id: Any = None
    conversation_template_id: Any = None
    gizmo_id: Any = None
    gizmo_type: Any = None
    is_archived: Any = None
    is_starred: Any = None
    safe_urls: Any = None
    blocked_urls: Any = None
    default_model_slug: Any = None
    conversation_origin: Any = None
    voice: Any = None
    async_status: Any = None
    disabled_tool_ids: Any = None
    is_do_not_remember: Any = None
    memory_scope: Any = None
    sugar_item_id: Any = None
    is_study_mode: Any = None
    pinned_time: Any = None
    owner: Any = None
    id: Any = None
    is_read_only: Any = None
    context_scopes: Any = None
    sugar_item_visible: Any = None
    model_slug: Any = None


decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
decode_conversation = msgspec.json.Decoder(RawConversation).decode
decode_nodes = msgspec.json.Decoder(Nodes).decode

_AUTHOR = frozenset(("role", "name", "metadata"))
_MESSAGE = frozenset(RawMessage.__struct_fields__) - {"extra"}
_NODE = frozenset(("id", "message", "parent", "children"))


def nodes_from(mapping: Fields) -> Nodes:
    """Convert nodes of any shape into the known one; other fields go to `extra`."""
    return {name: _node(value) for name, value in mapping.items()}


def _node(value: Any) -> RawNode:
    if not isinstance(value, dict):
        return RawNode(extra={"node": value}, malformed=value is not None)
    extra = {name: item for name, item in value.items() if name not in _NODE}
    node = RawNode(id=value.get("id"))
    message, parent, children = (value.get(name) for name in ("message", "parent", "children"))
    if isinstance(message, dict):
        node.message = _message(message)
    elif message is not None:
        extra["message"], node.malformed = message, True
    if parent is None or isinstance(parent, str):
        node.parent = parent
    else:
        extra["parent"] = parent
    if isinstance(children, list) and all(isinstance(child, str) for child in children):
        node.children = children
    elif children is not None:
        extra["children"] = children
    node.extra = extra or None
    return node


def _message(value: Fields) -> RawMessage:
    extra = {name: item for name, item in value.items() if name not in _MESSAGE}
    known = {name: item for name, item in value.items() if name in _MESSAGE}
    author = known.pop("author", None)
    message = RawMessage(**known, extra=extra or None)
    if isinstance(author, dict):
        message.author = RawAuthor(**{n: item for n, item in author.items() if n in _AUTHOR})
        message.author.extra = {n: item for n, item in author.items() if n not in _AUTHOR} or None
    elif author is not None:
        message.author = RawAuthor(role=author)
    return message
