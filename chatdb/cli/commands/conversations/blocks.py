"""What a message shows in a transcript: its words, its code, and what stands beside them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from chatdb.cli.text import one_line
from chatdb.formats.citations import with_links, with_numbers
from chatdb.formats.message_parts import (
    attachment_label,
    attachments_once,
    call_name,
    called_code,
    calls_shown,
    code_language,
    image_size,
    is_image,
    items,
    output_text,
    outputs_shown,
)
from chatdb.primitives.nesting import roomy
from chatdb.primitives.sizes import size_text
from chatdb.records import Message

_FOLDED_LINES = 6
_FOLDED_WIDTH = 200
_CODE_LINES = 24
"""Of the code that a call runs; more are folded."""
_FULL = "--full shows"
_dumps = roomy(json.dumps)

Kind = Literal["words", "markdown", "code", "output", "note"]


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a message: words wrap, code and output keep their lines, a note stands aside."""

    kind: Kind
    text: str
    language: str = ""


def blocks(message: Message, *, full: bool, numbered: bool = False) -> Iterator[Block]:
    """Yield the parts of a message, tool calls, outputs and reasoning folded unless `full`.

    With `numbered` the addresses of citations follow the words, else they stand in them as links.
    """
    yield from _reasoning(message.reasoning, full=full)
    yield from _attachments(message, full=full)
    if message.role == "tool":
        yield from _output(message.content, full=full)
    else:
        yield from _words(message, numbered=numbered)
    yield from _calls(items(message.tool_calls) if full else calls_shown(message), full=full)
    yield from _outputs(message, full=full)
    if message.attached_text:
        yield Block("note", "[attached text]")
        yield Block("output", message.attached_text if full else _folded(message.attached_text))


def _words(message: Message, *, numbered: bool) -> Iterator[Block]:
    content, addresses = with_numbers(message) if numbered else (with_links(message), [])
    language = code_language(message)
    if not content.strip():
        return
    if language is not None:
        yield Block("code", content, language)
    else:
        yield Block("markdown" if message.role == "assistant" else "words", content)
    for number, address in enumerate(addresses, 1):
        yield Block("note", f"[{number}] {address}")


def _reasoning(value: Any, *, full: bool) -> Iterator[Block]:
    if value and full:
        yield Block("note", "[reasoning]")
        yield Block("words" if isinstance(value, str) else "code", _written_out(value), "json")
    elif value:
        yield Block("note", f"[reasoning: {one_line(_summary(value), limit=_FOLDED_WIDTH)}]")


def _attachments(message: Message, *, full: bool) -> Iterator[Block]:
    """Yield a line for each picture, and one with the names of the other files."""
    entries = attachments_once(message)
    # A picture that stands twice has its name in one place and its size in the other.
    sizes = {_id(each): image_size(each) for each in items(message.attachments) if image_size(each)}
    for entry in entries:
        if is_image(entry):
            size = image_size(entry) or sizes.get(_id(entry))
            about = "" if size is None else f", {size[0]}x{size[1]}"
            yield Block("note", f"[image: {_file_name(entry)}{about}]")
    others = [_file_name(entry, with_size=True) for entry in entries if not is_image(entry)]
    if full and message.attachments:
        yield Block("note", "[attachments]")
        yield Block("code", _written_out(message.attachments), "json")
    elif others:
        more = f" and {len(others) - 10} more" if len(others) > 10 else ""
        yield Block("note", f"[attachments: {', '.join(others[:10])}{more}]")


def _id(entry: Any) -> str | None:
    identifier = entry.get("id") if isinstance(entry, dict) else None
    return identifier if isinstance(identifier, str) else None


def _file_name(entry: Any, *, with_size: bool = False) -> str:
    name, (_, size) = attachment_label(entry)
    about = f" ({size_text(size)})" if with_size and size is not None else ""
    return f"{one_line(name, limit=80) or 'unnamed'}{about}"


def _calls(calls: Sequence[Any], *, full: bool) -> Iterator[Block]:
    names: list[str] = []
    for call in calls:
        name = one_line(call_name(call), limit=_FOLDED_WIDTH)
        found = called_code(call)
        if found is not None:
            code, language, rest = found
            yield Block("note", f"[tool call: {name or 'code'}]")
            yield Block("code", code if full else _folded(code, _CODE_LINES), language)
            if rest and full:
                yield Block("code", _written_out(rest), "json")
        elif full:
            yield Block("note", f"[tool call: {name}]" if name else "[tool call]")
            yield Block("code", _written_out(call), "json")
        else:
            names.append(name or one_line(_summary(call), limit=_FOLDED_WIDTH))
    if names:
        more = f" and {len(names) - 10} more" if len(names) > 10 else ""
        yield Block("note", f"[tool calls: {', '.join(names[:10])}{more}]")


def _outputs(message: Message, *, full: bool) -> Iterator[Block]:
    """Yield the texts of outputs; what is only JSON is folded behind them."""
    if full:
        for output in items(message.tool_outputs):
            yield Block("note", "[tool output]")
            yield Block("code", _written_out(output), "json")
        return
    has_words = message.role == "tool" and bool(message.content.strip())
    for _, text, rest in outputs_shown(message):
        if text:
            yield Block("note", "[tool output]")
            yield Block("output", _folded(text))
        elif text is None and not has_words and len(told := _dumps(rest)) <= _FOLDED_WIDTH:
            yield Block("note", f"[tool output: {told}]")
        elif text is None:
            yield _json_note(_written_out(rest))


def _output(content: str, *, full: bool) -> Iterator[Block]:
    """Yield what a tool wrote: of JSON the text in it, with the JSON folded behind."""
    if not content.strip():
        return
    value = _json(content)
    if value is None or full or (len(content) <= _FOLDED_WIDTH and output_text(value) is None):
        yield Block("output", content if full else _folded(content))
        return
    found = output_text(value)
    if found is not None:
        yield Block("output", _folded(found[0]))
    yield _json_note(content)


def _json(content: str) -> Any:
    """Return an object or list that a text is, else None."""
    if content.lstrip()[:1] not in ("{", "["):
        return None
    try:
        value = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, ValueError):
        return None
    return value or None


def _json_note(text: str) -> Block:
    return Block("note", f"[JSON of {len(text):,} characters: {_FULL} it]")


def _folded(content: str, most: int = _FOLDED_LINES) -> str:
    """Return the beginning of a long text, with its length."""
    lines = content.split("\n", most)
    shown = "\n".join(lines[:most])[: _FOLDED_WIDTH * most]
    if len(shown) == len(content):
        return content
    return f"{shown}\n… ({len(content):,} characters; {_FULL} them)"


def _written_out(value: Any) -> str:
    return value if isinstance(value, str) else _dumps(value, indent=2, ensure_ascii=False)


def _summary(value: Any) -> str:
    """Return the words of a value in little room: the names or texts in it, else JSON."""
    if isinstance(value, str):
        return value
    entries: Sequence[Any] = items(value)
    named = [_name(entry) for entry in entries]
    if not any(named):
        return str(_dumps(value, ensure_ascii=False))
    told = [
        name or _dumps(each, ensure_ascii=False) for name, each in zip(named, entries, strict=True)
    ]
    once = list(dict.fromkeys(told))
    return ", ".join(once[:10]) + (" ..." if len(once) > 10 else "")


def _name(item: Any) -> str | None:
    """Return the name of a tool call, or the beginning of a piece of reasoning."""
    if not isinstance(item, dict):
        return item if isinstance(item, str) else None
    function = item.get("function")
    if isinstance(function, dict):
        return _name(function)
    for key in ("name", "file_name", "title", "summary", "text", "content"):
        value = item.get(key)
        if isinstance(value, str) and value:
            return value
    return None
