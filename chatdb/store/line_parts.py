"""Snapshots and kept files of conversations as their JSON in the native format."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa

from chatdb.db.contract.message_text import json_time, unreadable
from chatdb.db.schema import message_files, snapshots
from chatdb.primitives import canonical
from chatdb.primitives.nesting import roomy
from chatdb.store.columns import COLUMNS, JSON, PLACE, SIZE, TIME, Column, columns_of
from chatdb.store.files import FIELDS, file_column, select_files
from chatdb.store.following import has_rows

Select = Callable[..., sa.Select[Any]]
"""Makes the query of an organization's rows of some conversations with these columns, in order."""

_encode = roomy(msgspec.json.Encoder().encode)


@dataclass(frozen=True, slots=True)
class ListedPart:
    """A list of a conversation's record: its name, where it stands, and the fields of an item.

    `made` is the record of an item with its values as JSON.
    """

    name: str
    table: sa.Table
    fields: Sequence[Column]
    columns: Sequence[sa.Column[Any]]
    select: Select
    made: Any


def _part(
    table: sa.Table,
    fields: Sequence[Column],
    columns: Sequence[sa.Column[Any]],
    select: Select,
    name: str,
) -> ListedPart:
    made = msgspec.defstruct(
        f"_{name}", [(field.name, Any, None) for field in fields], omit_defaults=True
    )
    return ListedPart(name, table, fields, columns, select, made)


def _select_snapshots(
    organization: UUID, ids: Sequence[UUID], *columns: sa.ColumnElement[Any]
) -> sa.Select[Any]:
    table = snapshots.c
    return (
        sa.select(*columns)
        .where(table.organization_id == organization, table.conversation_id.in_(ids))
        .order_by(table.conversation_id, table.created_at, table.id)
    )


_SNAPSHOT = [column for column in columns_of("snapshots") if column.native]
_FILE = [
    next(each for each in COLUMNS if (each.table, each.name) == (column.table.name, column.name))
    for column in map(file_column, FIELDS)
]
PARTS = (
    _part(
        *(snapshots, _SNAPSHOT, [snapshots.c[each.name] for each in _SNAPSHOT]),
        *(_select_snapshots, "snapshots"),
    ),
    _part(message_files, _FILE, list(map(file_column, FIELDS)), select_files, "files"),
)
"""In the order in which they stand in a line."""


class LineParts:
    """The small parts of an organization's conversations; embeddings are not small."""

    def __init__(self, connection: sa.Connection, organization: UUID) -> None:
        self._connection = connection
        self._organization = organization
        # Asked once an organization: most have none, and the query would run for each batch.
        self._present = [part for part in PARTS if has_rows(connection, part.table, organization)]

    def of(self, ids: Sequence[str]) -> dict[str, bytes]:
        """Return the fields of each conversation that has any, as they stand in its line."""
        texts: dict[str, bytes] = {}
        for part in self._present:
            for conversation, items in self._items(part, ids).items():
                text = b',"%b":%b' % (part.name.encode(), _encode(items))
                texts[conversation] = texts.get(conversation, b"") + text
        return texts

    def _items(self, part: ListedPart, ids: Sequence[str]) -> dict[str, list[Any]]:
        statement = part.select(
            self._organization,
            list(map(UUID, ids)),
            sa.cast(part.table.c.conversation_id, sa.Text),
            *(sa.cast(column, sa.Text) for column in part.columns),
        )
        found: dict[str, list[Any]] = {}
        texts: list[str | None]
        for conversation, *texts in self._connection.execute(statement):
            try:
                item = part.made(*map(_value, part.fields, texts))
            except ValueError as error:
                what = f"{part.name} {texts[0]} of {conversation}"
                raise unreadable(what, error) from error
            found.setdefault(conversation, []).append(item)
        return found


def _value(column: Column, text: str | None) -> Any:
    if text is None:
        return None
    if column.kind is JSON:
        return msgspec.Raw(canonical.encode(canonical.decode(text)))
    if column.kind in (PLACE, SIZE):
        return int(text)
    return json_time(text) if column.kind is TIME else text
