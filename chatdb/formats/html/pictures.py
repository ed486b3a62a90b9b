"""Pictures among the attachments of a message: beside the page, or inside it."""

import re
from html import escape

from chatdb.formats.kept_pictures import TOO_MANY, KeptPictures
from chatdb.formats.message_body import ShownFile
from chatdb.records import Conversation

_LAZY = ' loading="lazy"'
"""A picture beside the page is loaded when it comes into sight."""
_IMAGE = re.compile(r'<img src="(data:)?')


def image_html(pictures: KeptPictures, record: Conversation, file: ShownFile) -> str:
    """Return a kept picture as an image, empty for any other file."""
    linked = file.linked
    if linked is None or (linked.url and not file.address):
        return ""
    picture = pictures.take(record, linked)
    if picture is None:
        return ""
    size = f' width="{picture.head.width}" height="{picture.head.height}"'
    if linked.url:
        return _image(file.address, file.name, size + _LAZY)
    if not picture.address:
        return f"<small>{TOO_MANY}</small>"
    return _image(picture.address, file.name, size)


def _image(address: str, alt: str, size: str) -> str:
    return f'<img src="{escape(address)}" alt="{escape(alt)}"{size}>'


def image_sources(body: str) -> str:
    """Return where the images of a page come from, as its policy says it; empty without any."""
    # Texts are escaped: what stands there like this is an image.
    inside = set(_IMAGE.findall(body))
    return " ".join(
        source for begin, source in (("", "'self'"), ("data:", "data:")) if begin in inside
    )
