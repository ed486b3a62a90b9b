"""The reader and the writer of Open WebUI's chats, for the table of formats."""

from chatdb.formats.open_webui.reader import reader
from chatdb.formats.open_webui.writer import make_writer

__all__ = ["make_writer", "reader"]
