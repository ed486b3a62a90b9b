"""What stands beside the words of a message, in whatever shape its source has it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from chatdb.formats.markdown_text import one_line
from chatdb.records import Message

Fields = Mapping[str, Any]

_TEXTS = ("text", "thinking", "content")
_INPUTS = ("input", "arguments", "parameters", "args")
_CODE = {"code": "python", "command": "bash", "sql": "sql"}
"""What a call names the code that it runs, and its language if it names none."""
_LANGUAGES = {"repl": "javascript", "bash": "bash"}
_IMAGE_NAMES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".heic", ".bmp", ".tif", ".tiff", ".svg")
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


def call_inputs(call: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a call is given, with the name of the field that has it; most have one."""
    function = call.get("function") if isinstance(call, Mapping) else None
    for fields in (call, function):
        if isinstance(fields, Mapping):
            yield from ((key, fields[key]) for key in _INPUTS if fields.get(key) is not None)


def called_code(call: Any) -> tuple[str, str, Fields] | None:
    """Return the code that a call runs, its language, and the call's other fields; or None."""
    if not isinstance(call, Mapping):
        return None
    for key, value in call_inputs(call):
        given = _as_fields(value)
        for name, language in _CODE.items():
            code = given.get(name)
            if isinstance(code, str) and code.strip():
                named = given.get("language")
                others = {each: given[each] for each in given if each != name}
                rest = {each: call[each] for each in call if each not in ("name", key, "function")}
                language = _LANGUAGES.get(call_name(call), language)
                return code, named if isinstance(named, str) else language, _with(rest, key, others)
    return None


def output_text(output: Any) -> tuple[str, Fields] | None:
    """Return the text of a call's output and its other fields; None if it has no text."""
    if isinstance(output, Mapping):
        for key in ("text", "content", "output"):
            text = readable(output.get(key))
            if text is not None and text.strip():
                return text, {each: output[each] for each in output if each not in ("name", key)}
    text = readable(output)
    return None if text is None else (text, {})


def _as_fields(value: Any) -> Fields:
    """Return an object that a call is given, which may be written as JSON; else nothing."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}


def _with(fields: Fields, key: str, value: Fields) -> Fields:
    return {**fields, key: value} if value else fields


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


def is_image(entry: Any) -> bool:
    """Tell whether an attachment is a picture."""
    if not isinstance(entry, Mapping):
        return False
    kinds = [entry.get(key) for key in ("mime_type", "file_type", "type", "media_type")]
    if any(isinstance(kind, str) and kind.startswith("image/") for kind in kinds):
        return True
    if "image" in (entry.get("file_kind"), entry.get("message_type"), entry.get("type")):
        return True
    if str(entry.get("content_type", "")).startswith("image"):
        return True
    name, _ = attachment_label(entry)
    return name.lower().endswith(_IMAGE_NAMES)


def image_size(entry: Any) -> tuple[int, int] | None:
    """Return width and height of a picture, where its source tells them."""
    for fields in _places_of_size(entry):
        for names in (("width", "height"), ("image_width", "image_height")):
            width, height = (fields.get(name) for name in names)
            if isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0:
                return width, height
    return None


def _places_of_size(entry: Any) -> Iterator[Fields]:
    if isinstance(entry, Mapping):
        yield entry
        nested = (entry.get(name) for name in ("preview_asset", "metadata"))
        yield from (each for each in nested if isinstance(each, Mapping))
