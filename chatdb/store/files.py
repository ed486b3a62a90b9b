"""Reading the kept files of messages as records."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from chatdb.db.schema import files, message_files
from chatdb.records import MessageFile
from chatdb.store.columns import fields_of

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
) -> Iterator[tuple[UUID, MessageFile]]:
    """Yield each conversation's id and files, in the order of the records."""
    columns = (_table.conversation_id, *map(file_column, FIELDS))
    for conversation, *values in connection.execute(select_files(organization, ids, *columns)):
        yield conversation, MessageFile(**dict(zip(FIELDS, values, strict=True)))
