"""What a page shows of a message, in its order: words, code, and what is set apart from them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec

from chatdb.formats.attached_files import name_of
from chatdb.formats.attachment_links import LinkedEntry
from chatdb.formats.citations import with_links
from chatdb.formats.markdown_text import one_line
from chatdb.formats.message_parts import (
    ShownOutput,
    attachment_label,
    attachments_once,
    call_name,
    called_code,
    calls_shown,
    code_language,
    outputs_shown,
    readable,
)
from chatdb.primitives.nesting import roomy
from chatdb.primitives.sizes import size_text
from chatdb.records import Message

LONGEST_COLOURED = 50_000
"""Characters of code that is coloured: some lexers take far more than a second for a megabyte."""
_LONGEST_NAME = 80
_ACTIVE = (".html", ".htm", ".xhtml", ".xht", ".shtml", ".svg", ".svgz", ".xml", ".mht", ".mhtml")
"""Files in which a browser runs scripts: they lie in the folder, but no click opens them."""
_encode = roomy(msgspec.json.Encoder(order="sorted").encode)


@dataclass(frozen=True, slots=True)
class Prose:
    """Markdown, as a person or a model wrote it."""

    text: str


@dataclass(frozen=True, slots=True)
class Verbatim:
    """A text as it is; with a language it is code."""

    text: str
    language: str = ""


@dataclass(frozen=True, slots=True)
class Aside:
    """What stands beside the words, under a title: reasoning, calls, outputs, attached text."""

    title: str
    texts: tuple[Verbatim, ...]


@dataclass(frozen=True, slots=True)
class ShownFile:
    """An attachment: name, type and size, where it may be opened; `linked` if it is kept."""

    name: str
    about: str
    address: str
    linked: LinkedEntry | None


@dataclass(frozen=True, slots=True)
class ShownFiles:
    """All attachments of a message."""

    files: tuple[ShownFile, ...]


Part = Prose | Verbatim | Aside | ShownFiles


def parts_of(message: Message) -> Iterator[Part]:
    """Yield the parts of a message."""
    if message.reasoning is not None:
        yield reasoning_of(message)
    content = with_links(message)
    if content and not content.isspace():
        if message.role == "tool":
            yield Aside("Output", (Verbatim(content),))
        elif (language := code_language(message)) is not None:
            yield Verbatim(content, language or "text")
        else:
            yield Prose(content)
    yield from beside(message)


def reasoning_of(message: Message) -> Aside:
    """Return the reasoning of a message that has some."""
    return Aside("Reasoning", _value(message.reasoning))


def beside(message: Message) -> Iterator[Aside | ShownFiles]:
    """Yield what stands after the words of a message: attached text, calls, outputs, files."""
    if message.attached_text:
        yield Aside("Attached text", (Verbatim(message.attached_text),))
    for call in calls_shown(message):
        yield Aside(_named("Tool call", call_name(call)), _call(call))
    for output in outputs_shown(message):
        if texts := _output(output):
            yield Aside(_named("Tool output", output.name), texts)
    attached = attachments_once(message)
    if attached:
        yield ShownFiles(tuple(map(_attachment, attached)))


def _value(value: Any) -> tuple[Verbatim, ...]:
    """Return the text of a value as it is, or the value as JSON."""
    text = readable(value)
    return _json(value) if text is None else (Verbatim(text),)


def _call(call: Any) -> tuple[Verbatim, ...]:
    """Return the code that a call runs as code, with what else it holds as JSON."""
    found = called_code(call)
    if found is None:
        return _value(call)
    code, language, rest = found
    return Verbatim(code, language), *(_json(rest) if rest else ())


def _output(output: ShownOutput) -> tuple[Verbatim, ...]:
    """Return the text of an output, with what else it holds as JSON."""
    if output.text is None:
        return _value(output.rest)
    text = (Verbatim(output.text),) if output.text else ()
    return *text, *(_json(output.rest) if output.rest else ())


def _json(value: Any) -> tuple[Verbatim, ...]:
    return (Verbatim(msgspec.json.format(_encode(value), indent=2).decode(), "json"),)


def _named(what: str, name: str) -> str:
    name = one_line(name)[:_LONGEST_NAME]
    return f"{what}: {name}" if name else what


def _attachment(entry: Any) -> ShownFile:
    linked = entry if isinstance(entry, LinkedEntry) else None
    if linked is not None:
        entry = linked.name if name_of(linked.entry) is None else linked.entry
    name, (kind, size) = attachment_label(entry)
    if linked is not None and linked.file is not None:
        # The file itself is there, whatever its source says of it.
        kind = linked.file.media_type or kind
        size = size if linked.file.size is None else linked.file.size
    told = "" if size is None else size_text(size)
    about = ", ".join(each for each in (one_line(kind), told) if each)
    # A page from the disk may do more than this one, which is a page of somebody else's.
    is_active = linked is not None and linked.url.lower().endswith(_ACTIVE)
    address = "" if linked is None or is_active else linked.url
    if not name:
        name = one_line(_encode(entry).decode()) if entry else "unnamed"
    return ShownFile(name, about, address, linked)
