"""PDF to hand on: a document a conversation, or one with all of them and their contents."""

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING

from chatdb.formats.base import Document, MissingLetters, WriteOptions, Writer
from chatdb.formats.pdf.compiler import Compiler, check_fonts, check_installed
from chatdb.formats.pdf.letters import Letters
from chatdb.formats.pdf.volumes import Documents
from chatdb.records import Conversation

if TYPE_CHECKING:
    from chatdb.formats.files.writing import Written


class PdfWriter(Writer):
    """Writes documents as wholes; `conversation` returns one with that conversation alone."""

    name = "pdf"
    extension = ".pdf"

    def __init__(self, options: WriteOptions) -> None:
        self._options = options
        self._letters = Letters()
        self._missing: tuple[MissingLetters, ...] = ()

    def conversation(self, record: Conversation) -> bytes:
        """Return a document of one conversation; raises ValueError if it takes several."""
        (document,) = self.documents([("", record)])
        return document.data

    def documents(
        self, named: Iterable[tuple[str, Conversation]], *, empty: str | None = None
    ) -> Generator[Document, None, None]:
        """Yield a document for each name, as `VolumeWriter` says.

        Raises TypesettingFailedError.
        """
        with Compiler(self._options.font_folders) as compiler:
            yield from Documents(self._options, self._letters, compiler).made(named, empty)
            if self._letters.are_special:
                self._missing = self._letters.missing(compiler.faces())

    def report(self, written: "Written") -> None:
        """Tell the letters that no font has."""
        written.missing_letters = self._missing


def make_writer(options: WriteOptions) -> PdfWriter:
    """Return a writer; raises ProgramMissingError without the extra, NotFoundError."""
    check_installed()
    check_fonts(options.font_folders)
    return PdfWriter(options)
