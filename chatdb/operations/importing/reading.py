"""Reads the inputs of an import one after another, with a report of each."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from chatdb.errors import ChatdbError, InvalidInputError, NotFoundError
from chatdb.formats import registry as formats
from chatdb.formats.base import Skipped, Tally
from chatdb.formats.depth import within_depth
from chatdb.formats.files.sources import open_source
from chatdb.formats.sorting import Part, sort_files
from chatdb.formats.unread import Unread, add_counts
from chatdb.layouts import registry as layouts
from chatdb.layouts.base import Context
from chatdb.operations.importing.inputs import Input, Inputs
from chatdb.operations.importing.organizations import NamedOrganizations
from chatdb.operations.importing.report import FileReport, Placed, SkippedItem
from chatdb.operations.organizations.public import check_key
from chatdb.store.batches import Arrival

if TYPE_CHECKING:
    from chatdb.formats.unread import DeferringReader
    from chatdb.records import Conversation, Organization

OnSize = Callable[[int], object]
"""Receives the count of bytes of files, or rows of databases, as they are read."""
MAX_SKIPPED = 100_000
"""Skipped items kept for the report: some 50 MB, whatever a file claims to be."""


class Reading:
    """Reads the inputs one after another and keeps a report of each.

    `arrivals` yields every record; an unreadable input is one of the skipped items, but if it is
    the only one its error is raised. `book` is to be called with the outcome of the records.
    `organizations` are the tenants that the databases read so far know.
    """

    def __init__(
        self,
        inputs: Inputs,
        on_size: OnSize | None = None,
        defers: Callable[[], bool] = lambda: False,
    ) -> None:
        self._reports = [FileReport(path=each.name) for each in inputs.inputs]
        # The state of the reading thread, and of the writing one: each has its own.
        self._tallies = [(Tally(), Tally()) for _ in inputs.inputs]
        self._unreadable = [Counter[str]() for _ in inputs.inputs]
        self._defers = defers
        self.organizations: list[Organization] = []
        self._inputs = inputs
        self._on_size = on_size
        self._named = NamedOrganizations(keep=inputs.all_organizations)

    @property
    def reports(self) -> list[FileReport]:
        """The report of each input as far as it has been read."""
        for report, tallies in zip(self._reports, self._tallies, strict=True):
            tally = Tally(rows=tallies[0].rows)
            for each in tallies:
                tally.add(each)
            _note_tally(report, tally)
        for report, unreadable in zip(self._reports, self._unreadable, strict=True):
            _take_off(report.organizations, unreadable)
        return self._reports

    def arrivals(self) -> Iterator[Arrival]:
        """Yield the contents of the inputs, in order."""
        for index, each in enumerate(self._inputs.inputs):
            report = self._reports[index]
            read = self._read_database if each.is_database else self._read_file
            any_yet = False
            try:
                for arrival in read(index, each, report):
                    any_yet = True
                    yield arrival
            except ChatdbError as error:
                # Once something was read, the report of it must not be lost to an error.
                if len(self._reports) == 1 and not any_yet:
                    raise
                report.error = error.text
                yield Arrival(
                    Skipped(report.path, _without_path(report.path, error.text)), file=index
                )

    def book(self, placed: Sequence[Placed]) -> None:
        """Count the outcome of a batch in the reports of its inputs."""
        for each in placed:
            report = self._reports[each.file]
            counts = report.counts
            setattr(counts, each.outcome, getattr(counts, each.outcome) + 1)
            counts.messages_new += each.messages_new
            counts.messages_changed += each.messages_changed
            if each.met is not None:
                add_counts(self._tallies[each.file][1], each.met)
            if each.item is not None:
                report.skipped.append(_in_file(report.path, each.item))

    def book_unread(self, arrival: Arrival) -> None:
        """Count unreadable items, and as new all others if there is no database."""
        record = arrival.record
        if isinstance(record, Unread):
            raise TypeError("without a database everything is read")
        if isinstance(record, Skipped):
            item = SkippedItem(place=record.place, reason=record.reason, source_id=record.source_id)
            self.book([Placed(file=arrival.file, outcome="skipped", item=item)])
            return
        report = self._reports[arrival.file]
        report.counts.new += 1
        report.counts.messages_new += len(record.messages)

    def _read_file(self, index: int, each: Input, report: FileReport) -> Iterator[Arrival]:
        tally, _ = self._tallies[index]
        name = self._inputs.format_name
        with open_source(each.path, self._on_size) as source:
            report.bytes = source.size
            found = sort_files(source, None if name is None else formats.reader(name))
            report.format = found.reader_names
            report.ignored_files = list(found.ignored)
            for part in found.parts:
                alone = len(found.parts) == 1
                yield from self._read_part(index, part, report, alone=alone)
            for ignored in found.ignored:
                if ignored.holds_words:
                    tally.skipped += 1
                    yield Arrival(Skipped(ignored.place, ignored.reason), file=index)

    def _read_part(
        self, index: int, part: Part, report: FileReport, *, alone: bool
    ) -> Iterator[Arrival]:
        """Yield what one reader reads; if there are others, its error becomes a skipped item."""
        tally, later = self._tallies[index]
        # A native file has the hash of the source it came from, also
        # for conversations edited since.
        hashed = part.reader.name != "jsonl"
        try:
            items = self._read_what_may_not_wait(self._items(part, tally), tally)
            for item in _mostly_read(items, part.source.name):
                if isinstance(item, Unread):
                    _take_when_read(item, self._unreadable[index])
                elif isinstance(item := within_depth(item, tally), Skipped):
                    yield Arrival(item, file=index)
                    continue
                arrival = self._named.arrival(
                    item, index, report, hashed=hashed, other_ids=tally.other_ids
                )
                yield replace(arrival, tally=later) if isinstance(item, Unread) else arrival
        except InvalidInputError as error:
            if alone:
                raise
            tally.skipped += 1
            yield Arrival(Skipped(part.source.name, error.text), file=index)

    def _read_what_may_not_wait(
        self, items: "Iterator[Conversation | Skipped | Unread]", tally: Tally
    ) -> "Iterator[Conversation | Skipped | Unread]":
        for item in items:
            if isinstance(item, Unread) and not self._named.may_wait(item):
                yield from item.items(tally)
            else:
                yield item

    def _items(self, part: Part, tally: Tally) -> "Iterator[Conversation | Skipped | Unread]":
        name = self._inputs.source_name
        if not hasattr(part.reader, "read_unread"):
            return part.reader.read(part.source, tally, source_name=name)
        reader = cast("DeferringReader", part.reader)
        return reader.read_unread(part.source, tally, source_name=name, defers=self._defers)

    def _read_database(self, index: int, each: Input, report: FileReport) -> Iterator[Arrival]:
        tally, _ = self._tallies[index]
        with each.opened(self._on_size) as foreign:
            known = layouts.recognise(
                foreign, name=self._inputs.format_name, schema=self._inputs.source_schema
            )
            report.format = known.layout.system.name
            source_name = self._inputs.source_name or foreign.source_name
            report.source_name = source_name
            tenant = self._inputs.tenant
            context = Context(known.layout, tally, source_name, tenant)
            tenants = known.layout.organizations(foreign, known.catalogue)
            if tenant is not None and tenants and tenant not in {one.key for one in tenants}:
                raise NotFoundError(
                    f"{foreign.name} does not have an organization {tenant!r}", hint="check --org"
                )
            for table in known.layout.tables(known.catalogue):
                for column in table.closed:
                    tally.lossy[f"{table.name}.{column} cannot be read: left out"] += 1
            self.organizations += [one for one in tenants if tenant in (None, one.key)]
            for found in known.layout.read(foreign, known.catalogue, context):
                item = within_depth(found.item, tally)
                yield Arrival(item, file=index, organization=found.organization)


def _take_when_read(unread: Unread, unreadable: Counter[str]) -> None:
    """Count items that are read later as if they were read now: see `Reading._read_part`.

    Items that turn out to be no conversations are noted in `unreadable` by organization.
    """
    read = unread.read

    def taken(tally: Tally) -> "list[Conversation | Skipped]":
        items = [within_depth(item, tally) for item in read(tally)]
        for item in items:
            if not isinstance(item, Skipped):
                item.organization = item.organization_name = None
            elif unread.organization is not None:
                unreadable[check_key(unread.organization)] += 1
        return items

    unread.read = taken


def _take_off(counts: dict[str, int], unreadable: Counter[str]) -> None:
    """Subtract, once, the items counted before they turned out to be unreadable."""
    while unreadable:
        key, count = unreadable.popitem()
        counts[key] -= count
        if not counts[key]:
            del counts[key]


def _mostly_read(
    items: "Iterator[Conversation | Skipped | Unread]", name: str
) -> "Iterator[Conversation | Skipped | Unread]":
    """Yield the items; raises InvalidInputError if nearly all are not conversations."""
    skipped = 0
    for item in items:
        skipped += isinstance(item, Skipped)
        if skipped > MAX_SKIPPED:
            raise InvalidInputError(
                f"{name} has more than {MAX_SKIPPED:,} entries that are not conversations: the "
                "rest of it is not read"
            )
        yield item


def _note_tally(report: FileReport, tally: Tally) -> None:
    report.messages = tally.messages
    report.replaced_characters = tally.replaced_characters
    report.versions = dict(tally.versions)
    report.content_types = dict(tally.content_types.most_common())
    report.unknown_fields = dict(tally.unknown_fields.most_common())
    report.lossy = dict(tally.lossy.most_common())
    report.kinds = dict(tally.kinds.most_common())
    report.rows = tally.rows


def _in_file(path: str, item: SkippedItem) -> SkippedItem:
    """Return the item with its place beginning with the file."""
    return item if item.place.startswith(path) else replace(item, place=f"{path}: {item.place}")


def _without_path(path: str, text: str) -> str:
    """Return an error of a file without its path, for a place that already names it."""
    if text.startswith(f"{path} "):
        return f"it{text[len(path) :]}"
    return text.removeprefix(f"{path}:")
