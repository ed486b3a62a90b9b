"""A message as HTML: who and when, its words, and folded what stands beside them."""

from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from html import escape
from typing import Any

import msgspec

from chatdb.formats.attached_files import name_of
from chatdb.formats.attachment_links import LinkedEntry
from chatdb.formats.citations import with_links
from chatdb.formats.html.rendering import preformatted, rendered, visible
from chatdb.formats.markdown_text import one_line
from chatdb.formats.message_parts import (
    ROLE_NAMES,
    attachment_label,
    attachments_once,
    call_name,
    called_code,
    code_language,
    items,
    output_text,
    readable,
)
from chatdb.formats.times import is_known
from chatdb.primitives.nesting import roomy
from chatdb.records import Message

_LONGEST_NAME = 80
_ACTIVE = (".html", ".htm", ".xhtml", ".xht", ".shtml", ".svg", ".svgz", ".xml", ".mht", ".mhtml")
"""Files in which a browser runs scripts: they lie in the folder, but no click opens them."""
_encode = roomy(msgspec.json.Encoder(order="sorted").encode)


def message_html(message: Message, anchor: str, *, hidden: bool = False) -> str:
    """Return a message; `anchor` is the id by which links find it."""
    marks = [time_html(message.created_at)] if is_known(message.created_at) else []
    marks += ["hidden"] if hidden else []
    marks += ["edited"] if message.edited_at is not None else []
    speaker = _speaker(message.role, message.user_id, message.author, message.model)
    after = "".join(f"<small>{each}</small>" for each in marks)
    return (
        f'<section class="m {message.role}" id="{anchor}">\n'
        f'<h2><a href="#{anchor}">{speaker[0]}</a>{speaker[1]}{after}</h2>\n'
        f"{''.join(_body(message))}</section>\n"
    )


def time_html(time: datetime) -> str:
    """Return a time in UTC to the minute."""
    # isoformat, for strftime writes the year 1 without zeros.
    text = time.isoformat(timespec="seconds")
    return f'<time datetime="{text}">{text[:10]} {text[11:16]}</time>'


@lru_cache(maxsize=256)
def _speaker(role: str, *names: str | None) -> tuple[str, str]:
    details = ", ".join(one_line(each) for each in names if each)
    return ROLE_NAMES[role], f"<small>{escape(details)}</small>" if details else ""


def _body(message: Message) -> Iterator[str]:
    if message.reasoning is not None:
        yield _folded("Reasoning", message.reasoning)
    content = with_links(message)
    if content and not content.isspace():
        if message.role == "tool":
            yield _folded("Output", content)
        elif (language := code_language(message)) is not None:
            yield preformatted(visible(content), language or "text")
        else:
            yield f'<div class="text" dir="auto" lang="">\n{rendered(content)}</div>\n'
    if message.attached_text:
        yield _folded("Attached text", message.attached_text)
    for call in items(message.tool_calls):
        yield fold(_named("Tool call", call), _call(call))
    for output in items(message.tool_outputs):
        yield fold(_named("Tool output", output), _output(output))
    attached = attachments_once(message)
    if attached:
        names = "".join(f"<li>{_attachment(each)}</li>" for each in attached)
        yield f'<ul class="files" aria-label="Attachments">{names}</ul>\n'


def fold(summary: str, inside: str) -> str:
    """Return a part that is opened by a click, or by Enter."""
    text = escape(summary)
    return f'<details class="fold"><summary>{text}</summary><div>\n{inside}</div></details>\n'


def _folded(summary: str, value: Any) -> str:
    return fold(summary, _value(value))


def _value(value: Any) -> str:
    """Return the text of a value as it is, or the value as JSON."""
    text = readable(value)
    return _json(value) if text is None else preformatted(visible(text))


def _call(call: Any) -> str:
    """Return the code that a call runs as code, with what else it holds as JSON."""
    found = called_code(call)
    if found is None:
        return _value(call)
    code, language, rest = found
    return preformatted(visible(code), language) + (_json(rest) if rest else "")


def _output(output: Any) -> str:
    """Return the text of an output, with what else it holds as JSON."""
    found = output_text(output)
    if found is None:
        return _value(output)
    text, rest = found
    return preformatted(visible(text)) + (_json(rest) if rest else "")


def _json(value: Any) -> str:
    text = msgspec.json.format(_encode(value), indent=2).decode()
    return preformatted(visible(text), "json")


def _named(what: str, value: Any) -> str:
    name = one_line(call_name(value))[:_LONGEST_NAME]
    return f"{what}: {name}" if name else what


def _attachment(entry: Any) -> str:
    """Return the name of an attachment, linked if its file is there, with its type and size."""
    address = ""
    if isinstance(entry, LinkedEntry):
        # A page from the disk may do more than this one, which is a page of somebody else's.
        is_active = entry.url.lower().endswith(_ACTIVE)
        address = "" if is_active else escape(entry.url)
        entry = entry.name if name_of(entry.entry) is None else entry.entry
    name, (kind, size) = attachment_label(entry)
    about = ", ".join(each for each in (one_line(kind), _size(size)) if each)
    text = f"<bdi>{escape(name or 'unnamed')}</bdi>"
    text = f'<a href="{address}">{text}</a>' if address else text
    return text + (f" <small>{escape(about)}</small>" if about else "")


def _size(size: int | None) -> str:
    if size is None:
        return ""
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
