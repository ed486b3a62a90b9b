"""Kept pictures inside a Markdown file: shown in the message, their bytes at its end."""

from base64 import b64encode

from chatdb.formats.attachment_links import LinkedEntry, kept_picture
from chatdb.formats.base import WriteOptions
from chatdb.formats.markdown_text import heading_text, one_line
from chatdb.formats.pictures import picture_of
from chatdb.records import Conversation

_DIGITS = 16
"""Of a digest: a text that defined the same name before would show its own picture instead."""


class MarkdownPictures:
    """The pictures of one conversation."""

    def __init__(self, record: Conversation, options: WriteOptions) -> None:
        self._record = record
        self._options = options
        self._inside: dict[str, str] = {}

    def image(self, linked: LinkedEntry) -> str:
        """Return a kept picture as an image, empty for a file that is not shown."""
        data = None if linked.url else kept_picture(self._record, linked, self._options)
        picture = None if data is None else picture_of(data)
        if data is None or picture is None or linked.file is None:
            return ""
        name = f"kept-{linked.file.digest[:_DIGITS]}"
        if name not in self._inside:
            self._inside[name] = f"data:{picture.kind};base64,{b64encode(data).decode()}"
        return f"![{heading_text(one_line(linked.name))}][{name}]"

    def definitions(self) -> bytes:
        """Return the bytes of the pictures, as lines that no reader of Markdown shows."""
        return "".join(f"[{name}]: {each}\n" for name, each in self._inside.items()).encode()
