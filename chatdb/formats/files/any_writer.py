"""What any kind of writer makes of conversations: one stream, a file or several, or a folder."""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from chatdb.formats.base import VolumeWriter, Writer
from chatdb.formats.files.folder_writing import FolderWriter, locked_folder, write_folder
from chatdb.formats.files.outputs import open_output
from chatdb.formats.files.volumes import write_volumes
from chatdb.formats.files.writing import Written, check_file, write_stream
from chatdb.formats.tables.rows import ConversationRows
from chatdb.formats.tables.table_writing import TableWriter
from chatdb.records import Conversation

Parts = Callable[[Iterator[Conversation], bool], Iterable[tuple[Path, Iterator[Conversation]]]]
"""Gives records their folders; the truth is that the writer arranges one folder itself."""


@dataclass(frozen=True, slots=True)
class WriterRun:
    """Conversations for a writer: it takes the records, or the rows if it writes tables."""

    writer: Writer
    records: Callable[[], Generator[Conversation, None, None]]
    rows: Callable[[], Generator[ConversationRows, None, None]]
    written: Written = field(default_factory=Written)

    def to_stream(self, stream: IO[bytes]) -> Written:
        """Write one document; raises UsageError for what is too much for one, and OSError."""
        writer: Writer | TableWriter = self.writer
        if isinstance(writer, TableWriter):
            with closing(self.rows()) as rows:
                writer.write_table(stream, rows, self.written)
            return self.written
        with closing(self.records()) as records:
            write_stream(stream, writer, records, self.written)
        return self._reported()

    def to_file(self, path: Path, *, force: bool) -> Written:
        """Write a file that appears when it is complete; what is too large becomes several.

        Raises RefusedError for an existing file, unless `force`, and StorageError.
        """
        check_file(path, force=force)
        if isinstance(self.writer, VolumeWriter):
            with closing(self.records()) as records:
                write_volumes(path, self.writer, records, self.written, force=force)
            return self._reported()
        with open_output(path) as stream:
            self.to_stream(stream)
        self.written.files = 1
        return self.written

    def to_folder(
        self,
        folder: Path,
        *,
        force: bool,
        on_kept: Callable[[str], object],
        parts: Parts | None = None,
    ) -> Written:
        """Write a file for each conversation as `write_folder` does, or files of both tables."""
        writer: Writer | TableWriter = self.writer
        if isinstance(writer, TableWriter):
            with (
                closing(self.rows()) as rows,
                locked_folder(folder, self.written, force=force, on_kept=on_kept) as locked,
            ):
                writer.write_tables(locked, rows)
            return self.written
        with closing(self.records()) as records:
            arranged = isinstance(writer, FolderWriter)
            for place, own in parts(records, arranged) if parts else ((folder, records),):
                write_folder(place, writer, own, self.written, force=force, on_kept=on_kept)
        return self._reported()

    def _reported(self) -> Written:
        self.writer.report(self.written)
        return self.written
