"""Writes the contents of another database into this one, exactly as they are there."""

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.contract.bulk import Ahead, BatchRows, MessageRows, Row
from chatdb.db.database import Database
from chatdb.errors import NotFoundError
from chatdb.operations.copying.lines import Line, stream_rows
from chatdb.operations.copying.state import CopyState
from chatdb.operations.importing.public import SkippedItem
from chatdb.primitives.garbage import rare_collections
from chatdb.primitives.nesting import roomy
from chatdb.records import Conversation, Message, Organization
from chatdb.store.batch_writing import write_in_parts
from chatdb.store.batches import Arrival, Batches
from chatdb.store.search_index import search_index_state

_AT_ONCE = 500
"""Ids per statement."""

Lines = Generator[Line, None, None]

_decode = roomy(msgspec.json.Decoder(Conversation).decode)


@dataclass(slots=True)
class ConversationWriter:
    """Writes conversations by bulk load, each batch with its progress in one transaction.

    `loading` is `Database.loading()` of the destination; `on_messages` receives the number of
    messages committed, `skipped` lists the conversations that this database cannot store, and
    `skipped_rows` counts their rows.
    """

    state: CopyState
    loading: Database
    on_messages: Callable[[int], object]
    skipped: list[SkippedItem] = field(default_factory=list)
    skipped_rows: Counter[str] = field(default_factory=Counter)
    conversations: int = 0

    def write(self, organization: Organization, lines: Lines, *, moves: bool) -> None:
        """Write the conversations; `moves` advances the progress to the last of them.

        The lines are always closed at the end.
        """
        loaded = _Loading(self, organization, moves=moves)
        batches = Batches(map(loaded.arrival, lines), loaded.prepare)
        try:
            with rare_collections() as after_batch:
                while batch := batches.next_batch():
                    loaded.write(batch, batches.ahead)
                    after_batch()
        finally:
            batches.close_and_wait()
            lines.close()

    def remove(self, organization: Organization, ids: Sequence[UUID]) -> None:
        """Remove whole conversations without leaving a trace."""
        table = schema.conversations
        for start in range(0, len(ids), _AT_ONCE):
            with self.state.step() as connection:
                if connection is not None:
                    connection.execute(
                        sa.delete(table).where(
                            table.c.organization_id == organization.id,
                            table.c.id.in_(ids[start : start + _AT_ONCE]),
                        )
                    )


class _Loading:
    """The conversations of one organization on their way in."""

    def __init__(
        self, writer: ConversationWriter, organization: Organization, *, moves: bool
    ) -> None:
        self._writer = writer
        self._organization = organization
        self._moves = moves
        self._bulk = writer.loading.dialect.bulk()
        self._positions: dict[UUID, Sequence[int]] = {}

    def arrival(self, line: Line) -> Arrival:
        """Return a line's record; its odd positions are kept until it is written."""
        record = _decode(line.text)
        if line.positions is not None:
            self._positions[record.id] = line.positions
        return Arrival(record)

    def prepare(self, record: Conversation) -> Sequence[Row] | None:
        """Return the rows of a conversation's messages; None if it cannot be stored."""
        if record.id in self._positions:
            return None
        return self._bulk.prepare(self._organization.id, record)

    def write(self, batch: list[Arrival], ahead: Ahead) -> None:
        """Write a batch without the conversations that cannot be stored, which are listed."""
        writer = self._writer
        parts = write_in_parts(
            batch,
            lambda part: self._write_once(part, ahead),
            bulk=self._bulk,
            refused=self._refused,
        )
        for records in parts:
            writer.conversations += len(records)
            writer.on_messages(sum(len(record.messages) for record in records))
        for record in _records(batch):
            self._positions.pop(record.id, None)

    def _refused(self, arrival: Arrival, reason: str) -> list[Conversation]:
        (record,) = _records([arrival])
        place = f"conversation {record.id} of {self._organization.key}"
        self._writer.skipped.append(
            SkippedItem(place=place, reason=reason, source_id=record.source_id)
        )
        self._writer.skipped_rows.update(
            conversations=1,
            messages=len(record.messages),
            snapshots=len(record.snapshots),
            message_files=len(record.files),
            embeddings=len(record.embeddings),
        )
        return []

    def _write_once(self, part: list[Arrival], ahead: Ahead) -> list[Conversation]:
        writer, organization = self._writer, self._organization
        records = _records(part)
        reached = records[-1].id if self._moves else None
        with writer.state.step(
            writer.loading,
            organization=organization.id if self._moves else None,
            conversation=reached,
            ahead=ahead,
        ) as connection:
            if connection is not None:
                _check_organization(connection, organization)
                self._bulk.write(
                    connection,
                    organization.id,
                    self._rows(part, records),
                    index=search_index_state(connection) == "present",
                    ahead=ahead,
                )
        return records

    def _rows(self, part: list[Arrival], records: list[Conversation]) -> BatchRows:
        messages = [
            MessageRows(record.id, self._placed(arrival, record), arrival.rows)
            for arrival, record in zip(part, records, strict=True)
            if record.messages
        ]
        return BatchRows(
            new=records,
            changed=[],
            stale=[],
            messages=messages,
            snapshots_of=[record for record in records if record.snapshots],
            files_of=[record for record in records if record.files],
            embeddings_of=[record for record in records if record.embeddings],
        )

    def _placed(self, arrival: Arrival, record: Conversation) -> Sequence[tuple[int, Message]]:
        """Return the messages with their positions, unless their rows are prepared already."""
        if arrival.rows is not None:
            return ()
        positions = self._positions.get(record.id, range(len(record.messages)))
        return list(zip(positions, record.messages, strict=True))


def put_organizations(state: CopyState, wanted: Iterable[Organization]) -> None:
    """Make the organizations match; others are removed, with all that an earlier copy wrote."""
    table = schema.organizations
    with state.step() as connection:
        if connection is None:
            return
        rows = connection.execute(sa.select(table)).mappings()
        there = {row["id"]: Organization(**row) for row in rows}
        records = {record.id: record for record in wanted}
        for identifier in there.keys() - records.keys():
            connection.execute(sa.delete(table).where(table.c.id == identifier))
        for identifier, record in records.items():
            values = msgspec.structs.asdict(record)
            if identifier not in there:
                connection.execute(sa.insert(table).values(values))
            elif there[identifier] != record:
                connection.execute(sa.update(table).where(table.c.id == identifier).values(values))


def put_rows(state: CopyState, source: Database, table: sa.Table) -> None:
    """Make a small table match the source, in one transaction."""
    with state.step() as connection, source.transaction() as reading:
        if connection is None:
            return
        connection.execute(sa.delete(table))
        for rows in stream_rows(reading, table):
            connection.execute(sa.insert(table), [row._asdict() for row in rows])


def _records(part: Sequence[Arrival]) -> list[Conversation]:
    return [each.record for each in part if isinstance(each.record, Conversation)]


def _check_organization(connection: sa.Connection, organization: Organization) -> None:
    """Raise NotFoundError unless it still exists: SQLite's load checks no foreign keys."""
    column = schema.organizations.c.id
    if connection.execute(sa.select(column).where(column == organization.id)).first() is None:
        raise NotFoundError(
            f"the organization {organization.key} was removed during the copy",
            hint="run the same command again",
        )
