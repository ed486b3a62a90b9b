"""The words of an Open WebUI message, and what its `output` has beside them.

`output` lists what an answer is made of: thoughts, calls, their results, texts. Each goes to its
column; what is left is a list in the metadata, from which the writer makes `output` again.
"""

from dataclasses import dataclass, field
from typing import Any

from chatdb.formats.base import Tally
from chatdb.formats.blocks import read_blocks
from chatdb.formats.fields import kept
from chatdb.formats.open_webui.details import CODE, unfolded
from chatdb.primitives import canonical
from chatdb.records import Message

SEPARATOR = "\n\n"
AT = "at"
"""The key of an entry in `metadata.output` that says where in its column the item stands."""
THOUGHT, CALL, RESULT, WORDS = "reasoning", "function_call", "function_call_output", "message"

Fields = dict[str, Any]


@dataclass(slots=True)
class _Parts:
    """What an answer is made of, by kind, and the rest of each item of `output` in order."""

    texts: list[str] = field(default_factory=list)
    reasoning: list[Any] = field(default_factory=list)
    calls: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    rest: list[Any] = field(default_factory=list)

    @property
    def text(self) -> str:
        return SEPARATOR.join(text for text in self.texts if text)


def set_contents(message: Message, fields: Fields, tally: Tally) -> None:
    """Fill the words of a message and the columns beside them, from its `content` and `output`.

    Both are taken out of the fields; what no column holds of them is put back.
    """
    parts = _output(fields, tally)
    _content(message, fields, parts, tally)
    message.reasoning = parts.reasoning or None
    message.tool_calls = parts.calls or None
    message.tool_outputs = parts.outputs or None
    if not message.content:
        message.content = parts.text
    rest = [_without_words(entry, message.content) for entry in parts.rest]
    if rest:
        fields["output"] = rest
    _take_files(message, fields)


def _content(message: Message, fields: Fields, parts: _Parts, tally: Tally) -> None:
    """Set the words; a content that they do not say as it came stays in the fields."""
    content = fields.pop("content", None)
    if isinstance(content, str):
        tally.content_types["text"] += 1
        if message.role == "user":  # What a person typed is never taken apart.
            message.content = content
            return
        found = unfolded(content)
        message.content = found.text
        if found.text != content:
            fields["content"] = content
        parts.reasoning = parts.reasoning or found.reasoning
        parts.calls = parts.calls or found.calls
        parts.outputs = parts.outputs or found.outputs
    elif isinstance(content, list):
        as_it_came = canonical.copied(content)
        blocks = read_blocks(content, tally)
        message.content = blocks.text or blocks.result_text
        parts.reasoning = parts.reasoning or blocks.reasoning
        parts.calls = parts.calls or blocks.tool_calls
        parts.outputs = parts.outputs or blocks.tool_outputs
        message.attachments = blocks.attachments or None
        if blocks.rest:
            fields["content"] = as_it_came
    elif content not in (None, {}):
        fields["content"] = content
        tally.lossy["a content that is neither text nor blocks kept in metadata"] += 1


def _output(fields: Fields, tally: Tally) -> _Parts:
    parts = _Parts()
    items = fields.get("output")
    if not isinstance(items, list):
        return parts
    del fields["output"]
    for item in items:
        if isinstance(item, dict):
            parts.rest.append(_sorted(dict(item), parts, tally))
        elif item is not None:
            parts.rest.append(item)
            tally.lossy["an item of an output that is no object kept in metadata"] += 1
    return parts


def _sorted(item: Fields, parts: _Parts, tally: Tally) -> Fields:
    """Put an item into its column, and return what stands for it in the metadata."""
    raw = item.get("type")
    kind = raw if isinstance(raw, str) else str(raw)
    tally.content_types[kind[:40]] += 1
    columns = {THOUGHT: parts.reasoning, CALL: parts.calls, RESULT: parts.outputs}
    if kind in columns:
        del item["type"]
        columns[kind].append(_thought(item) if kind == THOUGHT else kept(item))
        return {"type": kind, AT: len(columns[kind]) - 1}
    if kind == WORDS and isinstance(item.get("content"), list):
        texts = [_text(part) for part in item["content"]]
        parts.texts += [text for text in texts if text is not None]
        if None in texts:
            tally.lossy["a part of an answer that is no text kept in metadata"] += 1
    elif kind.endswith(CODE):
        arguments = {"code": item.get("code"), "language": item.get("lang")}
        parts.calls.append(kept({"name": CODE, "id": item.get("id"), "arguments": kept(arguments)}))
        if item.get("output") is not None:
            result = {"name": CODE, "call_id": item.get("id"), "output": item["output"]}
            parts.outputs.append(kept(result))
    else:
        tally.lossy[f"unknown item {kind[:40]!r} of an output kept in metadata"] += 1
    return item


def _thought(item: Fields) -> Fields:
    """Return a thought with its text as `content`, if it is made of texts only."""
    parts = item.get("content")
    if isinstance(parts, list) and len(parts) == 1:
        text = _text(parts[0])
        if text is not None and parts[0].keys() <= {"type", "text"}:
            item = {**item, "content": text}
    return kept(item)


def _text(part: Any) -> str | None:
    value = part.get("text") if isinstance(part, dict) else None
    return value if isinstance(value, str) else None


def _without_words(entry: Any, words: str) -> Any:
    """Return an item of texts without its only text, if that is what the message says."""
    if not isinstance(entry, dict) or entry.get("type") != WORDS:
        return entry
    content = entry.get("content")
    if not isinstance(content, list) or len(content) != 1 or _text(content[0]) != words:
        return entry
    return {**entry, "content": [{key: content[0][key] for key in content[0] if key != "text"}]}


def _take_files(message: Message, fields: Fields) -> None:
    files = fields.get("files")
    if isinstance(files, list) and files:
        message.attachments = [*fields.pop("files"), *(message.attachments or [])]
