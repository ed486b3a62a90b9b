"""A conversation as a transcript: Markdown rendered on a terminal, plain text in a pipe."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from chatdb.cli.text import one_line, safe
from chatdb.formats.branches import TreeNode
from chatdb.formats.citations import with_links
from chatdb.formats.markdown_text import fenced
from chatdb.formats.message_parts import code_language
from chatdb.formats.times import is_known
from chatdb.primitives.nesting import roomy
from chatdb.records import Conversation, Message

STYLES = {
    "user": "bold cyan",
    "assistant": "bold green",
    "system": "bold yellow",
    "tool": "magenta",
}
LONGEST_MARKDOWN = 20_000
"""Characters; a longer message is shown unrendered, because rendering it would take seconds."""
_FOLDED_LINES = 6
_FOLDED_WIDTH = 200
_DEEPEST_INDENT = 12
_NARROWEST = 20
_dumps = roomy(json.dumps)


def plain(record: Conversation, messages: Iterable[Message], *, full: bool) -> Iterator[str]:
    """Yield the conversation as text for a pipe or file, nothing cut; citations are links."""
    yield _title(record)
    yield ""
    for message in messages:
        yield f"{_heading(message)}:"
        yield from _folds(message, full=full)
        yield safe(_content(message, full=full))
        if message.attached_text:
            yield safe(_attached(message.attached_text, full=full))
        yield ""


def rendered(record: Conversation, messages: Iterable[Message], *, full: bool) -> Iterator[Any]:
    """Yield the conversation as rich renderables for a terminal."""
    from rich.text import Text

    yield Text(_title(record), style="bold underline")
    yield Text("")
    for message in messages:
        yield Text(_heading(message), style=STYLES.get(message.role, "bold"))
        for line in _folds(message, full=full):
            yield Text(line, style="dim")
        content = safe(_content(message, full=full))
        if message.role == "assistant" and len(content) <= LONGEST_MARKDOWN:
            language = code_language(message)
            yield _markdown(content if language is None else fenced(content, language))
        else:
            yield Text(content)
        if message.attached_text:
            yield Text(safe(_attached(message.attached_text, full=full)), style="dim")
        yield Text("")


def tree_lines(nodes: Iterable[TreeNode], *, width: int | None = None) -> Iterator[str]:
    """Yield a line for each message: forks indented, the active branch marked by `*`.

    Text longer than `width` continues below, with the same indent.
    """
    from chatdb.cli.table import folded

    for node in nodes:
        indent = "  " * min(node.depth, _DEEPEST_INDENT)
        if node.depth > _DEEPEST_INDENT:
            indent += f"({node.depth}) "
        mark = "*" if node.is_active else "-"
        start = one_line(with_links(node.message)[: _FOLDED_WIDTH * 2], limit=60)
        line = f"{_heading(node.message)}  {start}".rstrip()
        taken = len(indent) + len(mark) + 1
        first, *more = folded(line, None if width is None else max(width - taken, _NARROWEST))
        yield f"{indent}{mark} {first}".rstrip()
        yield from (" " * taken + each for each in more)


def _title(record: Conversation) -> str:
    title = one_line(record.title or "untitled")
    who = f" · {one_line(record.user_id)}" if record.user_id else ""
    return f"{title}{who} · {record.id}"


def _heading(message: Message) -> str:
    parts = [message.role, _time(message.created_at)]
    names = (message.user_id, message.author, message.model)
    parts += [one_line(name, limit=60) for name in names if name]
    return " · ".join(parts)


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%SZ}" if is_known(time) else "time unknown"


def _content(message: Message, *, full: bool) -> str:
    content = with_links(message)
    return content if full or message.role != "tool" else _folded(content)


def _attached(text: str, *, full: bool) -> str:
    return f"[attached text]\n{text if full else _folded(text)}"


def _folded(content: str) -> str:
    """Return the beginning of a long text, with its length."""
    lines = content.split("\n", _FOLDED_LINES)
    shown = "\n".join(lines[:_FOLDED_LINES])[: _FOLDED_WIDTH * _FOLDED_LINES]
    if len(shown) == len(content):
        return content
    return f"{shown}\n… ({len(content):,} characters; --full shows them)"


def _folds(message: Message, *, full: bool) -> Iterator[str]:
    """Yield reasoning, tool calls and other blocks, a short line each unless `full`."""
    for name, value in (
        ("reasoning", message.reasoning),
        ("tool calls", message.tool_calls),
        ("tool outputs", message.tool_outputs),
        ("attachments", message.attachments),
    ):
        if not value:
            continue
        if full:
            yield f"[{name}]\n{safe(_written_out(value))}"
        else:
            yield f"[{name}: {one_line(_summary(value), limit=_FOLDED_WIDTH)}]"


def _written_out(value: Any) -> str:
    return value if isinstance(value, str) else _dumps(value, indent=2, ensure_ascii=False)


def _summary(value: Any) -> str:
    if isinstance(value, str):
        return value
    items: Sequence[Any] = value if isinstance(value, list) else [value]
    by_id = {each["id"]: _name(each) for each in items if _has_id(each) and _name(each)}
    # A picture in the text and the file that it is: once, by its name.
    named = [_name(each) or (_has_id(each) and by_id.get(each["id"])) or None for each in items]
    if not any(named):
        return _dumps(value, ensure_ascii=False)
    told = [
        name or _dumps(each, ensure_ascii=False) for name, each in zip(named, items, strict=True)
    ]
    once = list(dict.fromkeys(told))
    return ", ".join(once[:10]) + (" ..." if len(once) > 10 else "")


def _has_id(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("id"), str)


def _name(item: Any) -> str | None:
    """Return the name of a tool call, file or piece of reasoning."""
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


def _markdown(content: str) -> Any:
    """Render Markdown without active links, and with HTML shown as text."""
    from markdown_it import MarkdownIt
    from rich.markdown import Markdown

    shown = Markdown("", hyperlinks=False)
    parser = MarkdownIt("commonmark", {"html": False}).enable("strikethrough").enable("table")
    shown.markup, shown.parsed = content, parser.parse(content)
    return shown
