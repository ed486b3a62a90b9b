"""From files to a file: the reading and writing of import and export, without a database."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from chatdb.errors import RefusedError
from chatdb.formats import registry
from chatdb.formats.base import Skipped, Tally, WriteOptions, Writer
from chatdb.formats.depth import within_depth
from chatdb.formats.files.any_writer import WriterRun
from chatdb.formats.files.sources import STDIN, open_source
from chatdb.formats.files.streams import OnBytes
from chatdb.formats.files.writing import Written, check_file
from chatdb.formats.sorting import sort_files
from chatdb.formats.tables.rows import ConversationRows, rows_of
from chatdb.records import Conversation

OnSkipped = Callable[[Skipped], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOptions:
    """What to read, and how to write it; `reads` None means detected by structure."""

    inputs: Sequence[str]
    writes: str
    reads: str | None = None
    source_name: str | None = None
    all_branches: bool = False
    include_hidden: bool = False
    raw_csv: bool = False
    font_folders: tuple[str, ...] = ()

    def writer(self) -> Writer:
        """Return the writer; raises UsageError for a format that cannot be written."""
        options = WriteOptions(
            all_branches=self.all_branches,
            include_hidden=self.include_hidden,
            source=self.reads,
            raw_csv=self.raw_csv,
            font_folders=self.font_folders,
        )
        return registry.writer(self.writes, options)


def convert_stream(
    options: ConvertOptions, stream: IO[bytes], *, on_skipped: OnSkipped, on_bytes: OnBytes
) -> Written:
    """Write all conversations of the inputs as one document, in the order they are read.

    Raises NotFoundError, InvalidInputError, StorageError, and OSError of the stream.
    """
    return _writing(options, on_skipped, on_bytes).to_stream(stream)


def convert_file(
    options: ConvertOptions,
    path: Path,
    *,
    force: bool,
    on_skipped: OnSkipped,
    on_bytes: OnBytes,
) -> Written:
    """Write all conversations to a file that appears when it is complete.

    Raises RefusedError for an existing file, unless `force`, and always for one of the inputs.
    """
    check_file(path, force=force)
    for name in options.inputs:
        if name != STDIN and path.exists() and Path(name).exists() and path.samefile(name):
            raise RefusedError(f"{path} is both input and output", hint="write to a different file")
    return _writing(options, on_skipped, on_bytes).to_file(path, force=force)


def convert_folder(
    options: ConvertOptions,
    folder: Path,
    *,
    force: bool,
    on_skipped: OnSkipped,
    on_bytes: OnBytes,
    on_kept: Callable[[str], object],
) -> Written:
    """Write a file for each conversation, as `write_folder` does."""
    writing = _writing(options, on_skipped, on_bytes)
    return writing.to_folder(folder, force=force, on_kept=on_kept)


def total_size(inputs: Sequence[str]) -> int | None:
    """Return the bytes that reading will count, None if standard input is among the inputs.

    Opens every input: a missing or invalid one is reported before anything is written.
    """
    if STDIN in inputs:
        return None
    with ExitStack() as stack:
        return sum(stack.enter_context(open_source(name)).size for name in inputs)


def _writing(options: ConvertOptions, on_skipped: OnSkipped, on_bytes: OnBytes) -> WriterRun:
    def records() -> Generator[Conversation, None, None]:
        return _records(options, on_skipped, on_bytes)

    def rows() -> Generator[ConversationRows, None, None]:
        yield from map(rows_of, records())

    return WriterRun(options.writer(), records, rows)


def _records(
    options: ConvertOptions, on_skipped: OnSkipped, on_bytes: OnBytes
) -> Generator[Conversation, None, None]:
    tally = Tally()
    wanted = None if options.reads is None else registry.reader(options.reads)
    for name in options.inputs:
        with open_source(name, on_bytes) as source:
            found = sort_files(source, wanted)
            for part in found.parts:
                records = part.reader.read(part.source, tally, source_name=options.source_name)
                for record in records:
                    item = within_depth(record, tally)
                    if isinstance(item, Skipped):
                        on_skipped(item)
                    else:
                        yield item
            for ignored in found.ignored:
                if ignored.holds_words:
                    on_skipped(Skipped(ignored.place, ignored.reason))
