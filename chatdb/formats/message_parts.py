"""What stands beside the words of a message, in whatever shape its source has it."""

from collections.abc import Sequence
from typing import Any

from chatdb.formats.markdown_text import one_line
from chatdb.records import Message

_TEXTS = ("text", "thinking", "content")
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
        texts = [value[name] for name in _TEXTS if isinstance(value.get(name), str)]
        summaries = value.get("summaries")
        if not any(texts) and isinstance(summaries, list):
            # Thoughts that are hidden speak by their summaries alone.
            said = (each.get("summary") for each in summaries if isinstance(each, dict))
            texts = ["\n\n".join(text for text in said if isinstance(text, str))]
        return next(filter(None, texts), texts[0] if texts else None)
    return None


def code_language(message: Message) -> str | None:
    """Return the language of a content that is the input of a call: None for words."""
    calls = message.tool_calls
    if message.role != "assistant" or not isinstance(calls, list) or len(calls) != 1:
        return None
    (call,) = calls
    # A call with an input of its own says nothing of the content.
    if not isinstance(call, dict) or not call.keys() <= {"name", "language"}:
        return None
    language = call.get("language")
    if isinstance(language, str) and language.isalnum() and language != "unknown":
        return language
    if message.content.lstrip().startswith("{"):
        return "json"
    return "python" if call.get("name") == "python" else ""


def attachments_once(message: Message) -> list[Any]:
    """Return the attachments, a file that stands twice only once: where it has its name."""
    entries = items(message.attachments)
    raw = [getattr(each, "entry", each) for each in entries]
    named = {each["id"] for each in raw if _has(each, "id") and _has(each, "name")}
    pasted = {each["file_name"] for each in raw if _has(each, "file_name") and "kind" not in each}

    def is_again(entry: Any, shown: Any) -> bool:
        if shown is not entry or not isinstance(entry, dict):
            return False
        if _has(entry, "id") and not _has(entry, "name"):
            return entry["id"] in named
        return entry.get("kind") == "file" and entry.get("file_name") in pasted

    return [shown for entry, shown in zip(raw, entries, strict=True) if not is_again(entry, shown)]


def _has(entry: Any, name: str) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get(name), str)


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
