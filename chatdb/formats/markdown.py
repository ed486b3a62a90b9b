"""Markdown transcripts: front matter, a heading for each message, everything else folded.

Content is Markdown already and is kept unchanged, except for control characters; anything it leaves
open (a code fence, a comment) is closed after it, so that it cannot swallow later messages.
Everything else is in code fences longer than any in it.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache

import msgspec

from chatdb.formats.attachment_links import with_kept_files
from chatdb.formats.base import WriteOptions, Writer
from chatdb.formats.citations import with_links
from chatdb.formats.conversation_heads import (
    branch_note,
    details_of,
    marks_of_message,
    numbers_of,
    title_of,
)
from chatdb.formats.files.selection import Chosen, chosen_messages
from chatdb.formats.kept_pictures import KeptPictures
from chatdb.formats.markdown_pictures import MarkdownPictures
from chatdb.formats.markdown_text import (
    cleaned,
    closing_of,
    code_span,
    fenced,
    heading_text,
    quoted,
)
from chatdb.formats.message_body import (
    Aside,
    ShownFile,
    ShownFiles,
    Verbatim,
    beside,
    reasoning_of,
)
from chatdb.formats.message_parts import ROLE_NAMES, code_language
from chatdb.formats.times import is_known
from chatdb.records import Conversation, Message
from chatdb.store.columns import FLAGS

_MARK = " · ".encode()
_NO_NAME = re.compile(r"[^\w .:/-]")
_encode_time = msgspec.json.Encoder().encode


class MarkdownWriter(Writer):
    """Writes conversations one after another, each with its own front matter."""

    name = "markdown"
    extension = ".md"
    separator = b"\n"

    def __init__(self, options: WriteOptions) -> None:
        self._options = options
        self._kept = KeptPictures(options)

    def begin(self) -> bytes:
        self._kept = KeptPictures(self._options)
        return b""

    def conversation(self, record: Conversation) -> bytes:
        record = with_kept_files(record, self._options)
        pictures = MarkdownPictures(record, self._kept)
        chosen = list(chosen_messages(record, self._options))
        self.messages = len(chosen)
        numbers = numbers_of(chosen)
        blocks = [_beginning(record, len(chosen))]
        for each in chosen:
            blocks.append(_heading(each, numbers[each.message.id] if numbers else None))
            if not each.is_active:
                blocks.append(f"*{branch_note(each.message, numbers)}*\n".encode())
            blocks += _body(each.message, pictures)
        if definitions := pictures.definitions():
            blocks.append(definitions)
        return b"\n".join(blocks)


def make_writer(options: WriteOptions) -> MarkdownWriter:
    """Return a writer."""
    return MarkdownWriter(options)


def _beginning(record: Conversation, messages: int) -> bytes:
    lines = [*_front_matter(record, messages), f"\n# {heading_text(title_of(record))}\n"]
    return "\n".join(lines).encode("utf-8", "replace")


def _front_matter(record: Conversation, messages: int) -> Iterator[str]:
    """Yield lines of YAML; every text is a double-quoted scalar, which is also JSON."""
    yield "---"
    yield f"title: {quoted(title_of(record))}"
    yield f"id: {quoted(str(record.id))}"
    for name in ("created_at", "updated_at", *FLAGS.values()):
        time = getattr(record, name)
        if time is not None and is_known(time):
            yield f"{name}: {_time(time)}"
    if record.kind != "chat":
        yield f"kind: {record.kind}"
    for name in ("organization", "user_id", "source", "source_name", "source_id"):
        text = getattr(record, name)
        if text is not None:
            yield f"{name}: {quoted(text)}"
    yield f"messages: {messages}"
    yield "---"


def _heading(chosen: Chosen, number: int | None) -> bytes:
    """Write `## 3. Assistant (gpt-5) · 2026-01-31 12:00:00Z · hidden`."""
    message = chosen.message
    start = b"## " if number is None else b"## %d. " % number
    heading = start + _speaker(message.role, message.user_id, message.author, message.model)
    if is_known(message.created_at):
        # Python's own way to write a time takes ten times as long.
        time = _encode_time(message.created_at)
        heading += _MARK + time[1:11] + b" " + time[12:20] + b"Z"
    if chosen.is_hidden or message.edited_at is not None:
        marks = marks_of_message(message, hidden=chosen.is_hidden)
        heading += b"".join(_MARK + each.encode() for each in marks)
    return heading + b"\n"


@lru_cache(maxsize=256)
def _speaker(role: str, *names: str | None) -> bytes:
    """Write `Assistant (gpt-5)`."""
    details = details_of(*names)
    name = ROLE_NAMES[role] + (f" ({heading_text(details)})" if details else "")
    return name.encode("utf-8", "replace")


def _body(message: Message, pictures: MarkdownPictures) -> list[bytes]:
    """Return the blocks of a message: usually the content alone."""
    blocks = []
    if message.reasoning is not None:
        blocks.append(_folded(reasoning_of(message)))
    content, data = cleaned(with_links(message))
    if content and not content.isspace():
        language = None if message.tool_calls is None else code_language(message)
        if message.role == "tool":
            blocks.append(_folded(Aside("Output", (Verbatim(content),))))
        elif language is not None:
            blocks.append(fenced(content, language).encode("utf-8", "replace") + b"\n")
        else:
            blocks.append(data.rstrip(b"\n") + closing_of(content) + b"\n")
    if message.attached_text or not (
        message.tool_calls is message.tool_outputs is message.attachments is None
    ):
        blocks += [
            _folded(part) if isinstance(part, Aside) else _listed(part, pictures)
            for part in beside(message)
        ]
    return blocks


def _folded(aside: Aside) -> bytes:
    """Return a closed `<details>` with each text in a fence: nothing in it is markup."""
    inside = "\n\n".join(fenced(cleaned(each.text)[0], each.language) for each in aside.texts)
    # The title stands inside <summary>, where Markdown escapes nothing.
    title = _NO_NAME.sub("", aside.title)
    folded = f"<details>\n<summary>{title}</summary>\n\n{inside}\n\n</details>\n"
    return folded.encode("utf-8", "replace")


def _listed(shown: ShownFiles, pictures: MarkdownPictures) -> bytes:
    names = "".join(f"- {_attachment(each, pictures)}\n" for each in shown.files)
    return f"Attachments:\n\n{names}".encode("utf-8", "replace")


def _attachment(file: ShownFile, pictures: MarkdownPictures) -> str:
    """Return the name of a file, linked or with the picture below it if it is kept."""
    text = code_span(file.name) + (f" ({code_span(file.about)})" if file.about else "")
    if file.linked is None:
        return text
    if file.linked.url:
        return f"[{text}]({file.linked.url})"
    image = pictures.image(file.linked)
    return f"{text}\n\n  {image}\n" if image else text


def _time(time: datetime) -> str:
    return _encode_time(time).decode()[1:-1]
