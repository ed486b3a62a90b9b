"""Kept pictures inside a Markdown file: shown in the message, their bytes at its end."""

from chatdb.formats.attachment_links import LinkedEntry
from chatdb.formats.kept_pictures import TOO_MANY, KeptPictures
from chatdb.formats.markdown_text import heading_text, one_line
from chatdb.records import Conversation

_DIGITS = 16
"""Of a digest: a text that defined the same name before would show its own picture instead."""


class MarkdownPictures:
    """The pictures of one conversation, among those of the file."""

    def __init__(self, record: Conversation, kept: KeptPictures) -> None:
        self._record = record
        self._kept = kept
        self._inside: dict[str, str] = {}

    def image(self, linked: LinkedEntry) -> str:
        """Return a kept picture as an image, empty for a file that is not shown."""
        if linked.file is None:
            return ""
        name = f"kept-{linked.file.digest[:_DIGITS]}"
        if name not in self._inside:
            picture = self._kept.take(self._record, linked)
            if picture is None or not picture.address:
                return "" if picture is None else f"({TOO_MANY})"
            self._inside[name] = picture.address
        return f"![{heading_text(one_line(linked.name))}][{name}]"

    def definitions(self) -> bytes:
        """Return the bytes of the pictures, as lines that no reader of Markdown shows."""
        return "".join(f"[{name}]: {each}\n" for name, each in self._inside.items()).encode()
