"""What stands beside the words of a message, in whatever shape its source has it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from chatdb.formats.markdown_text import one_line
from chatdb.records import CALL_INPUTS, CODE_INPUTS, Message

Fields = Mapping[str, Any]

_TEXTS = ("text", "thinking", "content")
_CODE = dict(zip(CODE_INPUTS, ("python", "bash", "sql"), strict=True))
"""The language of what a call runs if it names none."""
_LANGUAGES = {"repl": "javascript", "bash": "bash"}
_LANGUAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9+#.-]{0,30}")
"""A name that is no markup wherever it stands."""
_LARGEST = (1 << 63) - 1
"""Bytes that a file can have: what is larger is no size."""
_IMAGE_NAMES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".heic", ".bmp", ".tif", ".tiff", ".svg")
ROLE_NAMES = {"user": "User", "assistant": "Assistant", "system": "System", "tool": "Tool"}


class ShownOutput(NamedTuple):
    """What a call brought: its tool's name, its text, and all else of it.

    `text` is None without one, empty if the words of the message are that text.
    """

    name: str
    text: str | None
    rest: Any


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
            yield from ((key, fields[key]) for key in CALL_INPUTS if fields.get(key) is not None)


def called_code(call: Any) -> tuple[str, str, Fields] | None:
    """Return the code that a call runs, its language, and the call's other fields; or None."""
    if not isinstance(call, Mapping):
        return None
    for key, value in call_inputs(call):
        given = _as_fields(value)
        for name, language in _CODE.items():
            code = given.get(name)
            if isinstance(code, str) and code.strip():
                others = {each: given[each] for each in given if each != name}
                rest = {each: call[each] for each in call if each not in ("name", key, "function")}
                language = _LANGUAGES.get(call_name(call), language)
                named = _language_in(given)
                return code, language if named is None else named, _with(rest, key, others)
    return None


def calls_shown(message: Message) -> Sequence[Any]:
    """Return the calls of which the words of a message do not say everything."""
    return items(message.tool_calls) if code_language(message) is None else ()


def output_text(output: Any) -> tuple[str, Any] | None:
    """Return the text of a call's output and what else it holds; None if it has no text."""
    if not isinstance(output, Mapping):
        return _parted(output)
    for key in ("text", "content", "output"):
        found = _parted(output.get(key))
        if found is not None and found[0].strip():
            rest = {each: output[each] for each in output if each not in ("name", key)}
            return found[0], _with(rest, key, found[1])
    return None


def outputs_shown(message: Message) -> Iterator[ShownOutput]:
    """Yield the outputs of a message, without texts of which its words were made."""
    outputs = items(message.tool_outputs)
    parted: list[tuple[str | None, Any]] = [output_text(each) or (None, each) for each in outputs]
    if message.role == "tool":
        # Readers join texts in their own ways.
        texts = [(text or "").split() for text, _ in parted]
        words = message.content.split()
        says_all = words == list(chain.from_iterable(texts))
        parted = [
            ("" if own and (says_all or own == words) else text, rest)
            for own, (text, rest) in zip(texts, parted, strict=True)
        ]
    for output, (text, rest) in zip(outputs, parted, strict=True):
        yield ShownOutput(call_name(output), text, rest)


def _parted(value: Any) -> tuple[str, list[Any]] | None:
    """Return the texts of a value, and the items of a list that are none; None without a text."""
    if isinstance(value, str):
        return value, []
    texts = [_text_of(each) for each in value] if isinstance(value, list) else []
    found = [text for text in texts if text is not None]
    if not found:
        return None
    others = [each for each, text in zip(value, texts, strict=True) if text is None]
    return "\n\n".join(found), others


def _language_in(fields: Fields) -> str | None:
    """Return the language that a call names, None for none and for what cannot be one."""
    named = fields.get("language")
    is_name = isinstance(named, str) and named != "unknown" and _LANGUAGE.fullmatch(named)
    return str(named) if is_name else None


def _as_fields(value: Any) -> Fields:
    """Return an object that a call is given, which may be written as JSON; else nothing."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return {}
    return value if isinstance(value, Mapping) else {}


def _with(fields: Fields, key: str, value: Any) -> Fields:
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
    words = message.content.lstrip()
    if not words:
        return None
    if (language := _language_in(call)) is not None:
        return language
    if words.startswith("{"):
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
                is_size = type(size) is int and 0 <= size <= _LARGEST
                return one_line(name), (
                    kind if isinstance(kind, str) else "",
                    size if is_size else None,
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
