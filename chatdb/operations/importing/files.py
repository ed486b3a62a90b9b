"""From files and databases to chatdb's database: one run, one report."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec

import chatdb
from chatdb.db.database import Database
from chatdb.errors import StorageError
from chatdb.formats.files.outputs import open_output
from chatdb.operations.attachments.public import (
    CountedAttachments,
    KeptAttachments,
    MetConversations,
    keep_attachments,
    opened_index,
)
from chatdb.operations.importing.imports import ImportOptions, ImportRun
from chatdb.operations.importing.inputs import Inputs
from chatdb.operations.importing.organizations import ByOrganization
from chatdb.operations.importing.preview import preview
from chatdb.operations.importing.reading import OnSize, Reading
from chatdb.operations.importing.report import FileReport, ImportCounts, ImportReport, Placed
from chatdb.operations.importing.source_names import other_source_names
from chatdb.operations.importing.unread import Deferral
from chatdb.operations.organizations.public import organizations, users
from chatdb.primitives import canonical
from chatdb.records import Conversation
from chatdb.store.batches import Arrival
from chatdb.store.every_organization import require_unbound
from chatdb.store.search_index import search_index_state


def import_files(
    database: Database,
    organization_key: str,
    inputs: Inputs,
    *,
    options: ImportOptions,
    on_size: OnSize | None = None,
    on_index: Callable[[], None] | None = None,
    on_run: Callable[[ImportRun], None] | None = None,
    on_attachments: Callable[[], None] = lambda: None,
) -> ImportReport:
    """Import the inputs and return the report.

    Items that name their organization go there, all others to `organization_key`; each organization
    is a separate run. `on_run` receives each run at its start, `on_index` is called before the
    search index is built, `on_attachments` before the exports' files are kept.
    """
    started = datetime.now(UTC)
    _check_owner(database, organization_key, inputs, options)
    deferral = Deferral()
    reading = Reading(inputs, on_size, deferral)
    arrivals = ByOrganization(reading.arrivals())
    counts = ImportCounts()
    met = MetConversations()
    made: dict[str, None] = {}
    with database.loading() as loading:
        for organization, own in arrivals.runs():
            key = organization_key if organization is None else organization.key
            with ImportRun(
                database,
                key,
                subject=inputs.subject,
                name=None if organization is None else organization.name,
                options=options,
                on_placed=partial(_book, reading, met, key),
                loading=loading,
                deferral=deferral,
            ) as run:
                if on_run is not None:
                    on_run(run)
                if run.made_organization:
                    made[key] = None
                run.load(own)
                if arrivals.is_over:
                    run.complete_search_index(on_index)
            counts.add(run.counts)
    made |= dict.fromkeys(organizations.add_missing(database, reading.organizations))
    if options.attachments is not None:
        on_attachments()
    places: set[str] = set()
    kept = _kept_attachments(database, inputs, options, met, places)
    _leave_out(reading.reports, places)
    with database.transaction() as connection:
        state = search_index_state(connection)
    told = _Told(database, inputs, organization_key, made=tuple(made), state=state, kept=kept)
    return _report(reading, counts, started, told)


def _book(reading: Reading, met: MetConversations, key: str, placed: Sequence[Placed]) -> None:
    reading.book(placed)
    met.add(key, (each.conversation_id for each in placed))


def _kept_attachments(
    database: Database,
    inputs: Inputs,
    options: ImportOptions,
    met: MetConversations,
    places: set[str],
) -> KeptAttachments | None:
    if options.attachments is None:
        return None
    paths = [each.path for each in inputs.inputs if not each.is_database]
    chosen = options.attachments
    return keep_attachments(
        database, chosen.store, paths, met, largest=chosen.largest, places=places
    )


def _leave_out(reports: Iterable[FileReport], places: set[str]) -> None:
    """Take files that are kept as attachments from those that are not read."""
    for report in reports if places else ():
        report.ignored_files = [one for one in report.ignored_files if one.place not in places]


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
    keys: dict[str, None] = {}
    with ExitStack() as stack:
        attached = _counted_attachments(inputs, options, stack)
        arrivals = _each_counted(reading.arrivals(), attached)
        for organization, own in ByOrganization(arrivals).runs():
            key = organization_key if organization is None else organization.key
            keys[key] = None
            counts.add(preview(database, key, own, options=options, on_placed=reading.book))
    keys |= dict.fromkeys(one.key for one in reading.organizations)
    made = _missing(database, keys)
    kept = None if attached is None else attached.report
    _leave_out(reading.reports, set() if attached is None else attached.places)
    told = _Told(database, inputs, organization_key, made=made, kept=kept, dry_run=True)
    return _report(reading, counts, started, told)


def _counted_attachments(
    inputs: Inputs, options: ImportOptions, stack: ExitStack
) -> CountedAttachments | None:
    chosen = options.attachments
    if chosen is None:
        return None
    index = opened_index([each.path for each in inputs.inputs if not each.is_database], stack)
    return CountedAttachments(index, chosen.largest)


def _each_counted(
    arrivals: Iterator[Arrival], attached: CountedAttachments | None
) -> Iterator[Arrival]:
    for arrival in arrivals:
        if attached is not None and isinstance(arrival.record, Conversation):
            attached.count(arrival.record)
        yield arrival


def explain_files(inputs: Inputs, on_size: OnSize | None = None) -> list[FileReport]:
    """Read the inputs to their end, without chatdb's database, and return their contents."""
    reading = Reading(inputs, on_size)
    for arrival in reading.arrivals():
        reading.book_unread(arrival)
    return reading.reports


def _check_owner(
    database: Database | None, key: str, inputs: Inputs, options: ImportOptions
) -> None:
    """Raise UsageError for an invalid key or user; those of other databases are kept unchanged.

    Raises RefusedError if a role that sees one organization is to fill all of them.
    """
    if options.user_id is not None:
        users.check_id(options.user_id)
    if not inputs.has_database:
        organizations.check_usable(database, key)
    if inputs.all_organizations and database is not None:
        with database.transaction() as connection:
            require_unbound(connection, database.dialect)


def _missing(database: Database | None, keys: Iterable[str]) -> tuple[str, ...]:
    """Return the organizations that would be made; a new database has the default one."""
    if database is None:
        return tuple(key for key in keys if key != organizations.DEFAULT)
    return organizations.missing(database, keys)


def write_report(path: Path, report: ImportReport) -> None:
    """Write the report as JSON, completely or not at all, readable by its owner only."""
    # Names of fields and types come from the files, which may have what is no text.
    told, _ = canonical.clean(msgspec.to_builtins(asdict(report)))
    encoded = msgspec.json.format(msgspec.json.encode(told), indent=2)
    with open_output(path) as stream:
        stream.write(encoded + b"\n")


def check_report_path(path: Path) -> None:
    """Raise StorageError now for a report that could not be written at the end."""
    folder = path.parent
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise StorageError(
            f"the report {path} cannot be written",
            hint="give a file in a writable folder",
        )


@dataclass(frozen=True, slots=True)
class _Told:
    """A report's fields beside the counts."""

    database: Database | None
    inputs: Inputs
    key: str
    made: tuple[str, ...]
    state: str = ""
    kept: KeptAttachments | None = None
    dry_run: bool = False


def _report(reading: Reading, counts: ImportCounts, started: datetime, told: _Told) -> ImportReport:
    database, reports = told.database, reading.reports
    if database is not None:
        for report in reports:
            _look_for_other_names(database, report)
    return ImportReport(
        chatdb=chatdb.__version__,
        database=None if database is None else database.url.redacted(),
        organization=told.key,
        all_organizations=told.inputs.all_organizations,
        organizations_made=told.made,
        dry_run=told.dry_run,
        outcome="partial" if counts.skipped or (told.kept and told.kept.unreadable) else "done",
        started_at=started,
        finished_at=datetime.now(UTC),
        counts=counts,
        messages=sum(report.messages for report in reports),
        replaced_characters=sum(report.replaced_characters for report in reports),
        search_index=told.state,
        files=reports,
        attachments=told.kept,
    )


def _look_for_other_names(database: Database, report: FileReport) -> None:
    """Note the other names of a system here that seems to have come for the first time."""
    counts = report.counts
    known = counts.updated + counts.unchanged + counts.deleted_here
    if report.source_name is not None and report.format is not None and counts.new and not known:
        names = other_source_names(database, report.format, report.source_name)
        report.other_source_names = names
