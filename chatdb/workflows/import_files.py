"""From files to the database: paths and globs, readers, one run, one report."""

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec

import chatdb
from chatdb.db.database import Database
from chatdb.db.search_index import search_index_state
from chatdb.errors import ChatdbError, NotFoundError, StorageError
from chatdb.formats import registry
from chatdb.formats.base import Reader, Skipped, Tally
from chatdb.formats.outputs import open_output
from chatdb.formats.sources import STDIN, Source, open_source
from chatdb.operations.imports import ImportOptions, ImportRun
from chatdb.operations.imports_batches import Arrival
from chatdb.operations.imports_preview import preview
from chatdb.operations.imports_report import (
    FileReport,
    ImportCounts,
    ImportReport,
    Placed,
    SkippedItem,
)

OnBytes = Callable[[int], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What to read: paths that exist, the format (None: recognised), where they are from."""

    paths: tuple[str, ...]
    format_name: str | None = None
    source_name: str | None = None

    @property
    def subject(self) -> str:
        """The inputs in a few words, for the log."""
        names = ", ".join(Path(path).name or path for path in self.paths[:3])
        more = len(self.paths) - 3
        return names + (f" and {more} more" if more > 0 else "")


def find_inputs(
    paths: Sequence[str], *, format_name: str | None = None, source_name: str | None = None
) -> Inputs:
    """Expand globs, and check every path before anything is read or written.

    A single file must also be of a known format. Raises NotFoundError, UsageError,
    InvalidInputError, StorageError.
    """
    if format_name is not None:
        registry.reader(format_name)
    found: dict[str, None] = {}
    for path in paths:
        for each in [path] if path == STDIN or Path(path).exists() else _matches(path):
            found[each] = None
    inputs = Inputs(paths=tuple(found), format_name=format_name, source_name=source_name)
    if len(found) == 1 and STDIN not in found:
        with open_source(inputs.paths[0]) as source:
            _reader_of(inputs, source)
    return inputs


def total_size(inputs: Inputs) -> int | None:
    """Return the bytes that reading will count; None when they cannot be known before."""
    total = 0
    for path in inputs.paths:
        if path == STDIN or not (Path(path).is_file() or Path(path).is_dir()):
            return None
        try:
            with open_source(path) as source:
                total += source.size
        except ChatdbError:
            continue
    return total


class FileReading:
    """Reads the inputs one after another and keeps a report of each.

    `arrivals` yields every record; an input that cannot be read is one of what was skipped, but
    the only one raises its error. `book` is to be called with what became of the records.
    """

    def __init__(self, inputs: Inputs, on_bytes: OnBytes | None = None) -> None:
        self.reports = [FileReport(path=path) for path in inputs.paths]
        self._inputs = inputs
        self._on_bytes = on_bytes

    def arrivals(self) -> Iterator[Arrival]:
        """Yield what is in the files, in their order."""
        for index, report in enumerate(self.reports):
            any_yet = False
            try:
                for arrival in self._read(index, report):
                    any_yet = True
                    yield arrival
            except ChatdbError as error:
                if len(self.reports) == 1 and not any_yet:
                    raise
                report.error = error.text
                yield Arrival(
                    Skipped(report.path, _without_path(report.path, error.text)), file=index
                )

    def book(self, placed: Sequence[Placed]) -> None:
        """Count what became of a batch in the reports of its files."""
        for each in placed:
            report = self.reports[each.file]
            counts = report.counts
            setattr(counts, each.outcome, getattr(counts, each.outcome) + 1)
            counts.messages_new += each.messages_new
            counts.messages_changed += each.messages_changed
            if each.item is not None:
                report.skipped.append(_in_file(report.path, each.item))

    def _read(self, index: int, report: FileReport) -> Iterator[Arrival]:
        tally = Tally()
        with open_source(report.path, self._on_bytes) as source:
            reader = _reader_of(self._inputs, source)
            report.format = reader.name
            report.bytes = source.size
            report.ignored_files = len(source.ignored)
            hashed = reader.name != "jsonl"
            records = reader.read(source, tally, source_name=self._inputs.source_name)
            try:
                for record in records:
                    yield Arrival(record, file=index, hashed=hashed)
            finally:
                _note_tally(report, tally)


def import_files(
    database: Database,
    organization_key: str,
    inputs: Inputs,
    *,
    options: ImportOptions,
    on_bytes: OnBytes | None = None,
    on_index: Callable[[], None] | None = None,
    on_run: Callable[[ImportRun], None] | None = None,
) -> ImportReport:
    """Import the inputs and return the report.

    `on_run` is given the run at its start, `on_index` is called before the search index is built.
    """
    started = datetime.now(UTC)
    reading = FileReading(inputs, on_bytes)
    with ImportRun(
        database, organization_key, subject=inputs.subject, options=options, on_placed=reading.book
    ) as run:
        if on_run is not None:
            on_run(run)
        run.load(reading.arrivals())
        run.complete_search_index(on_index)
    with database.transaction() as connection:
        state = search_index_state(connection)
    return _report(
        reading, run.counts, started, database=database, key=organization_key, state=state
    )


def preview_files(
    database: Database | None,
    organization_key: str,
    inputs: Inputs,
    *,
    options: ImportOptions,
    on_bytes: OnBytes | None = None,
) -> ImportReport:
    """Return the report of an import without writing anything; `database` may not exist yet."""
    started = datetime.now(UTC)
    reading = FileReading(inputs, on_bytes)
    counts = preview(
        database, organization_key, reading.arrivals(), options=options, on_placed=reading.book
    )
    return _report(reading, counts, started, database=database, key=organization_key, dry_run=True)


def explain_files(inputs: Inputs, on_bytes: OnBytes | None = None) -> list[FileReport]:
    """Read the inputs to their end, without any database, and return what is in them."""
    reading = FileReading(inputs, on_bytes)
    for arrival in reading.arrivals():
        report = reading.reports[arrival.file]
        if isinstance(arrival.record, Skipped):
            reading.book([_unread(arrival.file, arrival.record)])
        else:
            report.counts.new += 1
            report.counts.messages_new += len(arrival.record.messages)
    return reading.reports


def write_report(path: Path, report: ImportReport) -> None:
    """Write the report as JSON, whole or not at all, readable by its owner only."""
    encoded = msgspec.json.format(msgspec.json.encode(asdict(report)), indent=2)
    with open_output(path) as stream:
        stream.write(encoded + b"\n")


def check_report_path(path: Path) -> None:
    """Raise StorageError now for a report that could not be written at the end."""
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise StorageError(
            f"the report {path} cannot be written",
            hint="name a file in a folder that can be written",
        )


def _matches(pattern: str) -> list[str]:
    found: list[str] = []
    if glob.has_magic(pattern):
        found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - absolute ones too
    if not found:
        raise NotFoundError(f"{pattern} does not exist", hint="check the path with `ls`")
    return found


def _reader_of(inputs: Inputs, source: Source) -> Reader:
    if inputs.format_name is not None:
        return registry.reader(inputs.format_name)
    return registry.detect(source)


def _note_tally(report: FileReport, tally: Tally) -> None:
    report.messages = tally.messages
    report.replaced_characters = tally.replaced_characters
    report.versions = dict(tally.versions)
    report.content_types = dict(tally.content_types.most_common())
    report.unknown_fields = dict(tally.unknown_fields.most_common())
    report.lossy = dict(tally.lossy.most_common())


def _in_file(path: str, item: SkippedItem) -> SkippedItem:
    """Return the item with its place beginning with the file."""
    return item if item.place.startswith(path) else replace(item, place=f"{path}: {item.place}")


def _without_path(path: str, text: str) -> str:
    """Return what is said of a file for a place where its path stands already."""
    if text.startswith(f"{path} "):
        return f"it{text[len(path) :]}"
    return text.removeprefix(f"{path}:")


def _unread(file: int, record: Skipped) -> Placed:
    item = SkippedItem(place=record.place, reason=record.reason, source_id=record.source_id)
    return Placed(file=file, outcome="skipped", item=item)


def _report(
    reading: FileReading,
    counts: ImportCounts,
    started: datetime,
    *,
    database: Database | None,
    key: str,
    state: str = "",
    dry_run: bool = False,
) -> ImportReport:
    return ImportReport(
        chatdb=chatdb.__version__,
        database=None if database is None else database.url.redacted(),
        organization=key,
        dry_run=dry_run,
        outcome="partial" if counts.skipped else "done",
        started_at=started,
        finished_at=datetime.now(UTC),
        counts=counts,
        messages=sum(report.messages for report in reading.reports),
        replaced_characters=sum(report.replaced_characters for report in reading.reports),
        search_index=state,
        files=reading.reports,
    )
