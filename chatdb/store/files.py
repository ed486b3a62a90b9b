"""The rows of kept files: read as records, and told apart."""

from collections.abc import Generator, Iterator, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.contract.bulk import PlacedFile
from chatdb.db.schema import files, message_files, messages
from chatdb.records import MessageFile
from chatdb.store.columns import fields_of

_AT_ONCE = 500
_table = message_files.c
FIELDS = (
    *fields_of("message_files"),
    *(name for name in fields_of("files") if name != "digest"),
)
"""The fields of the record: of both tables, in its order."""


def file_column(name: str) -> sa.Column[Any]:
    """Return the column of a field."""
    return _table[name] if name in _table else files.c[name]


def select_files(
    organization: UUID, ids: Sequence[UUID], *columns: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    """Select columns of the files of conversations, in the order of the records.

    A file that another program took out of `files` has no size and no media type.
    """
    joined = message_files.outerjoin(
        files,
        (files.c.organization_id == _table.organization_id) & (files.c.digest == _table.digest),
    )
    return (
        sa.select(*columns)
        .select_from(joined)
        .where(_table.organization_id == organization, _table.conversation_id.in_(ids))
        .order_by(_table.conversation_id, _table.message_id, _table.position)
    )


def read_files(
    connection: sa.Connection, organization: UUID, ids: Sequence[UUID]
) -> Iterator[PlacedFile]:
    """Yield each conversation's id and files, in the order of the records."""
    columns = (_table.conversation_id, *map(file_column, FIELDS))
    for conversation, *values in connection.execute(select_files(organization, ids, *columns)):
        yield conversation, MessageFile(**dict(zip(FIELDS, values, strict=True)))


FileKey = tuple[UUID, UUID, int]
"""The conversation, the message and the position of a kept file."""


def messages_with_attachments(
    connection: sa.Connection, organization: UUID, ids: Sequence[UUID]
) -> Generator[tuple[UUID, UUID, Any], None, None]:
    """Yield the conversation, the id and the attachments of messages of some conversations."""
    table = messages.c
    statement = sa.select(table.conversation_id, table.id, table.attachments).where(
        table.organization_id == organization,
        table.conversation_id.in_(ids),
        table.attachments.is_not(None),
    )
    options = {"stream_results": True, "yield_per": _AT_ONCE}
    with connection.execute(statement, execution_options=options) as rows:
        for row in rows:
            yield row.conversation_id, row.id, row.attachments


def kept_keys(
    connection: sa.Connection, organization: UUID, ids: Sequence[UUID]
) -> dict[FileKey, MessageFile]:
    """Return the files of some conversations by their places."""
    return {
        (conversation, each.message_id, each.position): each
        for conversation, each in read_files(connection, organization, ids)
    }


def with_messages(
    connection: sa.Connection, organization: UUID, placed: Sequence[PlacedFile]
) -> list[PlacedFile]:
    """Return those of the files whose messages are there."""
    table = messages.c
    wanted = {(conversation, each.message_id) for conversation, each in placed}
    there = {
        (row.conversation_id, row.id)
        for row in connection.execute(
            sa.select(table.conversation_id, table.id).where(
                table.organization_id == organization,
                table.conversation_id.in_({conversation for conversation, _ in wanted}),
                table.id.in_({message for _, message in wanted}),
            )
        )
    }
    return [each for each in placed if (each[0], each[1].message_id) in there]


def unused_digests(
    connection: sa.Connection, organization: UUID, digests: Sequence[str]
) -> list[str]:
    """Return those of the digests that no message of the organization has."""
    used = set(
        connection.scalars(
            sa.select(_table.digest)
            .distinct()
            .where(_table.organization_id == organization, _table.digest.in_(digests))
        )
    )
    return [digest for digest in digests if digest not in used]


def unused_rows(connection: sa.Connection, organization: UUID, *, after: str) -> list[str]:
    """Return the next digests of `files`, in order, that no message has."""
    own = files.c
    is_used = sa.exists().where(
        _table.organization_id == own.organization_id, _table.digest == own.digest
    )
    statement = (
        sa.select(own.digest)
        .where(own.organization_id == organization, own.digest > after, ~is_used)
        .order_by(own.digest)
        .limit(_AT_ONCE)
    )
    return list(connection.scalars(statement))


def delete_rows(connection: sa.Connection, organization: UUID, digests: Sequence[str]) -> int:
    """Delete rows of `files` that no message has."""
    gone = sa.delete(files).where(
        files.c.organization_id == organization, files.c.digest.in_(digests)
    )
    return connection.execute(gone).rowcount


def digests_page(
    connection: sa.Connection, organization: UUID, *, after: str = ""
) -> list[tuple[str, int | None]]:
    """Return the next digests, in order, of which a message or `files` tells; with their sizes."""
    own = files.c
    told = sa.union(
        sa.select(own.digest).where(own.organization_id == organization, own.digest > after),
        sa.select(_table.digest).where(
            _table.organization_id == organization, _table.digest > after
        ),
    ).subquery()
    statement = (
        sa.select(told.c.digest, own.size)
        .select_from(
            told.outerjoin(
                files, (own.organization_id == organization) & (own.digest == told.c.digest)
            )
        )
        .order_by(told.c.digest)
        .limit(_AT_ONCE)
    )
    return [(row.digest, row.size) for row in connection.execute(statement)]


def has_any_file(connection: sa.Connection) -> bool:
    """Tell whether there is a row of a kept file, of any organization."""
    return any(
        connection.execute(sa.select(table.c.digest).limit(1)).first() is not None
        for table in (files, message_files)
    )
