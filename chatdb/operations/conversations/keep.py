"""Saves conversations to a native file before anything of theirs is removed."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa

from chatdb.formats.native import conversation_line, header_line
from chatdb.operations.kept.public import new_file
from chatdb.store.every_organization import label_of, read_organization
from chatdb.store.reading import read_stored

_AT_ONCE = 20
"""Conversations held at once; each may be large."""


def keep(
    connection: sa.Connection,
    organization: UUID,
    ids: Sequence[UUID],
    path: Path,
    *,
    source: str,
) -> None:
    """Write the conversations unchanged to a file that must not exist; raises StorageError.

    It is complete and on disk when this returns.
    """
    label = label_of(read_organization(connection, organization))
    with new_file(path) as stream:
        stream.write(header_line(created=datetime.now(UTC), source=source))
        for start in range(0, len(ids), _AT_ONCE):
            some = ids[start : start + _AT_ONCE]
            found = read_stored(connection, organization, some)
            for identifier in some:
                record = found[identifier].record
                record.organization, record.organization_name = label
                stream.write(conversation_line(record))
