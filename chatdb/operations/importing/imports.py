"""Imports records: batches of bounded size, a transaction each, idempotent.

However an import ends, every batch is stored completely or not at all, and running the same import
again resumes it.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal, Self
from uuid import UUID, uuid4

import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.contract.bulk import Ahead
from chatdb.db.database import Database
from chatdb.errors import ChatdbError, NotFoundError
from chatdb.formats.unread import Unread
from chatdb.operations.attachments.public import LARGEST
from chatdb.operations.importing.plan import Plan, Planner, skipped
from chatdb.operations.importing.report import ImportCounts, Placed, count
from chatdb.operations.importing.unread import Deferral, UnreadSorter, read_now
from chatdb.primitives.file_store import FileStore
from chatdb.primitives.garbage import rare_collections
from chatdb.records import Organization, organization_id_of
from chatdb.store.batch_writing import write_in_parts
from chatdb.store.batches import Arrival, Batches, with_user
from chatdb.store.organization_rows import add_organization
from chatdb.store.search_index import (
    build_search_index,
    search_index_state,
    set_search_index_state,
    take_off_search_index,
)

LogOutcome = Literal["running", "done", "partial", "interrupted", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentOptions:
    """Where the files of the exports are kept, and how large in bytes one may be."""

    store: FileStore
    largest: int = LARGEST


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOptions:
    """How to import: `user_id` is for conversations whose source names no user.

    `search_index=False` leaves the full-text index off, to be built by a later import;
    `attachments` keeps the exports' files too.
    """

    user_id: str | None = None
    restore_deleted: bool = False
    search_index: bool = True
    attachments: AttachmentOptions | None = None


class ImportRun:
    """One import into one organization, from its row in `chatdb_log` to the search index.

    Enter it, `load` records, `complete_search_index`, leave it. `counts` always reflects what has
    been committed. `name` is that of an organization to create. `loading` is a handle for the load
    that its caller keeps open over several imports, `deferral` tells its readers whether to decode.
    Raises the errors of `chatdb.errors`; records that cannot be stored are skipped and reported,
    they stop nothing.
    """

    def __init__(
        self,
        database: Database,
        organization_key: str,
        *,
        subject: str,
        name: str | None = None,
        options: ImportOptions | None = None,
        on_placed: Callable[[Sequence[Placed]], None] | None = None,
        loading: Database | None = None,
        deferral: Deferral | None = None,
    ) -> None:
        self.counts = ImportCounts()
        self.made_organization = False
        tenant = organization_id_of(organization_key)
        self._database = self._loading = database.for_tenant(tenant)
        self._shared = None if loading is None else loading.for_tenant(tenant)
        self.organization_key = organization_key
        self._name = name or organization_key
        self._subject = subject
        self._options = options or ImportOptions()
        self._on_placed = on_placed
        self._bulk = database.dialect.bulk()
        self._log_id = uuid4()
        self._index_looked_at = False
        self._deferral = deferral or Deferral()

    def __enter__(self) -> Self:
        with (self._shared or self._database).transaction(write=True) as connection:
            self._organization_id = self._make_organization(connection)
            connection.execute(
                sa.insert(schema.log).values(
                    id=self._log_id,
                    kind="import",
                    subject=self._subject,
                    started_at=datetime.now(UTC),
                    outcome="running",
                    details=self._details(self.counts),
                )
            )
            self._deferral.begin(connection, self._organization_id)
        self._unread = UnreadSorter(self._database, self._organization_id, self._options.user_id)
        self._planner = Planner(
            self._bulk, self._organization_id, restore_deleted=self._options.restore_deleted
        )
        return self

    def __exit__(self, _: object, error: BaseException | None, _trace: object) -> None:
        outcome: LogOutcome = "partial" if self.counts.skipped else "done"
        if error is None:
            self._log_end(outcome, self._shared or self._database)
            return
        outcome = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        # The database may be what failed: a second error of it must not hide the first. The
        # connection of the load may be broken, so the log is written over another.
        with suppress(ChatdbError, sa.exc.SQLAlchemyError):
            self._log_end(outcome, self._database)

    def load(self, arrivals: Iterable[Arrival]) -> None:
        """Write all records; raises what the iterator raises, after storing those before."""
        prepare = partial(self._bulk.prepare, self._organization_id)
        with (
            closing(Batches(arrivals, prepare)) as batches,
            self._opened() as self._loading,
            rare_collections() as after_batch,
        ):
            while batch := batches.next_batch():
                self._write(batch, batches.ahead)
                after_batch()

    def _opened(self) -> AbstractContextManager[Database]:
        return self._database.loading() if self._shared is None else nullcontext(self._shared)

    def complete_search_index(self, on_start: Callable[[], None] | None = None) -> bool:
        """Build the full-text index if this import or an earlier one left it out; tell whether."""
        if not self._options.search_index:
            return False
        return build_search_index(self._database, on_start)

    def _write(self, batch: list[Arrival], ahead: Ahead) -> None:
        """Write a batch without the records that cannot be stored."""
        parts = write_in_parts(
            batch,
            partial(self._write_once, ahead),
            bulk=self._bulk,
            refused=lambda arrival, reason: [skipped(each, reason) for each in read_now(arrival)],
        )
        unread = sum(isinstance(each.record, Unread) for each in batch)
        known = 0
        for placed in parts:
            known += sum(each.met is not None for each in placed)
            self.counts.add(count(placed))
            if self._on_placed is not None:
                self._on_placed(placed)
        self._deferral.learn(unread, known)

    def _write_once(self, ahead: Ahead, part: list[Arrival]) -> list[Placed]:
        known, part = self._unread.sort(part, self._loading)
        settings = self._bulk.transaction_settings
        with self._loading.transaction(write=True, settings=settings) as connection:
            self._check_organization(connection)
            indexed = self._prepare_search_index(connection)
            arrivals = [with_user(each, self._options.user_id) for each in part]
            plan = self._planner.plan(connection, arrivals)
            self._bulk.write(
                connection,
                self._organization_id,
                plan.rows,
                index=indexed,
                ahead=ahead,
            )
            self._lift_tombstones(connection, plan)
            self._log_progress(connection, known + plan.placed)
            # Waiting for the disk leaves this process idle: the reader may use the time.
            with ahead():
                connection.commit()
        self._index_looked_at = True
        return known + plan.placed

    def _prepare_search_index(self, connection: sa.Connection) -> bool:
        """Drop the index before the first batch if that pays; tell whether it exists."""
        state = search_index_state(connection)
        if self._index_looked_at:
            return state == "present"
        if not self._options.search_index:
            if state == "present":
                return not take_off_search_index(self._database, connection, "off")
            set_search_index_state(connection, "off")
        elif state == "present" and self._bulk.defers_search_index:
            message = schema.messages.c.conversation_id
            # If there are rows, they would all have to be indexed again.
            if connection.execute(sa.select(message).limit(1)).first() is None:
                return not take_off_search_index(self._database, connection, "deferred")
        return state == "present"

    def _make_organization(self, connection: sa.Connection) -> UUID:
        """Return the organization's id, creating it if it is missing, even by two at once."""
        organizations = schema.organizations
        query = sa.select(organizations.c.id).where(organizations.c.key == self.organization_key)
        found: UUID | None = connection.scalar(query)
        if found is not None:  # A role that may not create organizations need not.
            return found
        key = self.organization_key
        record = Organization(
            id=organization_id_of(key), key=key, name=self._name, created_at=datetime.now(UTC)
        )
        self.made_organization = add_organization(connection, record)
        identifier: UUID = connection.execute(query).scalar_one()
        return identifier

    def _check_organization(self, connection: sa.Connection) -> None:
        """Raise NotFoundError unless it still exists: SQLite's load checks no foreign keys."""
        identifier = schema.organizations.c.id
        query = sa.select(identifier).where(identifier == self._organization_id)
        if connection.execute(query).first() is None:
            raise NotFoundError(
                f"the organization {self.organization_key} was removed during the import",
                hint="run the import again: it creates the organization again",
            )

    def _lift_tombstones(self, connection: sa.Connection, plan: Plan) -> None:
        tombstones = schema.tombstones
        for conversation_id, message_ids in plan.restored:
            connection.execute(
                sa.delete(tombstones).where(
                    tombstones.c.organization_id == self._organization_id,
                    tombstones.c.conversation_id == conversation_id,
                    tombstones.c.message_id.in_(message_ids),
                )
            )

    def _log_progress(self, connection: sa.Connection, placed: list[Placed]) -> None:
        counts = count(placed)
        counts.add(self.counts)
        connection.execute(
            sa.update(schema.log)
            .where(schema.log.c.id == self._log_id)
            .values(details=self._details(counts))
        )

    def _details(self, counts: ImportCounts) -> dict[str, Any]:
        """Return the log's details; the organization tells row-level security whose row it is."""
        return {"organization_id": str(self._organization_id), **asdict(counts)}

    def _log_end(self, outcome: LogOutcome, database: Database) -> None:
        with database.transaction(write=True) as connection:
            connection.execute(
                sa.update(schema.log)
                .where(schema.log.c.id == self._log_id)
                .values(
                    outcome=outcome,
                    finished_at=datetime.now(UTC),
                    details=self._details(self.counts),
                )
            )
