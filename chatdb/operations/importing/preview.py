"""What an import would do, found without writing anything."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import msgspec
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.operations.importing.imports import ImportOptions
from chatdb.operations.importing.plan import Planner, place_into_nothing
from chatdb.operations.importing.recognised import Recogniser
from chatdb.operations.importing.report import ImportCounts, Placed, count
from chatdb.primitives.nesting import roomy
from chatdb.records import Conversation, organization_id_of
from chatdb.store.batches import Arrival, Batches, with_user

if TYPE_CHECKING:
    from uuid import UUID

_encode = roomy(msgspec.json.Encoder().encode)


def preview(
    database: Database | None,
    organization_key: str,
    arrivals: Iterable[Arrival],
    *,
    options: ImportOptions,
    on_placed: Callable[[Sequence[Placed]], None],
) -> ImportCounts:
    """Return the result of importing the records, reading only.

    Without a database everything is new. A new conversation that occurs again in a later batch
    counts as unchanged if it is the same, else as updated by its additional messages.
    """
    counts = ImportCounts()
    seen = _Seen()
    recogniser = Recogniser()
    batches = Batches(arrivals)
    while batch := batches.next_batch():
        found = _place(database, organization_key, batch, options, recogniser)
        placed = [seen.corrected(*pair) for pair in zip(found, batch, strict=True)]
        counts.add(count(placed))
        on_placed(placed)
    return counts


class _Seen:
    """Remembers each conversation of earlier batches by a digest and its length."""

    def __init__(self) -> None:
        self._known: dict[UUID, tuple[bytes, int]] = {}

    def corrected(self, placed: Placed, arrival: Arrival) -> Placed:
        """Return the outcome as if earlier batches were written."""
        record = arrival.record
        if not isinstance(record, Conversation) or placed.outcome not in ("new", "updated"):
            return placed
        # A digest instead of the record, so that memory does not grow with the messages.
        digest = blake2b(_encode(record), digest_size=16).digest()
        identifier = placed.conversation_id or record.id
        before = self._known.get(identifier)
        longest = max(len(record.messages), before[1] if before else 0)
        self._known[identifier] = (digest, longest)
        if before is None:
            return placed
        if digest == before[0]:
            return replace(placed, outcome="unchanged", messages_new=0, messages_changed=0)
        if placed.outcome == "new":
            return replace(placed, outcome="updated", messages_new=longest - before[1])
        return placed


def _place(
    database: Database | None,
    key: str,
    batch: list[Arrival],
    options: ImportOptions,
    recogniser: Recogniser,
) -> list[Placed]:
    if database is None:
        return place_into_nothing(batch, recogniser)
    organizations = schema.organizations
    with database.transaction() as connection:
        identifier = connection.scalar(
            sa.select(organizations.c.id).where(organizations.c.key == key)
        )
        planner = Planner(
            database.dialect.bulk(),
            identifier or organization_id_of(key),
            restore_deleted=options.restore_deleted,
            recogniser=recogniser,
        )
        arrivals = [with_user(each, options.user_id) for each in batch]
        return planner.plan(connection, arrivals, lock=False).placed
