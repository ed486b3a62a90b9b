"""A message as HTML: who and when, its words, and folded what stands beside them."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from html import escape

from chatdb.formats.html.rendering import preformatted, rendered
from chatdb.formats.markdown_reading import visible
from chatdb.formats.markdown_text import one_line
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
    marks += ["hidden"] if hidden else []
    marks += ["edited"] if message.edited_at is not None else []
    speaker = _speaker(message.role, message.user_id, message.author, message.model)
    after = "".join(f"<small>{each}</small>" for each in marks)
    return (
        f'<section class="m {message.role}" id="{anchor}">\n'
        f'<h2><a href="#{anchor}">{speaker[0]}</a>{speaker[1]}{after}</h2>\n'
        f"{''.join(_body(message, image))}</section>\n"
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
