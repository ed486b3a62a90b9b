"""HTML to read: a page a conversation with an index, or one page with all of them."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from chatdb.formats.attachment_links import with_kept_files
from chatdb.formats.base import WriteOptions, Writer
from chatdb.formats.conversation_heads import title_of
from chatdb.formats.html.conversations import conversation_html
from chatdb.formats.html.page import page_end, page_start
from chatdb.formats.html.pictures import image_sources
from chatdb.formats.kept_pictures import KeptPictures
from chatdb.records import Conversation

if TYPE_CHECKING:
    from chatdb.formats.files.folder_writing import LockedFolder


class HtmlWriter(Writer):
    """Writes one page with conversations one after another, or a folder of pages."""

    name = "html"
    extension = ".html"

    def __init__(self, options: WriteOptions) -> None:
        self._options = options
        self._pictures = KeptPictures(options)
        self._count = 0
        self._title = ""
        self._first = ""

    def begin(self) -> bytes:
        self._pictures = KeptPictures(self._options)
        self._count = 0
        return b""

    def conversation(self, record: Conversation) -> bytes:
        """Return one conversation; the first waits: alone it gives the page its title."""
        self._count += 1
        if self._count == 1:
            self._title = title_of(record)
            self._first = self._article(record)
            return b""
        article = self._article(record, f"c{self._count}")
        if self._count == 2:
            article = page_start("Conversations", images="data:") + self._first + article
            self._first = ""
        return article.encode("utf-8", "replace")

    def end(self) -> bytes:
        start = ""
        if self._count == 0:
            start = page_start("Conversations") + "<p>No conversation matched.</p>\n"
        elif self._count == 1:
            images = image_sources(self._first)
            start = page_start(self._title, images=images) + self._first
        return (start + page_end()).encode("utf-8", "replace")

    def _article(self, record: Conversation, start: str = "") -> str:
        linked = with_kept_files(record, self._options)
        article, self.messages = conversation_html(linked, self._options, self._pictures, start)
        return article

    def write_folder(self, folder: "LockedFolder", records: Iterable[Conversation]) -> None:
        """Write a page for each record in the folder of its year, with lists and an index."""
        from chatdb.formats.html.site import write_site

        write_site(folder, self._options, self, records)


def make_writer(options: WriteOptions) -> HtmlWriter:
    """Return a writer."""
    return HtmlWriter(options)
