"""The messages of LangChain, in Python's and in JavaScript's shape, as records."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from chatdb.formats.base import Tally
from chatdb.formats.blocks import read_blocks
from chatdb.formats.fields import kept, with_marks
from chatdb.formats.message_roles import mapped_role, usual_role
from chatdb.primitives import canonical
from chatdb.records import Message, Role

REMOVAL = "remove"
"""The type of a message that says which one is gone."""

_TYPES: dict[str, Role] = {
    "human": "user",
    "HumanMessageChunk": "user",
    "ai": "assistant",
    "AIMessageChunk": "assistant",
    "system": "system",
    "SystemMessageChunk": "system",
    "tool": "tool",
    "ToolMessageChunk": "tool",
    "function": "tool",
    "FunctionMessageChunk": "tool",
}
_CLASSES = {
    "HumanMessage": "human",
    "AIMessage": "ai",
    "SystemMessage": "system",
    "ToolMessage": "tool",
    "FunctionMessage": "function",
    "ChatMessage": "chat",
    "RemoveMessage": REMOVAL,
}
_ROLES = frozenset(("user", "assistant", "system", "tool", "developer", "human", "ai"))
_USUAL = frozenset(("human", "ai", "system", "tool"))
_MODELS = ("model_name", "model", "model_id")

Fields = dict[str, Any]


def message_fields(value: Any) -> Fields | None:
    """Return the fields of a message in any shape, its `type` among them; None for anything else.

    Shapes: its own fields; `{type, data}`; a constructor `{lc, id, kwargs}`; `{role, content}`.
    """
    if not isinstance(value, dict):
        return None
    if value.get("lc") is not None and isinstance(value.get("kwargs"), dict):
        path = value.get("id")
        name = path[-1] if isinstance(path, list) and path else None
        kind = _CLASSES.get(str(name).removesuffix("Chunk"))
        return None if kind is None else {"type": kind, **value["kwargs"]}
    kind = value.get("type")
    if isinstance(value.get("data"), dict) and isinstance(kind, str) and _is_kind(kind):
        return {**value["data"], "type": kind}
    if "content" not in value:
        return None
    if isinstance(kind, str) and _is_kind(kind):
        return dict(value)
    if isinstance(value.get("role"), str) and value["role"] in _ROLES:
        return {**value, "type": value["role"]}
    return None


def _is_kind(kind: str) -> bool:
    return kind in _TYPES or kind in ("chat", "ChatMessageChunk", REMOVAL)


def id_of(fields: Mapping[str, Any]) -> str | None:
    """Return the id of a message; None if it has none."""
    found = fields.get("id")
    return found if isinstance(found, str) and found else None


def record_of(fields: Fields, identifier: UUID, at: datetime, tally: Tally) -> Message:
    """Make the record of a message; its fields are used up."""
    marks: Fields = {}
    fields.pop("id", None)
    message = Message(id=identifier, role=_role(fields, marks, tally), created_at=at)
    _set_content(message, fields, tally)
    name = fields.get("name")
    if name is None or isinstance(name, str):
        fields.pop("name", None)
        message.author = name or None
    _set_tools(message, fields)
    _set_model(message, fields)
    extra = fields.get("additional_kwargs")
    thought = extra.get("reasoning_content") if isinstance(extra, dict) else None
    if isinstance(extra, dict) and isinstance(thought, str) and thought:
        message.reasoning = [*(message.reasoning or []), {"content": thought}]
        fields["additional_kwargs"] = {
            key: extra[key] for key in extra if key != "reasoning_content"
        }
    message.metadata = with_marks({**fields}, marks)
    return message


def _role(fields: Fields, marks: Fields, tally: Tally) -> Role:
    kind = fields.pop("type", None)
    raw = fields.pop("role", kind) if kind not in _TYPES else kind
    tally.content_types[str(kind)[:40]] += 1
    role = _TYPES.get(str(raw)) or usual_role(raw)
    if role is None:
        role, known = mapped_role(raw)
        if not known:
            tally.lossy[f"unknown role {str(raw)[:40]!r} read as {role}"] += 1
    if raw not in _USUAL and raw != role:
        marks["role"] = raw
    return role


def _set_content(message: Message, fields: Fields, tally: Tally) -> None:
    content = fields.pop("content", None)
    if isinstance(content, str):
        message.content = content
    elif isinstance(content, list):
        blocks = read_blocks([_usual(block) for block in canonical.copied(content)], tally)
        message.content = blocks.text or blocks.result_text
        blocks.fill(message)
        message.attachments = blocks.attachments or None
        if blocks.rest:
            fields["content"] = content
    elif content is not None:
        fields["content"] = content


def _usual(block: Any) -> Any:
    """Return a block with its text where blocks have it: LangChain's thoughts name it twice."""
    if isinstance(block, dict) and isinstance(block.get("reasoning"), str):
        return {"text" if key == "reasoning" else key: value for key, value in block.items()}
    return block


def _set_tools(message: Message, fields: Fields) -> None:
    calls = fields.get("tool_calls")
    if isinstance(calls, list) and calls:
        message.tool_calls = fields.pop("tool_calls")
    if message.role == "tool":
        about = {name: fields.pop(name, None) for name in ("tool_call_id", "status", "artifact")}
        output = {"name": message.author, **about, "content": message.content}
        message.tool_outputs = [kept(output)]


def _set_model(message: Message, fields: Fields) -> None:
    told = fields.get("response_metadata")
    if message.role == "assistant" and isinstance(told, dict):
        names = (told.get(name) for name in _MODELS)
        message.model = next((each for each in names if isinstance(each, str) and each), None)
