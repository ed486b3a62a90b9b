"""Fills a database with made-up chats, in the same way as an import."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from chatdb.db.database import Database
from chatdb.operations.importing.public import (
    ImportCounts,
    ImportOptions,
    ImportRun,
    Placed,
    SkippedItem,
    preview,
)
from chatdb.operations.organizations.public import organizations
from chatdb.operations.schema.public import environment
from chatdb.primitives.filled import filled
from chatdb.records import Organization, organization_id_of
from chatdb.seeds.clock import DAYS
from chatdb.seeds.conversations import conversations
from chatdb.seeds.demo import DEMO
from chatdb.seeds.people import ORGANIZATIONS
from chatdb.seeds.plan import SeedOptions, SeedPlan
from chatdb.store.batches import Arrival

_DEFAULTS = SeedOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedReport:
    """The result of a seeding: conversations by outcome, messages written.

    `organizations` are those that conversations went to, `made` the new ones. In a dry run it is
    what would be done.
    """

    outcome: Literal["done", "partial"]
    dry_run: bool
    seed: int
    until: date
    organizations: tuple[str, ...]
    made: tuple[str, ...]
    new: int
    updated: int
    unchanged: int
    deleted_here: int
    skipped: tuple[SkippedItem, ...]
    messages_new: int
    messages_changed: int


def seed(
    database: Database,
    options: SeedOptions = _DEFAULTS,
    *,
    on_progress: Callable[[int], object] | None = None,
    on_index: Callable[[], None] | None = None,
) -> SeedReport:
    """Add the planned conversations that are missing and return the report.

    `on_progress` receives a number of conversations done, `on_index` is called before the search
    index is built. Raises UsageError for an invalid plan or key, RefusedError on production.
    """
    run = _Seeding(options, on_progress)
    environment.refuse_on_production(database, "seeding")
    run.check_key(database)
    run.made = organizations.add_missing(database, run.organizations())
    last = run.keys[-1]
    for key in run.keys:
        subject = f"{run.plan.set_name}: {key}"
        with ImportRun(database, key, subject=subject, on_placed=run.book) as part:
            part.load(run.arrivals(key))
            if key == last:
                part.complete_search_index(on_index)
        run.counts.add(part.counts)
    return run.report(dry_run=False)


def preview_seed(
    database: Database | None,
    options: SeedOptions = _DEFAULTS,
    *,
    on_progress: Callable[[int], object] | None = None,
) -> SeedReport:
    """Return the report of `seed` without writing anything; `database` may not exist yet."""
    run = _Seeding(options, on_progress)
    wanted = tuple(each.key for each in run.organizations())
    run.made = wanted
    if database is not None:
        environment.refuse_on_production(database, "seeding")
        run.made = organizations.missing(database, wanted)
    run.check_key(database)
    for key in run.keys:
        counts = preview(
            database, key, run.arrivals(key), options=ImportOptions(), on_placed=run.book
        )
        run.counts.add(counts)
    return run.report(dry_run=True)


def planned_conversations(options: SeedOptions = _DEFAULTS) -> int:
    """Return how many conversations a run covers, for its progress."""
    return SeedPlan(options).conversations


class _Seeding:
    """One run: the plan, where it goes, and its outcome so far."""

    def __init__(self, options: SeedOptions, on_progress: Callable[[int], object] | None) -> None:
        self.plan = SeedPlan(options)
        self.counts = ImportCounts()
        self.made: tuple[str, ...] = ()
        self._options = options
        self._on_progress = on_progress
        self._skipped: list[SkippedItem] = []
        own = options.organization_key
        self.keys = tuple(ORGANIZATIONS) if own is None else (own,)

    def check_key(self, database: Database | None) -> None:
        """Raise UsageError if the given key is not valid for an organization."""
        if self._options.organization_key is not None:
            organizations.check_usable(database, self._options.organization_key)

    def organizations(self) -> Iterator[Organization]:
        """Yield the organizations that must exist: the target, and always the demonstration's."""
        begins = self.plan.ends - timedelta(days=DAYS)
        for key in dict.fromkeys((DEMO, *self.keys)):
            name = ORGANIZATIONS.get(key, key)
            identifier = organization_id_of(key)
            yield Organization(id=identifier, key=key, name=name, created_at=begins)

    def arrivals(self, key: str) -> Iterator[Arrival]:
        """Yield the conversations of one organization."""
        whole_plan = self._options.organization_key is not None
        return map(Arrival, conversations(self.plan, key, whole_plan=whole_plan))

    def book(self, placed: Sequence[Placed]) -> None:
        """Note the outcome of a batch."""
        self._skipped += [each.item for each in placed if each.item is not None]
        if self._on_progress is not None:
            self._on_progress(len(placed))

    def report(self, *, dry_run: bool) -> SeedReport:
        """Return the report of what was booked."""
        return filled(
            SeedReport,
            self._options,
            self,
            self.counts,
            outcome="partial" if self.counts.skipped else "done",
            dry_run=dry_run,
            organizations=self.keys,
            skipped=tuple(self._skipped),
        )
