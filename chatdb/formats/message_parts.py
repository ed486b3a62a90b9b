"""What stands beside the words of a message, in whatever shape its source has it."""

from collections.abc import Sequence
from typing import Any

from chatdb.formats.markdown_text import one_line

ROLE_NAMES = {"user": "User", "assistant": "Assistant", "system": "System", "tool": "Tool"}


def items(value: Any) -> Sequence[Any]:
    """Return the items of a list, or the value as the only one."""
    if value is None:
        return ()
    return value if isinstance(value, list) else (value,)


def readable(value: Any) -> str | None:
    """Return the text of a value that is text, or a list of texts in objects; else None."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value:
        texts = [_text_of(each) for each in value]
        if all(text is not None for text in texts):
            return "\n\n".join(text for text in texts if text is not None)
    return None


def call_name(value: Any) -> str:
    """Return the name of a tool call, as it stands there; empty if it has none."""
    if not isinstance(value, dict):
        return ""
    function = value.get("function")
    name = value.get("name") or (function.get("name") if isinstance(function, dict) else None)
    return name if isinstance(name, str) else ""


def _text_of(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for name in ("text", "thinking", "content"):
            if isinstance(value.get(name), str):
                return str(value[name])
    return None


def attachment_label(value: Any) -> tuple[str, tuple[str, int | None]]:
    """Return the name of an attachment on one line, its type and its size in bytes, if known."""
    if isinstance(value, str):
        return one_line(value), ("", None)
    if isinstance(value, dict):
        for key in ("name", "file_name", "filename", "title", "id"):
            name = value.get(key)
            if isinstance(name, str) and one_line(name):
                kind = value.get("mime_type") or value.get("type") or value.get("file_type")
                size = value.get("size") or value.get("file_size")
                return one_line(name), (
                    kind if isinstance(kind, str) else "",
                    size if isinstance(size, int) else None,
                )
    return "", ("", None)
