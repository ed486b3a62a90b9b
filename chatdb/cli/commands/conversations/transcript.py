"""A conversation as a transcript: Markdown rendered on a terminal, plain text in a pipe."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from uuid import UUID

from chatdb.cli.commands.conversations.blocks import Block, blocks
from chatdb.cli.text import one_line, safe, time_text
from chatdb.formats.branches import TreeNode
from chatdb.formats.citations import with_numbers
from chatdb.formats.times import is_known
from chatdb.records import Conversation, Message

STYLES = {
    "user": "bold cyan",
    "assistant": "bold green",
    "system": "bold yellow",
    "tool": "magenta",
}
LONGEST_MARKDOWN = 20_000
"""Characters; a longer message is shown unrendered, because rendering it would take seconds."""
_STARTS_WITH = 400
_DEEPEST_INDENT = 12
_NARROWEST = 20


@dataclass(frozen=True, slots=True)
class TranscriptStyle:
    """How messages are shown: `full` folds nothing, `digits` of each id (0 for none).

    `marked` is the message that was asked for; times are in `zone`.
    """

    full: bool = False
    digits: int = 0
    marked: UUID | None = None
    zone: tzinfo = UTC


def plain(
    record: Conversation, messages: Iterable[Message], style: TranscriptStyle
) -> Iterator[str]:
    """Yield the conversation as text for a pipe or file; citations are links in it."""
    yield _title(record)
    yield ""
    for message in messages:
        yield f"{_heading(message, style)}:"
        for block in blocks(message, full=style.full):
            yield safe(block.text)
        yield ""


def rendered(
    record: Conversation, messages: Iterable[Message], look: TranscriptStyle
) -> Iterator[Any]:
    """Yield the conversation as rich renderables for a terminal."""
    from rich.text import Text

    yield Text(_title(record), style="bold underline")
    yield Text("")
    for message in messages:
        style = STYLES.get(message.role, "bold")
        yield Text(
            _heading(message, look), style=f"{style} reverse" if _is_at(message, look) else style
        )
        for block in blocks(message, full=look.full, numbered=True):
            yield from _drawn(block)
        yield Text("")


def _drawn(block: Block) -> Iterator[Any]:
    """Yield a part of a message; code and output keep their lines, an address is not broken."""
    from rich.text import Text

    from chatdb.cli.code_blocks import Code, MarkdownText, Unwrapped, words_and_code

    text = safe(block.text).strip("\n")
    if block.kind == "note":
        yield Unwrapped(text, "dim") if "://" in text else Text(text, style="dim")
    elif block.kind == "output":
        yield Unwrapped(text)
    elif block.kind == "code":
        yield Code(text, block.language)
    elif len(text) > LONGEST_MARKDOWN:
        yield Text(text)
    elif block.kind == "markdown":
        yield MarkdownText(text)
    else:
        yield from words_and_code(text)


def tree_lines(
    nodes: Iterable[TreeNode], style: TranscriptStyle, *, numbered: bool, width: int | None = None
) -> Iterator[str]:
    """Yield a line for each message: forks indented, the active branch marked by `*`.

    With `numbered` the last message of each branch has its number. Text longer than `width`
    continues below, with the same indent.
    """
    from chatdb.cli.table import folded

    for node in nodes:
        indent = "  " * min(node.depth, _DEEPEST_INDENT)
        if node.depth > _DEEPEST_INDENT:
            indent += f"({node.depth}) "
        mark = "*" if node.is_active else "-"
        head = node.message.id.hex[-style.digits :]
        if numbered and node.branch is not None:
            head += f" [branch {node.branch}]"
        start = one_line(with_numbers(node.message)[0][:_STARTS_WITH], limit=60)
        line = (
            f"{head} {_heading(node.message, TranscriptStyle(zone=style.zone))}  {start}".rstrip()
        )
        taken = len(indent) + len(mark) + 1
        first, *more = folded(line, None if width is None else max(width - taken, _NARROWEST))
        yield f"{indent}{mark} {first}".rstrip()
        yield from (" " * taken + each for each in more)


def _title(record: Conversation) -> str:
    title = one_line(record.title or "untitled")
    who = f" · {one_line(record.user_id)}" if record.user_id else ""
    return f"{title}{who} · {record.id}"


def _heading(message: Message, style: TranscriptStyle) -> str:
    parts = [message.role, _time(message.created_at, style.zone)]
    names = (message.user_id, message.author, message.model)
    parts += [one_line(name, limit=60) for name in names if name]
    if style.digits:
        parts.append(message.id.hex[-style.digits :])
    return ("→ " if _is_at(message, style) else "") + " · ".join(parts)


def _is_at(message: Message, style: TranscriptStyle) -> bool:
    return message.id == style.marked


def _time(time: datetime, zone: tzinfo) -> str:
    return time_text(time, zone) if is_known(time) else "time unknown"
