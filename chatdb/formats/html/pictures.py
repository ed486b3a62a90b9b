"""ShownPictures among the attachments of a message: beside the page, or inside it."""

import re
from base64 import b64encode
from html import escape

from chatdb.formats.attachment_links import kept_picture
from chatdb.formats.base import WriteOptions
from chatdb.formats.message_body import ShownFile
from chatdb.formats.pictures import picture_of
from chatdb.records import Conversation

MOST_INSIDE = 50_000_000
"""Bytes of pictures in one page, which is held in memory several times while it is made."""
_TOO_MANY = "<small>not shown: the page has too many pictures</small>"
_LAZY = ' loading="lazy"'
"""A picture beside the page is loaded when it comes into sight."""
_IMAGE = re.compile(r'<img src="(data:)?')


class ShownPictures:
    """The pictures of one page."""

    def __init__(self, options: WriteOptions) -> None:
        self._options = options
        self._inside = 0

    def image(self, record: Conversation, file: ShownFile) -> str:
        """Return a kept picture as an image, empty for any other file."""
        linked = file.linked
        if linked is None or not linked.is_picture or (linked.url and not file.address):
            return ""
        data = kept_picture(record, linked, self._options)
        picture = None if data is None else picture_of(data)
        if linked.url and data is None:
            # It is too large to be looked at here.
            return _image(file.address, file.name, _LAZY)
        if data is None or picture is None:
            return ""
        size = f' width="{picture.width}" height="{picture.height}"'
        if linked.url:
            return _image(file.address, file.name, size + _LAZY)
        if self._inside + len(data) > MOST_INSIDE:
            return _TOO_MANY
        self._inside += len(data)
        return _image(f"data:{picture.kind};base64,{b64encode(data).decode()}", file.name, size)


def _image(address: str, alt: str, size: str = "") -> str:
    return f'<img src="{escape(address)}" alt="{escape(alt)}"{size}>'


def image_sources(body: str) -> str:
    """Return where the images of a page come from, as its policy says it; empty without any."""
    # Texts are escaped: what stands there like this is an image.
    inside = set(_IMAGE.findall(body))
    return " ".join(
        source for begin, source in (("", "'self'"), ("data:", "data:")) if begin in inside
    )
