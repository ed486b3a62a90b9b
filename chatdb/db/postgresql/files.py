"""Writing the rows of kept files into PostgreSQL: they are few, and some of them are there."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from chatdb.db.contract.bulk import KNOWN_FILE, REPLACED_FILE, PlacedFile, sized_files
from chatdb.records import MessageFile
from chatdb.store import columns

_AS_BYTES = "bytea"
"""COPY's type of ids; a statement takes them as they are."""


def write_files(cursor: Any, organization_id: UUID, placed: Sequence[PlacedFile]) -> None:
    """Insert what is new of files, and insert or replace where they belong."""
    files = [
        (organization_id, each.digest, each.size, each.media_type) for each in sized_files(placed)
    ]
    _insert(cursor, "files", files, KNOWN_FILE)
    places = [
        (organization_id, conversation, each.message_id, each.position, each.digest, each.name)
        for conversation, each in placed
    ]
    _insert(cursor, "message_files", places, REPLACED_FILE)


def leave_places(
    cursor: Any, organization_id: UUID, moved: Sequence[tuple[UUID, Sequence[MessageFile]]]
) -> None:
    """Delete the rows of files of messages from where they no longer are."""
    cursor.executemany(
        "DELETE FROM message_files WHERE organization_id = %s AND conversation_id = %s"
        " AND message_id = %s AND position = %s",
        [
            (organization_id, conversation, each.message_id, each.position)
            for conversation, files in moved
            for each in files
        ],
    )


def _insert(cursor: Any, table: str, rows: Sequence[Sequence[Any]], conflict: str) -> None:
    if not rows:
        return
    names = ", ".join(columns.names_of(table))
    arrays = ", ".join(
        f"%s::{'uuid' if kind == _AS_BYTES else kind}[]" for kind in columns.copy_types_of(table)
    )
    # COPY knows no ON CONFLICT.
    cursor.execute(
        f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT {conflict}",
        [list(values) for values in zip(*rows, strict=True)],
    )
