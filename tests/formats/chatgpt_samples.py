"""Small ChatGPT conversations for tests, written by hand."""

from typing import Any

CONVERSATION = "6f1d2c3b-0a49-4e58-9c67-123456789abc"
STARTED = 1_700_000_000.25


def message(
    role: str | None = "user", text: Any = "hello", *, at: Any = STARTED + 1, **fields: Any
) -> dict[str, Any]:
    content = text if isinstance(text, dict) else {"content_type": "text", "parts": [text]}
    return {
        "author": {"role": role, "name": None, "metadata": {}},
        "create_time": at,
        "content": content,
        "status": "finished_successfully",
        "weight": 1.0,
        "metadata": {},
        "recipient": "all",
    } | fields


def node(name: str, parent: str | None, item: dict[str, Any] | None, **fields: Any) -> Any:
    if item is not None:
        item = {"id": name} | item
    return name, {"id": name, "parent": parent, "children": [], "message": item} | fields


def conversation(*nodes: Any, **fields: Any) -> dict[str, Any]:
    mapping = dict(nodes)
    for name, item in mapping.items():
        parent = item.get("parent") if isinstance(item, dict) else None
        if parent in mapping and isinstance(mapping[parent], dict):
            mapping[parent].setdefault("children", []).append(name)
    return {
        "title": "A talk",
        "create_time": STARTED,
        "update_time": STARTED + 100,
        "mapping": mapping,
        "current_node": list(mapping)[-1] if mapping else None,
        "conversation_id": CONVERSATION,
        "id": CONVERSATION,
    } | fields


def one_message(item: dict[str, Any]) -> dict[str, Any]:
    return conversation(node("root", None, None), node("only", "root", item))
