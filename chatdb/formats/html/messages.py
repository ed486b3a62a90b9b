"""A message as HTML: who and when, its words, and folded what stands beside them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from html import escape

from chatdb.formats.conversation_heads import details_of, marks_of_message, minute_of
from chatdb.formats.html.rendering import preformatted, rendered
from chatdb.formats.markdown_reading import visible
from chatdb.formats.message_body import (
    Aside,
    Prose,
    ShownFile,
    ShownFiles,
    Verbatim,
    parts_of,
)
from chatdb.formats.message_parts import ROLE_NAMES
from chatdb.formats.times import is_known
from chatdb.records import Message

Image = Callable[[ShownFile], str]
"""Returns an attachment as an image, empty for one that is not shown."""


def message_html(message: Message, anchor: str, image: Image, *, hidden: bool = False) -> str:
    """Return a message; `anchor` is the id by which links find it."""
    marks = [time_html(message.created_at)] if is_known(message.created_at) else []
    marks += marks_of_message(message, hidden=hidden)
    details = escape(details_of(message.user_id, message.author, message.model))
    after = "".join(f"<small>{each}</small>" for each in (details, *marks) if each)
    return (
        f'<section class="m {message.role}" id="{anchor}">\n'
        f'<h2><a href="#{anchor}">{ROLE_NAMES[message.role]}</a>{after}</h2>\n'
        f"{''.join(_body(message, image))}</section>\n"
    )


def time_html(time: datetime) -> str:
    """Return a time in UTC to the minute."""
    return f'<time datetime="{time.isoformat(timespec="seconds")}">{minute_of(time)}</time>'


def _body(message: Message, image: Image) -> Iterator[str]:
    for part in parts_of(message):
        match part:
            case Prose(text):
                yield f'<div class="text" dir="auto" lang="">\n{rendered(text)}</div>\n'
            case Verbatim():
                yield _verbatim(part)
            case Aside(title, texts):
                yield fold(title, "".join(map(_verbatim, texts)))
            case ShownFiles(files):
                names = "".join(_attachment(each, image(each)) for each in files)
                yield f'<ul class="files" aria-label="Attachments">{names}</ul>\n'


def fold(summary: str, inside: str) -> str:
    """Return a part that is opened by a click, or by Enter."""
    text = escape(summary)
    return f'<details class="fold"><summary>{text}</summary><div>\n{inside}</div></details>\n'


def _verbatim(part: Verbatim) -> str:
    return preformatted(visible(part.text), part.language)


def _attachment(file: ShownFile, image: str) -> str:
    """Return the name of an attachment, linked if its file is there, with its type and size."""
    name = f"<bdi>{escape(file.name)}</bdi>"
    text = f"{image}<br>{name}" if image else name
    if file.address:
        text = f'<a href="{escape(file.address)}">{text}</a>'
    about = f" <small>{escape(file.about)}</small>" if file.about else ""
    return f"<li>{text}{about}</li>"
