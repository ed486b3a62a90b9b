"""From files and databases to chatdb's database: one run, one report."""

import os
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import msgspec

import chatdb
from chatdb.db.database import Database
from chatdb.db.search_index import search_index_state
from chatdb.errors import StorageError
from chatdb.formats.base import Skipped
from chatdb.formats.outputs import open_output
from chatdb.operations import organizations, users
from chatdb.operations.imports import ImportOptions, ImportRun
from chatdb.operations.imports_batches import Arrival
from chatdb.operations.imports_preview import preview
from chatdb.operations.imports_report import FileReport, ImportCounts, ImportReport
from chatdb.operations.source_names import other_source_names
from chatdb.records import Organization
from chatdb.workflows.import_inputs import Inputs
from chatdb.workflows.import_reading import OnSize, Reading


def import_files(
    database: Database,
    organization_key: str,
    inputs: Inputs,
    *,
    options: ImportOptions,
    on_size: OnSize | None = None,
    on_index: Callable[[], None] | None = None,
    on_run: Callable[[ImportRun], None] | None = None,
) -> ImportReport:
    """Import the inputs and return the report.

    What names its own organization goes there, everything else to `organization_key`; each
    organization is a run of its own. `on_run` is given each run at its start, `on_index` is called
    before the search index is built.
    """
    started = datetime.now(UTC)
    _check_owner(database, organization_key, inputs, options)
    reading = Reading(inputs, on_size)
    arrivals = _Watched(reading.arrivals())
    counts = ImportCounts()
    with database.loading() as loading:
        for organization, own in _by_organization(arrivals, inputs):
            key = organization_key
            if organization is not None:
                organizations.add_missing(loading, [organization])
                key = organization.key
            with ImportRun(
                database,
                key,
                subject=inputs.subject,
                options=options,
                on_placed=reading.book,
                loading=loading,
            ) as run:
                if on_run is not None:
                    on_run(run)
                run.load(own)
                if arrivals.is_over:
                    run.complete_search_index(on_index)
            counts.add(run.counts)
    organizations.add_missing(database, reading.organizations)
    with database.transaction() as connection:
        state = search_index_state(connection)
    return _report(reading, counts, started, database=database, key=organization_key, state=state)


def preview_files(
    database: Database | None,
    organization_key: str,
    inputs: Inputs,
    *,
    options: ImportOptions,
    on_size: OnSize | None = None,
) -> ImportReport:
    """Return the report of an import without writing anything; `database` may not exist yet."""
    started = datetime.now(UTC)
    _check_owner(database, organization_key, inputs, options)
    reading = Reading(inputs, on_size)
    counts = ImportCounts()
    for organization, own in _by_organization(_Watched(reading.arrivals()), inputs):
        key = organization_key if organization is None else organization.key
        counts.add(preview(database, key, own, options=options, on_placed=reading.book))
    return _report(reading, counts, started, database=database, key=organization_key, dry_run=True)


def explain_files(inputs: Inputs, on_size: OnSize | None = None) -> list[FileReport]:
    """Read the inputs to their end, without chatdb's database, and return what is in them."""
    reading = Reading(inputs, on_size)
    for arrival in reading.arrivals():
        reading.book_unread(arrival)
    return reading.reports


def _check_owner(
    database: Database | None, key: str, inputs: Inputs, options: ImportOptions
) -> None:
    """Raise UsageError for a key or user that can be none; another database's are as they are."""
    if options.user_id is not None:
        users.check_id(options.user_id)
    if not inputs.has_database:
        organizations.check_usable(database, key)


class _Watched:
    """Arrivals that tell when there are no more of them."""

    def __init__(self, arrivals: Iterator[Arrival]) -> None:
        self.is_over = False
        self._arrivals = arrivals

    def __iter__(self) -> Iterator[Arrival]:
        yield from self._arrivals
        self.is_over = True


def _by_organization(
    arrivals: _Watched, inputs: Inputs
) -> Iterator[tuple[Organization | None, Iterator[Arrival]]]:
    """Yield the arrivals in runs of one organization, one run at least; None is the command's."""
    if not inputs.has_database:
        yield None, iter(arrivals)
        return
    none_yet = True
    for organization, own in groupby(arrivals, key=_Owner()):
        none_yet = False
        yield organization, own
    if none_yet:
        yield None, iter(())


class _Owner:
    """Tells whose an arrival is; what could not be read is counted where it was met."""

    def __init__(self) -> None:
        self._last: Organization | None = None

    def __call__(self, arrival: Arrival) -> Organization | None:
        if arrival.organization is not None or not isinstance(arrival.record, Skipped):
            self._last = arrival.organization
        return self._last


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


def _report(
    reading: Reading,
    counts: ImportCounts,
    started: datetime,
    *,
    database: Database | None,
    key: str,
    state: str = "",
    dry_run: bool = False,
) -> ImportReport:
    if database is not None:
        for report in reading.reports:
            _look_for_other_names(database, report)
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


def _look_for_other_names(database: Database, report: FileReport) -> None:
    """Note under which other names a system is here that seems to have come for the first time."""
    counts = report.counts
    known = counts.updated + counts.unchanged + counts.deleted_here
    if report.source_name is not None and report.format is not None and counts.new and not known:
        names = other_source_names(database, report.format, report.source_name)
        report.other_source_names = names
