"""Copies everything from one database into another, and compares the two at the end."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Literal
from uuid import UUID

import chatdb
from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.operations.copying.copies import (
    ConversationWriter,
    Lines,
    put_organizations,
    put_rows,
)
from chatdb.operations.copying.left_out import columns_left_out, rows_left_out
from chatdb.operations.copying.lines import (
    COPIED,
    WHOLE,
    ContentDigest,
    LineReader,
    TableCounts,
    count_rows,
    digest_of_table,
    read_organizations,
    whole_hash,
)
from chatdb.operations.copying.places import address_of, check_places, is_made
from chatdb.operations.copying.state import CopyProgress, CopyState, begin, standing
from chatdb.operations.importing.public import SkippedItem
from chatdb.primitives.watch import Watch
from chatdb.records import Organization
from chatdb.store.search_index import build_search_index, search_index_state
from chatdb.store.selecting import ConversationFilter

_BY_THEMSELVES = (schema.files, schema.tombstones)
"""What is copied row by row: it belongs to organizations."""
_NAMED = 20
"""Differing conversations that are listed; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyReport:
    """The result of a copy; the counts are the source's.

    `resumed` says that an earlier copy was continued, `renewed` how many of its conversations had
    changed in the source. `content_hash` covers every row, and is set if both databases match;
    `differences` lists what does not, `skipped` what was left out.
    """

    source: str
    destination: str
    dry_run: bool
    outcome: Literal["done", "partial", "different"]
    resumed: bool
    renewed: int = 0
    organizations: int
    conversations: int
    messages: int
    snapshots: int
    files: int
    message_files: int
    embeddings: int
    tombstones: int
    replaced_characters: int = 0
    search_index: str | None = None
    content_hash: str | None = None
    skipped: tuple[SkippedItem, ...] = ()
    differences: tuple[str, ...] = ()


def copy_database(
    source: Database, destination: Database, watch: Watch, *, search_index: bool = True
) -> CopyReport:
    """Copy one state of the source into the destination, or resume a copy of it.

    A destination without tables is migrated, as is one that is behind and has no conversation.
    Objects in the source's catalogue that are not chatdb's are skipped and listed, as is what
    cannot be stored there. Raises SchemaMismatchError, UsageError if both are one database,
    RefusedError for a destination that is neither empty nor an interrupted copy of this source.
    """
    check_places(source, destination)
    has_tables = is_made(source, destination)
    with source.snapshot(settings=WHOLE) as fixed:
        counts = count_rows(fixed)
        if not has_tables:
            _make(destination, watch.note)
        state = begin(destination, address_of(source), search_index=search_index)
        with state.logged_failure():
            copying = _Copying(fixed, state, watch, counts)
            copying.run()
            if search_index:
                watch.begin("building the search index", None)
                build_search_index(destination)
            report = copying.compared()
            state.log(
                report.outcome,
                {"chatdb": chatdb.__version__, **asdict(copying.counts)},
                is_complete=report.outcome != "different",
            )
    return report


def require_free(source: Database, destination: Database) -> None:
    """Raise what a copy would raise before it writes anything."""
    check_places(source, destination)
    if is_made(source, destination):
        standing(destination, address_of(source))


def preview_copy(source: Database, destination: Database) -> CopyReport:
    """Report what a copy would move, writing nothing; raises what the copy would."""
    check_places(source, destination)
    before = standing(destination, address_of(source)) if is_made(source, destination) else None
    with source.snapshot(settings=WHOLE) as fixed:
        counts = count_rows(fixed)
        skipped = (*columns_left_out(fixed), *rows_left_out(fixed)[0])
    return CopyReport(
        source=source.url.redacted(),
        destination=destination.url.redacted(),
        dry_run=True,
        outcome="partial" if skipped else "done",
        resumed=before is not None,
        skipped=skipped,
        **asdict(counts),
    )


class _Copying:
    """One run of a copy; `source` is one state of it."""

    def __init__(
        self, source: Database, state: CopyState, watch: Watch, counts: TableCounts
    ) -> None:
        self._source = source
        self._state = state
        self._watch = watch
        self._digests: dict[UUID, ContentDigest] = {}
        self._renewed = 0
        self._replaced = 0
        self._skipped = columns_left_out(source)
        rows, orphans = rows_left_out(source)
        self._skipped += rows
        self._expected = Counter(asdict(counts))
        self._expected.subtract(asdict(orphans))
        self.counts = counts
        self.organizations = read_organizations(source)

    def run(self) -> None:
        """Write everything that is missing."""
        destination = self._state.destination
        put_organizations(self._state, self.organizations)
        self._watch.begin("copying", self.counts.messages, "messages")
        if self._state.before is not None:
            self._watch.note(self._state.before.gone_on_with())
            self._watch.advance(count_rows(destination).messages)
        with destination.loading() as loading:
            writer = ConversationWriter(self._state, loading, self._watch.advance)
            for organization in self.organizations:
                self._copy(writer, organization)
            self._skipped += writer.skipped
            self._expected.subtract(writer.skipped_rows)
        for table in _BY_THEMSELVES:
            put_rows(self._state, self._source, table)

    def compared(self) -> CopyReport:
        """Return the report, after reading all of the destination again."""
        self._watch.begin("comparing", self.counts.messages, "messages")
        parts: dict[str, str] = {}
        differences: list[str] = []
        destination = self._state.destination
        with destination.snapshot(settings=WHOLE) as there:
            for table in (schema.organizations, *_BY_THEMSELVES):
                parts[str(table.name)] = digest_of_table(self._source, table)
                if digest_of_table(there, table) != parts[str(table.name)]:
                    differences.append(f"the {table.name} differ")
            for organization in self.organizations:
                expected = self._digests[organization.id].hexdigest()
                parts[str(organization.id)] = expected
                found = ContentDigest()
                LineReader(there, organization).add_all(found, self._watch.advance)
                if found.hexdigest() != expected:
                    differences += self._differences(there, organization)
            differences += self._miscounted(there)
            with there.transaction() as connection:
                index = search_index_state(connection)
        is_same = not (differences or self._skipped)
        return CopyReport(
            source=self._source.url.redacted(),
            destination=destination.url.redacted(),
            dry_run=False,
            outcome="different" if differences else "partial" if self._skipped else "done",
            resumed=self._state.before is not None,
            renewed=self._renewed,
            **asdict(self.counts),
            replaced_characters=self._replaced,
            search_index=index,
            content_hash=whole_hash(parts) if is_same else None,
            skipped=tuple(self._skipped),
            differences=tuple(differences),
        )

    def _miscounted(self, there: Database) -> list[str]:
        """Compare each table's number of rows, which also finds rows without a conversation."""
        found = asdict(count_rows(there))
        return [
            f"table {COPIED[word].name} has {found[word]} rows, not {self._expected[word]}"
            for word in COPIED
            if found[word] != self._expected[word]
        ]

    def _copy(self, writer: ConversationWriter, organization: Organization) -> None:
        """Copy an organization, updating what an earlier run wrote of it."""
        reader = LineReader(self._source, organization)
        digest = self._digests[organization.id] = ContentDigest()
        before = self._state.before
        after, is_whole = None, False
        if before is not None and _was_begun(before, organization):
            is_whole = before.organization != organization.id
            after = None if is_whole else before.conversation
            for page in reader.pages(until=after):
                self._renew(writer, reader, page, digest)
        if not is_whole:
            writer.write(organization, _lines_after(reader, digest, after), moves=True)
        self._replaced += reader.tally.replaced_characters

    def _renew(
        self,
        writer: ConversationWriter,
        reader: LineReader,
        page: ConversationFilter,
        digest: ContentDigest,
    ) -> None:
        """Update conversations that an earlier run wrote to their present state in the source."""
        organization = reader.organization
        wanted = reader.hashes(page, digest)
        with self._state.destination.snapshot(settings=WHOLE) as there:
            held = LineReader(there, organization).hashes(page)
        stale = [UUID(key) for key in held if held[key] != wanted.get(key)]
        fresh = [UUID(key) for key in wanted if wanted[key] != held.get(key)]
        skipped = len(writer.skipped)
        if stale:
            writer.remove(organization, stale)
        if fresh:
            again = LineReader(self._source, organization)
            lines = again.lines(ConversationFilter(ids=fresh))
            writer.write(organization, lines, moves=False)
        self._renewed += len({*stale, *fresh}) - (len(writer.skipped) - skipped)

    def _differences(self, there: Database, organization: Organization) -> list[str]:
        """List an organization's differing conversations, except the skipped ones."""
        skipped = {item.place for item in self._skipped}
        named: list[str] = []
        more = 0
        source = LineReader(self._source, organization)
        for page in source.pages():
            wanted = source.hashes(page)
            held = LineReader(there, organization).hashes(page)
            for key in sorted({*wanted, *held}):
                place = f"conversation {key} of {organization.key}"
                if wanted.get(key) == held.get(key) or (key not in held and place in skipped):
                    continue
                if len(named) == _NAMED:
                    more += 1
                    continue
                how = "is missing" if key not in held else "differs"
                named.append(f"{place} {how if key in wanted else 'is not in the source'}")
        return [*named, f"and {more} more of {organization.key}"] if more else named


def _was_begun(before: CopyProgress, organization: Organization) -> bool:
    """Tell whether an earlier run reached this organization."""
    return before.organization is not None and organization.id <= before.organization


def _lines_after(reader: LineReader, digest: ContentDigest, after: UUID | None) -> Lines:
    for page in reader.pages(after=after):
        yield from reader.lines(page, digest)


def _make(destination: Database, note: Callable[[str], None]) -> None:
    from chatdb.db.migrating.migrations import upgrade

    upgrade(destination)
    note(f"created chatdb's tables in {destination.url.redacted()}")
