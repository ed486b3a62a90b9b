"""From the database to a stream, a file or a folder."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import IO, TypedDict

from chatdb.db.database import Database
from chatdb.errors import UnreadableFileError
from chatdb.formats import native, registry
from chatdb.formats.attachment_links import FOLDER as ATTACHMENTS
from chatdb.formats.base import ReadFile, WriteOptions, Writer
from chatdb.formats.files.any_writer import WriterRun
from chatdb.formats.files.file_names import folder_name
from chatdb.formats.files.outputs import open_output
from chatdb.formats.files.writing import Written, check_file
from chatdb.formats.tables.rows import ConversationRows
from chatdb.operations.attachments.public import with_placed_files
from chatdb.operations.exporting.exports import read_conversations, read_rows
from chatdb.primitives.file_store import FileStore
from chatdb.records import Conversation, MessageFile, organization_id_of
from chatdb.store.every_organization import EVERY, Scope
from chatdb.store.lines import OnRead, native_lines
from chatdb.store.selecting import ConversationFilter, IdsWithin


class _Reading(TypedDict):
    """Arguments of `native_lines`."""

    organization_key: Scope
    ids_within: IdsWithin | None
    labelled: bool
    marks_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What to export, of one organization or all, in which format.

    `ids_within` has the conversations that were named or found, by their organization's id.
    """

    wanted: ConversationFilter
    organization_key: Scope
    ids_within: IdsWithin | None = None
    format_name: str = native.NativeReader.name
    all_branches: bool = False
    include_hidden: bool = False
    raw_csv: bool = False
    font_folders: tuple[str, ...] = ()

    @property
    def is_everything(self) -> bool:
        """Tell whether no conversation is left out."""
        return self.wanted.is_everything and self.ids_within is None

    @property
    def is_transcript(self) -> bool:
        """Tell whether people read what is written."""
        return registry.written_format(self.format_name).is_transcript

    @property
    def reading(self) -> "_Reading":
        """Return the selection of the conversations to read.

        Every record names its organization, except transcripts of a single one.
        """
        everywhere = self.organization_key is EVERY
        return {
            "organization_key": self.organization_key,
            "ids_within": self.ids_within,
            "labelled": everywhere or not self.is_transcript,
            "marks_only": self.is_transcript,
        }

    def writer(
        self, source: str, *, attachments: str | None = None, read_file: ReadFile | None = None
    ) -> Writer:
        """Return the writer; `source` names where the records come from.

        `attachments` is the folder beside the files with the kept attachments.
        """
        options = WriteOptions(
            all_branches=self.all_branches,
            include_hidden=self.include_hidden,
            source=source,
            attachments=attachments,
            raw_csv=self.raw_csv,
            read_file=read_file,
            font_folders=self.font_folders,
        )
        return registry.writer(self.format_name, options)

    def reading_from(self, store: FileStore | None, written: Written) -> ReadFile | None:
        """Return what reads a kept file; one that cannot be read is left out and remembered."""
        if store is None:
            return None

        def read(record: Conversation, file: MessageFile, most: int) -> bytes | None:
            key = record.organization or str(self.organization_key)
            try:
                return store.read(organization_id_of(key), file.digest, most)
            except UnreadableFileError:
                written.leave_out(file)
                return None

        return read


def export_stream(
    database: Database,
    stream: IO[bytes],
    options: ExportOptions,
    *,
    on_read: OnRead,
    store: FileStore | None = None,
) -> Written:
    """Write everything selected as one document, from one state of the database.

    Small pictures of the store are shown by formats with pages. Raises OSError.
    """
    if options.format_name == native.NativeReader.name:
        return _write_native(database, stream, options, on_read)
    return _run(database, options, on_read, store).to_stream(stream)


def export_file(
    database: Database,
    path: Path,
    options: ExportOptions,
    *,
    force: bool,
    on_read: OnRead,
    store: FileStore | None = None,
) -> Written:
    """Write everything selected to a file that appears when it is complete.

    What is too large for one becomes several; small pictures of the store are shown by formats with
    pages. Raises RefusedError for an existing file, unless `force`, and StorageError.
    """
    if options.format_name == native.NativeReader.name:
        check_file(path, force=force)
        with open_output(path) as stream:
            written = _write_native(database, stream, options, on_read)
        written.files = 1
        return written
    return _run(database, options, on_read, store).to_file(path, force=force)


def export_folder(
    database: Database,
    folder: Path,
    options: ExportOptions,
    *,
    force: bool,
    on_read: OnRead,
    on_kept: Callable[[str], object],
    store: FileStore | None = None,
) -> Written:
    """Write a file for each conversation, as `write_folder` does.

    With all organizations, each has its own folder inside, in which a writer of folders puts it.
    Transcripts link the kept attachments of the store, which are put into a folder beside them.
    """
    if not options.is_transcript:
        store = None
    run = _run(
        database, options, on_read, store, attachments=None if store is None else ATTACHMENTS
    )

    def parts(
        records: Iterator[Conversation], arranged: bool
    ) -> Iterator[tuple[Path, Iterator[Conversation]]]:
        parted = not arranged and options.organization_key is EVERY
        for key, own in _by_organization(records) if parted else ((None, records),):
            place = folder if key is None else folder / folder_name(key)
            if store is not None:
                own_key = key or str(options.organization_key)
                own = with_placed_files(own, store, place, own_key, run.written.leave_out)
            yield place, own

    return run.to_folder(folder, force=force, on_kept=on_kept, parts=parts)


def _by_organization(
    records: Iterator[Conversation],
) -> Iterator[tuple[str | None, Iterator[Conversation]]]:
    yield from groupby(records, key=lambda record: record.organization)


def _run(
    database: Database,
    options: ExportOptions,
    on_read: OnRead,
    store: FileStore | None,
    *,
    attachments: str | None = None,
) -> WriterRun:
    def records() -> Generator[Conversation, None, None]:
        return read_conversations(database, options.wanted, on_read=on_read, **options.reading)

    def rows() -> Generator[ConversationRows, None, None]:
        return read_rows(
            database,
            options.wanted,
            organization_key=options.organization_key,
            ids_within=options.ids_within,
            on_read=on_read,
        )

    written = Written()
    read_file = options.reading_from(store, written)
    writer = options.writer(database.dialect.name, attachments=attachments, read_file=read_file)
    return WriterRun(writer, records, rows, written)


def _write_native(
    database: Database,
    stream: IO[bytes],
    options: ExportOptions,
    on_read: OnRead,
) -> Written:
    written = Written()

    def count(conversations: int, messages: int) -> None:
        written.conversations += conversations
        written.messages += messages
        on_read(conversations, messages)

    lines = native_lines(database, options.wanted, on_read=count, **options.reading)
    with closing(lines):
        stream.write(native.header_line(created=datetime.now(UTC), source=database.dialect.name))
        for piece in lines:
            stream.write(piece)
    return written
