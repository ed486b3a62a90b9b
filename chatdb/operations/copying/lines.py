"""The contents of a database in a canonical form, to be copied and compared row by row.

A conversation is its line of the native format, which both databases produce byte for byte alike,
and the positions of its messages if they are not simply 0, 1, 2 ...: a line does not contain them.
"""

import hashlib
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb.db import schema
from chatdb.db.database import Database
from chatdb.formats.base import Tally
from chatdb.formats.cleaning import clean_conversation
from chatdb.formats.native import conversation_line
from chatdb.primitives.nesting import roomy
from chatdb.records import Conversation, Organization
from chatdb.store.lines import native_lines, whole_lines
from chatdb.store.selecting import AT_ONCE, READING, ConversationFilter

WHOLE = {**READING, "row_security": "off"}
"""Settings of a snapshot that must be complete: PostgreSQL raises instead of hiding rows."""

_NUL = b"\\u0000"
_ID = slice(len('{"id":"'), len('{"id":"') + 36)
_decode = roomy(msgspec.json.Decoder(Conversation).decode)
_encode = msgspec.json.Encoder().encode


COPIED = {
    "organizations": schema.organizations,
    "conversations": schema.conversations,
    "messages": schema.messages,
    "snapshots": schema.snapshots,
    "files": schema.files,
    "message_files": schema.message_files,
    "embeddings": schema.message_embeddings,
    "tombstones": schema.tombstones,
}
"""The tables that a copy moves, by the names of their counts."""


class Line(NamedTuple):
    """A conversation's line without its end; `positions` are those of its messages, if odd."""

    id: str
    text: bytes
    positions: Sequence[int] | None


class ContentDigest:
    """A hash of all conversations of an organization, however they are cut into pieces."""

    def __init__(self) -> None:
        self._lines = hashlib.sha256()
        self._positions = hashlib.sha256()

    def add_lines(self, piece: bytes) -> None:
        """Add lines with their ends, or any piece of them."""
        self._lines.update(piece)

    def add_positions(self, odd: dict[str, list[int]]) -> None:
        """Add the odd positions of some conversations, by ascending id."""
        for each in odd.items():
            self._positions.update(_encode(each))

    def hexdigest(self) -> str:
        """Return the hash of everything added."""
        both = self._lines.digest() + self._positions.digest()
        return hashlib.sha256(both).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCounts:
    """How many rows a database has."""

    organizations: int
    conversations: int
    messages: int
    snapshots: int
    files: int
    message_files: int
    embeddings: int
    tombstones: int


@dataclass(slots=True)
class LineReader:
    """Reads one organization from a consistent state (`Database.snapshot`).

    Characters that the other database could not store (NUL) are replaced, as an import does;
    `tally` counts them.
    """

    database: Database
    organization: Organization
    tally: Tally = field(default_factory=Tally)

    def pages(
        self, *, after: UUID | None = None, until: UUID | None = None
    ) -> Iterator[ConversationFilter]:
        """Yield ranges of the ids, at least one, which together cover all after `after`."""
        table = schema.conversations.c
        with self.database.transaction() as connection:
            while True:
                statement = sa.select(table.id).where(
                    table.organization_id == self.organization.id,
                    *ConversationFilter(after_id=after, until_id=until).conditions(),
                )
                last = statement.order_by(table.id).offset(AT_ONCE - 1).limit(1)
                end: UUID | None = connection.scalar(last)
                yield ConversationFilter(after_id=after, until_id=end or until)
                if end is None or end == until:
                    return
                after = end

    def lines(
        self, wanted: ConversationFilter, digest: ContentDigest | None = None
    ) -> Generator[Line, None, None]:
        """Yield the selected conversations by ascending id, adding them to the digest."""
        odd = self.odd_positions(wanted)
        key = self.organization.key
        with closing(native_lines(self.database, wanted, organization_key=key)) as pieces:
            for read in whole_lines(pieces):
                text = self._cleaned(read) if _NUL in read else read
                identifier = text[_ID].decode()
                if digest is not None:
                    digest.add_lines(text)
                    digest.add_lines(b"\n")
                yield Line(identifier, text, odd.get(identifier))
        if digest is not None:
            digest.add_positions(odd)

    def hashes(
        self, wanted: ConversationFilter, digest: ContentDigest | None = None
    ) -> dict[str, bytes]:
        """Return a hash of each of the selected conversations."""
        return {
            line.id: hashlib.sha256(line.text + _encode(line.positions)).digest()
            for line in self.lines(wanted, digest)
        }

    def add_all(self, digest: ContentDigest, on_messages: Callable[[int], object]) -> None:
        """Add every conversation to the digest, as fast as possible."""
        for page in self.pages():
            pieces = native_lines(
                self.database,
                page,
                organization_key=self.organization.key,
                on_read=lambda _conversations, messages: on_messages(messages),
            )
            with closing(pieces):
                for piece in pieces:
                    digest.add_lines(piece)
            digest.add_positions(self.odd_positions(page))

    def odd_positions(self, wanted: ConversationFilter) -> dict[str, list[int]]:
        """Return the positions of the selected conversations that are not 0, 1, 2 ..."""
        table = schema.messages.c
        own = table.organization_id == self.organization.id
        conditions = [own, *_on_messages(wanted)]
        position = table.position
        odd = (
            sa.select(table.conversation_id)
            .where(*conditions)
            .group_by(table.conversation_id)
            .having(
                sa.or_(
                    sa.func.min(position) != 0,
                    sa.func.max(position) != sa.func.count() - 1,
                )
            )
        )
        found: dict[str, list[int]] = {}
        with self.database.transaction() as connection:
            ids = connection.scalars(odd.order_by(table.conversation_id)).all()
            for start in range(0, len(ids), 500):
                statement = (
                    sa.select(table.conversation_id, position)
                    .where(own, table.conversation_id.in_(ids[start : start + 500]))
                    .order_by(table.conversation_id, position)
                )
                for identifier, place in connection.execute(statement):
                    found.setdefault(str(identifier), []).append(place)
        return found

    def _cleaned(self, text: bytes) -> bytes:
        record = _decode(text)
        clean_conversation(record, self.tally)
        return conversation_line(record)[:-1]


def read_organizations(database: Database) -> list[Organization]:
    """Return every organization by ascending id."""
    table = schema.organizations
    with database.transaction() as connection:
        rows = connection.execute(sa.select(table).order_by(table.c.id)).mappings()
        return [Organization(**row) for row in rows]


def count_rows(database: Database) -> TableCounts:
    """Count what a copy moves."""
    with database.transaction() as connection:
        counts = {
            name: connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for name, table in COPIED.items()
        }
    return TableCounts(**counts)


def stream_rows(connection: sa.Connection, table: sa.Table) -> Iterator[Sequence[sa.Row[Any]]]:
    """Yield a table's rows that have a parent by ascending key, some at a time."""
    key = list(table.primary_key.columns)
    page = sa.select(table).where(belongs(table)).order_by(*key).limit(AT_ONCE)
    rows = connection.execute(page).fetchall()
    while rows:
        yield rows
        if len(rows) < AT_ONCE:
            return
        last = rows[-1]._asdict()
        behind = sa.tuple_(*key) > sa.tuple_(
            *(sa.literal(last[column.name], column.type) for column in key)
        )
        rows = connection.execute(page.where(behind)).fetchall()


def belongs(table: sa.Table) -> sa.ColumnElement[bool]:
    """Return the condition that a row's organization, and conversation if any, exist."""
    organizations, conversations = schema.organizations, schema.conversations
    if table is organizations:
        return sa.true()
    whole = sa.exists().where(organizations.c.id == table.c.organization_id)
    if "conversation_id" not in table.c or table is schema.tombstones:
        return whole
    return whole & sa.exists().where(
        conversations.c.organization_id == table.c.organization_id,
        conversations.c.id == table.c.conversation_id,
    )


def digest_of_table(database: Database, table: sa.Table) -> str:
    """Return a hash of a table's rows, the same on both databases."""
    digest = hashlib.sha256()
    with database.transaction() as connection:
        for rows in stream_rows(connection, table):
            digest.update(_encode([list(row) for row in rows])[1:-1] + b",")
    return digest.hexdigest()


def whole_hash(parts: dict[str, str]) -> str:
    """Return one hash of the hashes of all parts."""
    return hashlib.sha256(_encode(sorted(parts.items()))).hexdigest()


def _on_messages(wanted: ConversationFilter) -> Iterator[sa.ColumnElement[bool]]:
    """Yield the conditions of a range of ids, on the table of messages."""
    column = schema.messages.c.conversation_id
    if wanted.after_id is not None:
        yield column > wanted.after_id
    if wanted.until_id is not None:
        yield column <= wanted.until_id
    if wanted.ids is not None:
        yield column.in_(wanted.ids)
