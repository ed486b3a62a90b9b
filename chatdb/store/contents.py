"""Counts and hashes the contents of a database, in the caller's own transaction.

Two ordered streams, conversations and the numbers of their messages, come from indexes and are
merged here: memory stays flat, and the same data gives the same figures on both databases.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby
from operator import attrgetter
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.backups.contents import Contents, IndexEntry, OrganizationContents
from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.db.migrating.revision import judge

_AT_ONCE = 2_000
# Without streaming the driver fetches all rows at once: memory would grow with the database.
_EXECUTION = {"stream_results": True, "yield_per": _AT_ONCE}
# A lease comes and goes with a running job: two backups of the same data would differ.
_LEFT_OUT = frozenset({schema.leases.name})
_conversations, _messages = schema.conversations.c, schema.messages.c

OnEntries = Callable[[list[IndexEntry]], object]
"""Receives the conversations as they are read, some at a time, in order."""


def measure(
    database: Database,
    connection: sa.Connection,
    *,
    organization_id: UUID | None = None,
    on_entries: OnEntries | None = None,
    rows: bool = True,
) -> Contents:
    """Count and hash everything, or one organization's conversations and nothing else.

    Without `rows` only the schema is inspected, as if the tables were empty.

    Covers what the transaction on `connection` sees: a snapshot, if it is one. A database without
    chatdb's tables, or with another program's tables of these names, has no rows.
    """
    tables = tuple(database.dialect.existing_tables(connection))
    revision = _revision(connection, tables)
    has_tables = {"organizations", "conversations", "messages"} <= set(tables)
    if revision is None or not has_tables or not rows:
        empty = hashlib.sha256().hexdigest()
        return Contents(
            revision=revision,
            rows={},
            organizations=(),
            newest_message_at=None,
            content_hash=empty,
        )
    merge = _Merge(on_entries)
    listed, counted = _listed(organization_id), _counted(organization_id)
    merge.run(_batches(connection, listed), _batches(connection, counted))
    organizations = tuple(_organizations(connection, merge, organization_id))
    counts = {} if organization_id is not None else _table_rows(connection, tables, merge)
    newest = [item.newest_message_at for item in organizations if item.newest_message_at]
    whole = hashlib.sha256()
    for item in organizations:
        whole.update(f"{item.id} {item.content_hash}\n".encode())
    return Contents(
        revision=revision,
        rows=counts,
        organizations=organizations,
        newest_message_at=max(newest, default=None),
        content_hash=whole.hexdigest(),
        orphans=merge.orphans,
    )


def _revision(connection: sa.Connection, tables: tuple[str, ...]) -> str | None:
    if schema.VERSION_TABLE not in tables:
        return None
    found = connection.execute(sa.text(f"SELECT version_num FROM {schema.VERSION_TABLE}"))
    return judge(tuple(str(row[0]) for row in found), tables).revision


def _listed(organization_id: UUID | None) -> sa.Select[Any]:
    texts = (
        # As text: no UUID object is made of each row.
        sa.cast(_conversations.organization_id, sa.Text),
        sa.cast(_conversations.id, sa.Text),
        _conversations.title,
    )
    statement = sa.select(*texts).order_by(_conversations.organization_id, _conversations.id)
    if organization_id is not None:
        statement = statement.where(_conversations.organization_id == organization_id)
    return statement


def _counted(organization_id: UUID | None) -> sa.Select[Any]:
    of = (_messages.organization_id, _messages.conversation_id)
    columns: list[sa.ColumnElement[Any]] = [
        *(sa.cast(column, sa.Text) for column in of),
        sa.func.count(),
    ]
    statement = sa.select(*columns).group_by(*of).order_by(*of)
    if organization_id is not None:
        statement = statement.where(_messages.organization_id == organization_id)
    return statement


def _batches(connection: sa.Connection, statement: sa.Select[Any]) -> Iterator[Sequence[Any]]:
    return connection.execute(statement, execution_options=_EXECUTION).partitions()


class _Totals:
    """Counts of one organization while its conversations are read."""

    def __init__(self) -> None:
        self.conversations = 0
        self.messages = 0
        self.sha256 = hashlib.sha256()

    def add(self, entries: Sequence[IndexEntry]) -> None:
        """Count some of its conversations, in order."""
        self.conversations += len(entries)
        self.messages += sum(entry.messages for entry in entries)
        lines = "".join([f"{entry.id} {entry.messages}\n" for entry in entries])
        self.sha256.update(lines.encode())


class _Merge:
    """Merges the two streams: both are ascending by (organization, conversation)."""

    def __init__(self, on_entries: OnEntries | None) -> None:
        self._on_entries = on_entries
        self.totals: defaultdict[str, _Totals] = defaultdict(_Totals)
        self.orphans = 0

    def run(self, listed: Iterator[Sequence[Any]], counted: Iterator[Sequence[Any]]) -> None:
        """Read both streams to their ends."""
        counts = (row for batch in counted for row in batch)
        at = next(counts, None)
        for batch in listed:
            entries = []
            for organization, identifier, title in batch:
                key = (organization, identifier)
                while at is not None and (at[0], at[1]) < key:
                    self.orphans += at[2]
                    at = next(counts, None)
                count = 0
                if at is not None and at[0] == organization and at[1] == identifier:
                    count = at[2]
                    at = next(counts, None)
                entries.append(IndexEntry(organization, identifier, count, title))
            self._take(entries)
        if at is not None:
            self.orphans += at[2] + sum(row[2] for row in counts)

    def rows(self) -> dict[str, int]:
        """Return how many rows the two tables have, including orphans among the messages."""
        totals = self.totals.values()
        return {
            schema.conversations.name: sum(each.conversations for each in totals),
            schema.messages.name: sum(each.messages for each in totals) + self.orphans,
        }

    def _take(self, entries: list[IndexEntry]) -> None:
        for organization, run in groupby(entries, key=attrgetter("organization_id")):
            self.totals[organization].add(list(run))
        if self._on_entries is not None:
            self._on_entries(entries)


def _organizations(
    connection: sa.Connection, merge: _Merge, organization_id: UUID | None
) -> Iterator[OrganizationContents]:
    """Yield every organization by id, including those without conversations."""
    table = schema.organizations.c
    # A query on the index for each of them: finding the newest message is a look-up, not a scan.
    newest = (
        sa.select(sa.func.max(_messages.created_at))
        .where(_messages.organization_id == table.id)
        .scalar_subquery()
    )
    statement = sa.select(table.id, table.key, newest).order_by(table.id)
    if organization_id is not None:
        statement = statement.where(table.id == organization_id)
    for identifier, key, time in connection.execute(statement):
        totals = merge.totals[str(identifier)]
        yield OrganizationContents(
            key=key,
            id=str(identifier),
            conversations=totals.conversations,
            messages=totals.messages,
            newest_message_at=_time(time),
            content_hash=totals.sha256.hexdigest(),
        )


def _time(value: datetime | None) -> datetime | None:
    return None if value is None else value.astimezone(UTC)


def _table_rows(connection: sa.Connection, tables: Sequence[str], merge: _Merge) -> dict[str, int]:
    """Count every table except the two that have just been read to their ends."""
    counts = merge.rows()
    wanted = [name for name in schema.metadata.tables if name in tables and name not in _LEFT_OUT]
    for name in wanted:
        if name not in counts:
            statement = sa.select(sa.func.count()).select_from(sa.table(name))
            counts[name] = connection.scalar(statement) or 0
    return dict(sorted(counts.items()))
