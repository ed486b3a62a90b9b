"""Conversations of an import that need no reading: they are stored already.

Either their bytes have the digest that is stored with the conversation, or, in the native format,
they are exactly the line that an export would write now. Anything unusual (deleted here, another
user, twice in a batch) is read and takes the full way.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import closing
from dataclasses import replace
from uuid import UUID

import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.contract.bulk import Bulk, StoredKey
from chatdb.db.database import Database
from chatdb.formats.base import Skipped, Tally
from chatdb.formats.unread import Counts, Unread, counts_where_same
from chatdb.operations.importing.report import Placed
from chatdb.records import Organization
from chatdb.store.batches import Arrival
from chatdb.store.every_organization import read_organization
from chatdb.store.lines import lines_within, whole_lines
from chatdb.store.selecting import READING, ConversationFilter

PAUSE = 8
"""Batches that are read at once after a batch of which little was stored."""
_ID = slice(len('{"id":"'), len('{"id":"') + 36)
"""The position of the id in a native line."""


class Deferral:
    """Whether conversations are left undecoded, which pays only if most are known here.

    Decoding them later takes as long, but nothing else is done meanwhile.
    """

    def __init__(self) -> None:
        self._begun = False
        self._pause = 0

    def __call__(self) -> bool:
        return self._begun and not self._pause

    def begin(self, connection: sa.Connection, organization_id: UUID) -> None:
        """Leave conversations undecoded from now on if the organization has any."""
        table = schema.conversations.c
        one = sa.select(table.id).where(table.organization_id == organization_id).limit(1)
        self._begun = connection.execute(one).first() is not None
        self._pause = 0

    def learn(self, unread: int, known: int) -> None:
        """Look at a batch: how many came undecoded, and how many of them needed no reading."""
        if unread:
            self._pause = 0 if 2 * known >= unread else PAUSE
        elif self._pause:
            self._pause -= 1


class UnreadSorter:
    """Finds the conversations of a batch that need no reading, and reads the others."""

    def __init__(self, database: Database, organization_id: UUID, user_id: str | None) -> None:
        self._database = database
        self._bulk: Bulk = database.dialect.bulk()
        self._organization_id = organization_id
        self._user_id = user_id

    def sort(
        self, arrivals: Sequence[Arrival], loading: Database
    ) -> tuple[list[Placed], list[Arrival]]:
        """Return the unchanged ones, and the arrivals that take the full way, read."""
        unread = [each.record for each in arrivals if isinstance(each.record, Unread)]
        if not unread:
            return [], list(arrivals)
        same = self._same(unread, _once(arrivals), loading)
        known: list[Placed] = []
        rest: list[Arrival] = []
        for arrival in arrivals:
            record = arrival.record
            if isinstance(record, Unread) and record.id in same:
                known.append(
                    Placed(
                        file=arrival.file,
                        outcome="unchanged",
                        conversation_id=record.id,
                        met=same[record.id],
                    )
                )
            else:
                rest += read_now(arrival)
        return known, rest

    def _same(
        self, unread: Sequence[Unread], once: Collection[UUID], loading: Database
    ) -> dict[UUID, Counts]:
        """Return what reading would count in conversations that are stored unchanged."""
        ids = [record.id for record in unread if record.id in once]
        same: dict[UUID, Counts] = {}
        with loading.transaction(snapshot=True, settings=READING) as connection:
            keys = self._bulk.stored_keys(connection, self._organization_id, ids)
            gone = self._bulk.tombstones(connection, self._organization_id, list(keys))
            lines: dict[UUID, Unread] = {}
            for record in unread:
                key = keys.get(record.id)
                if key is None or record.id in gone or self._is_of_another(record, key):
                    continue
                if record.digest is None:
                    lines[record.id] = record
                elif (counts := counts_where_same(key.source_hash, record.digest)) is not None:
                    same[record.id] = counts
            for label in (None, read_organization(connection, self._organization_id)):
                own = {
                    identifier: record
                    for identifier, record in lines.items()
                    if (record.organization is None) is (label is None)
                }
                if own:
                    same |= self._same_lines(connection, own, label)
        return same

    def _is_of_another(self, record: Unread, key: StoredKey) -> bool:
        user = self._user_id if record.user_id is None else record.user_id
        return user is not None and user != key.user_id

    def _same_lines(
        self,
        connection: sa.Connection,
        lines: dict[UUID, Unread],
        label: Organization | None,
    ) -> dict[UUID, Counts]:
        """Return the counts of those whose line, with that label, an export would write now."""
        same: dict[UUID, Counts] = {}
        pieces = lines_within(
            connection,
            self._database.dialect,
            self._organization_id,
            ConversationFilter(ids=list(lines)),
            label=label,
            on_read=lambda _conversations, _messages: None,
        )
        with closing(pieces):
            for line in whole_lines(pieces):
                record = lines[UUID(line[_ID].decode())]
                if record.data.rstrip(b"\r\n") == line and record.counts is not None:
                    same[record.id] = record.counts
        return same


def read_now(arrival: Arrival) -> list[Arrival]:
    """Return an arrival, read: itself, and one for each of its parts that cannot be read."""
    record = arrival.record
    if not isinstance(record, Unread):
        return [arrival]
    tally = Tally() if arrival.tally is None else arrival.tally
    return [replace(arrival, record=item) for item in record.items(tally)]


def _once(arrivals: Sequence[Arrival]) -> set[UUID]:
    """Return the ids of conversations that occur once in a batch."""
    counts = Counter(each.record.id for each in arrivals if not isinstance(each.record, Skipped))
    return {identifier for identifier, count in counts.items() if count == 1}
